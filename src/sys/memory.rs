//! What the C library keeps of the memory that is let go of.
//!
//! An attack, or a thousand refreshes at once, must not leave a process behind that is large for
//! weeks. C libraries other than glibc give memory back by themselves.

/// Has freed memory go back to the system sooner. To be called before there are threads.
pub fn give_memory_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    limit_malloc();
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "mallopt has no safe wrapper")]
fn limit_malloc() {
    /// By itself glibc raises this with each large block that is freed, and with it how much it keeps.
    const LARGE: i32 = super::large::LARGE as i32;
    /// By itself glibc has up to eight for each processor, each with its own remains.
    const ARENAS: i32 = 2;
    // SAFETY: no memory is passed, and there is one thread.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
        libc::mallopt(libc::M_ARENA_MAX, ARENAS);
    }
}

/// Has the system use small pages only: a huge one would be 2 MiB for a few tokens, and some systems
/// make them unasked. What is started from this process inherits that.
pub fn refuse_huge_pages() {
    #[cfg(target_os = "linux")]
    // It is a matter of memory alone.
    let _ = nix::sys::prctl::set_thp_disable(true);
}

/// Gives back what is free now: for when much was in use for a while.
pub fn return_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    trim_malloc();
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "malloc_trim has no safe wrapper")]
fn trim_malloc() {
    // SAFETY: it touches nothing but free memory.
    unsafe { libc::malloc_trim(0) };
}
