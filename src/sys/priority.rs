//! Who gets a processor first.

/// Has this thread stand back where others of this process want a processor too: a hundred answers
/// of providers may come at once, and a mail program that asks for a token should not have to wait
/// until all of them are read. Where threads have no priority of their own, nothing is changed.
pub fn give_way() {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    lower_priority();
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[expect(unsafe_code, reason = "nice has no safe wrapper")]
fn lower_priority() {
    /// A third of the time that the others get, as long as they want it.
    const NICENESS: libc::c_int = 5;
    // SAFETY: no memory is passed. Here it is about the calling thread, not the process (nice(2)).
    // A refusal leaves what was there.
    unsafe { libc::nice(NICENESS) };
}
