//! Texts in memory that is never written to a swap device, as far as this user may have such.
//!
//! The memory is one range, set aside by [`reserve_locked_memory`]; what does not fit into it, and
//! everything before that call, is kept on the heap.

#![expect(unsafe_code, reason = "this is about raw memory")]

use std::collections::HashMap;
use std::io;
use std::ptr::NonNull;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use zeroize::{Zeroize, Zeroizing};

/// The most that is set aside. On Linux the tokens of some thousand accounts fit, since pages that
/// nothing was put into take up no memory; elsewhere all of it does.
const MOST: usize = if cfg!(any(target_os = "linux", target_os = "android")) {
    16 * 1024 * 1024
} else {
    512 * 1024
};
/// With less than this the user should be told that nothing is locked.
const LEAST: usize = 64 * 1024;
/// The longest text that is put there: four of the longest tokens that anybody has seen.
const LONGEST: usize = 64 * 1024;
/// Room is given in multiples of this.
const UNIT: usize = 64;

static POOL: OnceLock<Mutex<Pool>> = OnceLock::new();

/// The range, and what of it is in use.
struct Pool {
    start: NonNull<u8>,
    size: usize,
    /// From here on nothing was ever used.
    unused: usize,
    /// Rooms that were given back, by their size.
    free: HashMap<usize, Vec<usize>>,
}

// SAFETY: the range is the process's own and stays for as long as that does; who may write to
// which part of it is what the pool keeps account of.
unsafe impl Send for Pool {}

/// Sets the memory aside. To be called once, in the process that will hold the secrets.
///
/// # Errors
/// Where the system gives none.
pub fn reserve_locked_memory() -> io::Result<()> {
    let size = allowed();
    if size < LEAST {
        return Err(io::Error::other(
            "the limit for locked memory (ulimit -l) is too low",
        ));
    }
    let start = map(size)?;
    let pool = Pool {
        start,
        size,
        unused: 0,
        free: HashMap::new(),
    };
    // A second call would only waste what it has set aside.
    let _ = POOL.set(Mutex::new(pool));
    Ok(())
}

/// How much may be locked.
#[cfg(not(target_vendor = "apple"))]
fn allowed() -> usize {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_MEMLOCK)
        && soft < hard
    {
        // A refusal leaves what was there.
        let _ = setrlimit(Resource::RLIMIT_MEMLOCK, hard, hard);
    }
    let limit = getrlimit(Resource::RLIMIT_MEMLOCK).map_or(0, |(soft, _)| soft);
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    // The user's other programs may have locked some themselves: on some systems all share it.
    (limit / 2).min(MOST) & !0xfff
}

/// There the system says so when it is asked for too much.
#[cfg(target_vendor = "apple")]
const fn allowed() -> usize {
    MOST
}

fn map(size: usize) -> io::Result<NonNull<u8>> {
    // SAFETY: a new range, at a place of the system's choice.
    let start = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            size,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANON,
            -1,
            0,
        )
    };
    if start == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    if let Err(error) = lock(start, size) {
        // SAFETY: the range that was just made, and that nobody else knows of.
        unsafe { libc::munmap(start, size) };
        return Err(error);
    }
    NonNull::new(start.cast()).ok_or_else(|| io::Error::other("there is no memory"))
}

/// Locks each page when it is first used, and leaves it out of core files.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn lock(start: *mut libc::c_void, size: usize) -> io::Result<()> {
    const MLOCK_ONFAULT: libc::c_uint = 1;
    // SAFETY: the range is this process's own.
    let result = unsafe {
        libc::madvise(start, size, libc::MADV_DONTDUMP);
        libc::syscall(libc::SYS_mlock2, start, size, MLOCK_ONFAULT)
    };
    if result == 0 {
        return Ok(());
    }
    Err(io::Error::last_os_error())
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn lock(start: *mut libc::c_void, size: usize) -> io::Result<()> {
    // SAFETY: the range is this process's own.
    if unsafe { libc::mlock(start, size) } == 0 {
        return Ok(());
    }
    Err(io::Error::last_os_error())
}

impl Pool {
    /// Room for so many bytes; `None` where there is none left.
    fn take(&mut self, length: usize) -> Option<NonNull<u8>> {
        let size = room(length);
        if length == 0 || length > LONGEST {
            return None;
        }
        let place = match self.free.get_mut(&size).and_then(Vec::pop) {
            Some(place) => place,
            None if self.size - self.unused >= size => {
                self.unused += size;
                self.unused - size
            }
            None => return None,
        };
        // SAFETY: it is within the range.
        Some(unsafe { self.start.add(place) })
    }

