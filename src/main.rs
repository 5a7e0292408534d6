//! The program: everything is in the library.

/// A server's secrets pass through many buffers; none of them is left as it is.
#[global_allocator]
static ALLOCATOR: pizauth::sys::Wiping = pizauth::sys::Wiping;

fn main() -> std::process::ExitCode {
    pizauth::run().into()
}
