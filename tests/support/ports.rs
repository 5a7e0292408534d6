//! Ports that nobody else takes while a test is about to use them.

use std::net::{Ipv4Addr, Ipv6Addr, TcpStream};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

/// Below what systems give out by themselves, to connections and to whoever asks for any port: of
/// those, one that is free now may be somebody's in a moment.
const FIRST: u32 = 10_000;
const COUNT: u32 = 20_000;

/// A port on loopback where nobody listens, another one each time.
pub fn free_port() -> u16 {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    loop {
        // Test programs that run at once begin far from each other.
        let nth = process::id()
            .wrapping_mul(61)
            .wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed));
        let port = u16::try_from(FIRST + nth % COUNT).unwrap();
        if is_free(port) {
            return port;
        }
    }
}

/// Asks by connecting: a listener, even a closed one, stays for as long as a process that another
/// test is just starting has inherited it.
pub fn is_free(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err()
        && TcpStream::connect((Ipv6Addr::LOCALHOST, port)).is_err()
}
