//! The program: everything is in the library.
//!
//! It begins where the C library begins it, not where Rust's runtime would: that reads the whole
//! memory map and sets up stacks for signals first, which costs `show` more than its own work.

#![no_main]
#![expect(unsafe_code, reason = "the name is what the C library calls")]

use std::ffi::{c_char, c_int};

use pizauth::sys::run_program;

/// A server's secrets pass through many buffers; none of them is left as it is.
#[global_allocator]
static ALLOCATOR: pizauth::sys::Wiping = pizauth::sys::Wiping;

/// The beginning of the process.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
extern "C" fn main(count: c_int, arguments: *const *const c_char) -> c_int {
    // SAFETY: this is main.
    unsafe {
        run_program(count, arguments, |arguments| {
            pizauth::run(arguments).code().into()
        })
    }
}