    fn give_back(&mut self, start: NonNull<u8>, length: usize) {
        let place = start.addr().get() - self.start.addr().get();
        self.free.entry(room(length)).or_default().push(place);
    }
}

/// How much room a text gets: at most an eighth more than it needs, so that the sizes are few.
fn room(length: usize) -> usize {
    let step = (length.next_power_of_two() / 8).max(UNIT);
    length.next_multiple_of(step)
}

fn pool() -> Option<MutexGuard<'static, Pool>> {
    let pool = POOL.get()?;
    Some(pool.lock().unwrap_or_else(PoisonError::into_inner))
}

/// A text, in locked memory where there is any, that is wiped when it is let go of.
pub struct LockedText(Place);

enum Place {
    Heap(Zeroizing<String>),
    Pool { start: NonNull<u8>, length: usize },
}

// SAFETY: the memory is this value's alone, and is written to only when it is made and dropped.
unsafe impl Send for LockedText {}
// SAFETY: the same.
unsafe impl Sync for LockedText {}

impl LockedText {
    /// Takes the text over; what it was in before is wiped.
    #[must_use]
    pub fn new(text: String) -> Self {
        let text = Zeroizing::new(text);
        let length = text.len();
        let Some(start) = pool().and_then(|mut pool| pool.take(length)) else {
            return Self(Place::Heap(text));
        };
        // SAFETY: the room has `length` bytes and is this value's alone.
        unsafe { start.copy_from_nonoverlapping(NonNull::from(text.as_bytes()).cast(), length) };
        Self(Place::Pool { start, length })
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Place::Heap(text) => text,
            Place::Pool { start, length } => {
                // SAFETY: what is there was copied from a string of this length.
                unsafe {
                    let bytes = std::slice::from_raw_parts(start.as_ptr(), *length);
                    std::str::from_utf8_unchecked(bytes)
                }
            }
        }
    }
}

impl Drop for LockedText {
    fn drop(&mut self) {
        if let Place::Pool { start, length } = self.0 {
            // SAFETY: this value's own room, which nobody reads any more.
            unsafe { std::slice::from_raw_parts_mut(start.as_ptr(), length) }.zeroize();
            if let Some(mut pool) = pool() {
                pool.give_back(start, length);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rooms_are_used_again_and_never_twice_at_once() {
        let reserved = reserve_locked_memory();
        let text = |n: usize| format!("{n}").repeat(n % 97 + 1);
        let texts: Vec<LockedText> = (0..2000).map(|n| LockedText::new(text(n))).collect();
        for (n, kept) in texts.iter().enumerate() {
            assert_eq!(kept.as_str(), text(n));
        }
        drop(texts);
        let again: Vec<LockedText> = (0..2000).map(|n| LockedText::new(text(n))).collect();
        assert!(
            again
                .iter()
                .enumerate()
                .all(|(n, it)| it.as_str() == text(n))
        );
        if reserved.is_ok() {
            assert!(matches!(again[1].0, Place::Pool { .. }));
        }
        // What does not fit is kept all the same.
        let long = "x".repeat(LONGEST + 1);
        assert_eq!(LockedText::new(long.clone()).as_str(), long);
        assert_eq!(LockedText::new(String::new()).as_str(), "");
    }

    #[test]
    fn what_was_given_back_is_given_out_again() {
        // Another one than that of the process, which other tests use at the same time.
        let mut pool = Pool {
            start: NonNull::dangling(),
            size: MOST,
            unused: 0,
            free: HashMap::new(),
        };
        let lengths = || (1..2000).map(|n| n * 7 % 900 + 1);
        let taken: Vec<_> = lengths().map(|length| pool.take(length)).collect();
        let used = pool.unused;
        for (room, length) in taken.into_iter().zip(lengths()) {
            pool.give_back(room.unwrap(), length);
        }
        assert!(lengths().all(|length| pool.take(length).is_some()));
        assert_eq!(pool.unused, used);
    }

    #[test]
    fn little_room_is_wasted() {
        for length in 1..LONGEST {
            let room = room(length);
            assert!(room >= length && room.is_multiple_of(UNIT));
            assert!(room - length < UNIT.max(length / 4 + 1), "{length}: {room}");
        }
    }
}
