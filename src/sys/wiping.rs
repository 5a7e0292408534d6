//! Memory that is wiped when it is let go of: the heap's, and a thread's unused stack.
//!
//! Secrets pass through buffers of libraries that do not wipe them: TLS records, HTTP, JSON. Whoever
//! frees a buffer leaves what was in it behind, for as long as nothing else happens to be put there.
//! A large block goes back to the system as a whole, and is out of this process's reach then.

#![expect(unsafe_code, reason = "this is about raw memory")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::arch::asm;
use std::ops::{Deref, DerefMut};

use super::large;

/// The system's allocator, which gets everything back wiped.
#[derive(Debug)]
pub struct Wiping;

// SAFETY: all is passed on to the system's allocator, and each block is written to only within its
// size, before it is given back.
unsafe impl GlobalAlloc for Wiping {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if large::is_large(layout) {
            return large::map(layout.size());
        }
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if large::is_large(layout) {
            return large::map(layout.size());
        }
        // SAFETY: as the caller promises.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller gives back a block of this layout, which nobody uses any more; and its
        // layout alone says where it is from.
        unsafe {
            if large::is_large(layout) {
                return large::unmap(block, layout.size());
            }
            wipe(block, layout.size());
            System.dealloc(block, layout);
        }
    }

    /// Moves each time, but for large blocks: the system's own way would leave the old block behind
    /// as it is.
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller promises that `size` is not zero and fits this alignment; the new
        // block is another one than the old, and both have as many bytes as are copied.
        unsafe {
            let wanted = Layout::from_size_align_unchecked(size, layout.align());
            if large::is_large(layout) && large::is_large(wanted) {
                return large::resize(block, layout.size(), size);
            }
            let moved = self.alloc(wanted);
            if !moved.is_null() {
                moved.copy_from_nonoverlapping(block, layout.size().min(size));
                self.dealloc(block, layout);
            }
            moved
        }
    }
}

/// Overwrites memory with zeros, whether or not anybody will read it.
///
/// # Safety
/// `start` must be valid for writing `length` bytes.
#[inline]
pub(super) unsafe fn wipe(start: *mut u8, length: usize) {
    // SAFETY: as the caller promises. The empty instruction may read the memory for all that the
    // compiler knows, so that the zeros must be there.
    unsafe {
        start.write_bytes(0, length);
        asm!("/* {0} */", in(reg) start, options(nostack, preserves_flags, readonly));
    }
}

/// Bytes that are wiped when they are let go of, all at once: `zeroize` writes one after the other,
/// which takes so long for megabytes of strangers' requests that others have to wait for it.
/// Growing beyond the capacity leaves a copy behind, as far as the allocator does not wipe it.
#[derive(Default)]
pub struct WipedBytes(Vec<u8>);

impl WipedBytes {
    /// Without any, but with room for so many.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self(Vec::with_capacity(capacity))
    }

    /// All of the room: what is beyond the length may have been in use before.
    fn wipe_room(&mut self) {
        // SAFETY: it is this value's own room, of which nothing is left to be read.
        unsafe { wipe(self.0.as_mut_ptr(), self.0.capacity()) };
        self.0.clear();
    }
}

impl Deref for WipedBytes {
    type Target = Vec<u8>;
    fn deref(&self) -> &Vec<u8> {
        &self.0
    }
}

impl DerefMut for WipedBytes {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }
}

impl Drop for WipedBytes {
    fn drop(&mut self) {
        self.wipe_room();
    }
}

/// Wipes what functions that have returned have left on this thread's stack, and gives the memory
/// back to the system where it can. For threads that have handled secrets and now wait.
pub fn wipe_stack() {
    scrub();
    #[cfg(target_os = "linux")]
    give_stack_back();
}

/// Overwrites the part of the stack that is next to be used. Deeper than any of the pages that
/// [`give_stack_back`] leaves alone; elsewhere, as deep as a TLS handshake goes.
#[inline(never)]
fn scrub() {
    const DEPTH: usize = if cfg!(target_os = "linux") {
        16 * 1024
    } else {
        96 * 1024
    };
    let mut stack = [0_u8; DEPTH];
    // SAFETY: it is an array of so many bytes.
    unsafe { wipe(stack.as_mut_ptr(), DEPTH) };
}

/// Has the system take back the pages of this thread's stack that are not in use: whoever uses
/// them next finds zeros.
#[cfg(target_os = "linux")]
#[inline(never)]
fn give_stack_back() {
    /// Stays as it is: what is called from here on, and whatever a signal would put there.
    const IN_USE: usize = 8 * 1024;
    let Some(bottom) = stack_bottom() else {
        return;
    };
    let here = std::ptr::from_ref(&bottom).addr();
    let top = here.saturating_sub(IN_USE) & !0xfff;
    let Some(length) = top.checked_sub(bottom).filter(|length| *length > 0) else {
        return;
    };
    let bottom = std::ptr::with_exposed_provenance_mut(bottom);
    // SAFETY: this part of the stack belongs to this thread, and no function that has not returned
    // has anything in it: the stack grows downwards, and `top` is well below this function.
    unsafe { libc::madvise(bottom, length, libc::MADV_DONTNEED) };
}

