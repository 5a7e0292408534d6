//! What Rust's runtime would do around `main`, as far as this program needs it.

use std::ffi::{CStr, OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;

/// The exit code of a program that panicked, as Rust's runtime has it.
const PANICKED: i32 = 101;

/// Runs `program` with the arguments: the standard descriptors are open, a closed pipe is an error
/// and not the end, and a panic has an exit code. Returns what `program` does.
///
/// What Rust's runtime does beside that is left out: it looks for the end of the stack and sets up
/// another one for signals, in order to say so when the stack is used up. The process is killed all
/// the same then, by the page that the kernel keeps free below it.
///
/// # Safety
/// `count` and `arguments` must be what the C library gives to `main`.
#[expect(unsafe_code, reason = "only main knows what the arguments are")]
pub unsafe fn run_program(
    count: libc::c_int,
    arguments: *const *const libc::c_char,
    program: impl FnOnce(Vec<OsString>) -> i32 + std::panic::UnwindSafe,
) -> i32 {
    open_standard_descriptors();
    ignore_closed_pipes();
    let argument = |index| {
        // SAFETY: main is given so many pointers to texts that live as long as the process.
        let text = unsafe { CStr::from_ptr(*arguments.add(index)) };
        OsStr::from_bytes(text.to_bytes()).to_owned()
    };
    let arguments = (0..usize::try_from(count).unwrap_or(0)).map(argument);
    let arguments: Vec<OsString> = arguments.collect();
    std::panic::catch_unwind(|| program(arguments)).unwrap_or(PANICKED)
}

/// Whoever starts a program may have closed its standard descriptors. What it opens itself would
/// take their place then, and a token be written to a socket.
///
/// In the place of standard output comes what cannot be written to: a dump that went nowhere is no
/// success.
#[expect(unsafe_code, reason = "numbers that may or may not be descriptors")]
fn open_standard_descriptors() {
    for number in 0..3 {
        // SAFETY: no memory is passed, but for a path that ends with a NUL. The lowest number that
        // is free is the one that open gives.
        unsafe {
            if libc::fcntl(number, libc::F_GETFD) == -1 {
                let access = match number {
                    libc::STDOUT_FILENO => libc::O_RDONLY,
                    _ => libc::O_RDWR,
                };
                libc::open(c"/dev/null".as_ptr(), access);
            }
        }
    }
}

#[expect(unsafe_code, reason = "signal has no safe wrapper")]
fn ignore_closed_pipes() {
    // SAFETY: ignoring a signal runs no code.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(unsafe_code, reason = "it is given what the C library gives")]
    fn run(program: impl FnOnce(Vec<OsString>) -> i32 + std::panic::UnwindSafe) -> i32 {
        let arguments = [c"pizauth".as_ptr(), c"\xff ".as_ptr(), std::ptr::null()];
        // SAFETY: there are two texts, and they live as long as the process.
        unsafe { run_program(2, arguments.as_ptr(), program) }
    }

    #[test]
    fn arguments_are_taken_as_they_are() {
        let code = run(|arguments| {
            assert_eq!(
                arguments,
                [OsStr::new("pizauth"), OsStr::from_bytes(b"\xff ")]
            );
            7
        });
        assert_eq!(code, 7);
    }

    #[test]
    fn a_panic_has_the_exit_code_that_it_has_elsewhere() {
        assert_eq!(run(|_| panic!("on purpose")), PANICKED);
    }
}
