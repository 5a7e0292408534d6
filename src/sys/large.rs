//! Large blocks of memory: each is a mapping of its own. The system takes it back with all that is
//! in it, and gives its pages to others wiped only, so that they need not be wiped here; and lets
//! it grow without copying it. What megabytes of configuration cost is mostly the pages that are
//! touched.

#![expect(unsafe_code, reason = "this is about raw memory")]

use std::alloc::Layout;
use std::ptr::null_mut;

/// Blocks of so many bytes are large.
pub(super) const LARGE: usize = 256 * 1024;

/// No system has smaller pages, where its mappings begin.
const PAGE: usize = 4096;

/// Whether a block of this layout is one of these.
pub(super) const fn is_large(layout: Layout) -> bool {
    layout.size() >= LARGE && layout.align() <= PAGE
}

/// A new block, all zeros; null where there is no room.
pub(super) fn map(size: usize) -> *mut u8 {
    // SAFETY: a mapping at a place of the system's choice touches nothing that is there.
    let start = unsafe {
        libc::mmap(
            null_mut(),
            size,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANON,
            -1,
            0,
        )
    };
    pointer(start)
}

/// Gives a block back.
///
/// # Safety
/// It must be from here, of `size` bytes, and not be used any more.
pub(super) unsafe fn unmap(block: *mut u8, size: usize) {
    // SAFETY: as the caller promises.
    unsafe {
        // The system has put it together with its neighbours, and has no room to take them apart.
        if libc::munmap(block.cast(), size) != 0 {
            super::wiping::wipe(block, size);
        }
    }
}

/// Makes a block larger or smaller, which may move it; null, and the block as it was, where there
/// is no room.
///
/// # Safety
/// It must be from here, of `size` bytes, and not be used any more at its old place.
pub(super) unsafe fn resize(block: *mut u8, size: usize, new_size: usize) -> *mut u8 {
    #[cfg(target_os = "linux")]
    // SAFETY: as the caller promises.
    unsafe {
        pointer(libc::mremap(
            block.cast(),
            size,
            new_size,
            libc::MREMAP_MAYMOVE,
        ))
    }
    #[cfg(not(target_os = "linux"))]
    {
        let moved = map(new_size);
        if !moved.is_null() {
            // SAFETY: as the caller promises; the new block is another one.
            unsafe {
                moved.copy_from_nonoverlapping(block, size.min(new_size));
                unmap(block, size);
            }
        }
        moved
    }
}

fn pointer(start: *mut libc::c_void) -> *mut u8 {
    if start == libc::MAP_FAILED {
        null_mut()
    } else {
        start.cast()
    }
}