/// Where this thread's stack ends; `None` for the first thread, whose stack has no fixed end.
#[cfg(target_os = "linux")]
fn stack_bottom() -> Option<usize> {
    if nix::unistd::gettid() == nix::unistd::getpid() {
        return None;
    }
    let mut attributes = std::mem::MaybeUninit::<libc::pthread_attr_t>::uninit();
    let (mut bottom, mut size) = (std::ptr::null_mut(), 0);
    // SAFETY: the attributes are set by the first call where it succeeds, read by the second, and
    // let go of by the third.
    let read = unsafe {
        if libc::pthread_getattr_np(libc::pthread_self(), attributes.as_mut_ptr()) != 0 {
            return None;
        }
        let read = libc::pthread_attr_getstack(attributes.as_ptr(), &raw mut bottom, &raw mut size);
        libc::pthread_attr_destroy(attributes.as_mut_ptr());
        read
    };
    // Whether or not the guard pages are counted, they are not this thread's to give back.
    (read == 0 && size > 0).then(|| bottom.addr().next_multiple_of(0x1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_freed_is_wiped() {
        let layout = Layout::from_size_align(4096, 8).unwrap();
        let mut block = vec![0xa5_u8; 4096];
        // SAFETY: the block has so many bytes.
        unsafe { wipe(block.as_mut_ptr(), layout.size()) };
        assert_eq!(block, [0; 4096]);
    }

    #[test]
    fn what_was_in_a_buffer_before_is_wiped_too() {
        let mut bytes = WipedBytes::with_capacity(100);
        bytes.resize(100, 0xa5);
        bytes.truncate(10);
        bytes.wipe_room();
        assert!(bytes.is_empty());
        // SAFETY: the room was written to, to its end, just before.
        unsafe { bytes.set_len(100) };
        assert_eq!(**bytes, [0; 100]);
    }

    #[test]
    fn a_block_that_moves_keeps_what_is_in_it() {
        let layout = Layout::from_size_align(100, 8).unwrap();
        // SAFETY: each block is used within its size and given back once.
        unsafe {
            let block = Wiping.alloc(layout);
            block.write_bytes(7, 100);
            let block = Wiping.realloc(block, layout, 5000);
            assert_eq!(std::slice::from_raw_parts(block, 100), [7; 100]);
            let layout = Layout::from_size_align(5000, 8).unwrap();
            let block = Wiping.realloc(block, layout, 10);
            assert_eq!(std::slice::from_raw_parts(block, 10), [7; 10]);
            Wiping.dealloc(block, Layout::from_size_align(10, 8).unwrap());
        }
    }

    #[test]
    fn a_block_that_becomes_large_and_small_again_keeps_what_is_in_it() {
        let sizes = [100, 300_000, 5_000_000, 262_144, 262_143, 600_000, 50];
        let mut layout = Layout::from_size_align(10, 8).unwrap();
        // SAFETY: each block is used within its size and given back once.
        unsafe {
            let mut block = Wiping.alloc(layout);
            block.write_bytes(7, 10);
            for size in sizes {
                block = Wiping.realloc(block, layout, size);
                layout = Layout::from_size_align(size, 8).unwrap();
                assert_eq!(std::slice::from_raw_parts(block, 10), [7; 10], "{size}");
                block.add(size - 1).write(1);
            }
            Wiping.dealloc(block, layout);
            let layout = Layout::from_size_align(1_000_000, 8).unwrap();
            let block = Wiping.alloc_zeroed(layout);
            assert!(
                std::slice::from_raw_parts(block, 1_000_000)
                    .iter()
                    .all(|byte| *byte == 0)
            );
            Wiping.dealloc(block, layout);
        }
    }

    #[test]
    fn a_stack_is_wiped_and_goes_on_being_used() {
        fn deep(depth: usize) -> u64 {
            let page = std::hint::black_box([depth as u64; 512]);
            if depth == 0 {
                return page[0];
            }
            page[511] + deep(depth - 1)
        }
        let work = || {
            let before = deep(40);
            wipe_stack();
            (before, deep(40))
        };
        let thread = std::thread::Builder::new().stack_size(512 * 1024);
        let (before, after) = thread.spawn(work).unwrap().join().unwrap();
        assert_eq!(before, after);
        wipe_stack();
    }
}
