//! Opens the sockets that the browser comes back to, on loopback only.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use crate::config::Listen;
use crate::console::describe;

/// How often another free port is tried where the first one is free for one family only.
const PORT_TRIES: u32 = 20;

/// Opens the sockets that `listen` asks for; `option` is what it is called in the configuration.
///
/// # Errors
/// Where an address cannot be had; the message names it.
pub(super) fn bind(option: &str, listen: &Listen) -> io::Result<Vec<TcpListener>> {
    let listeners = match listen {
        Listen::Off => Vec::new(),
        Listen::FreePort => bind_free_port()?,
        Listen::At(address) => bind_at(option, *address)?,
    };
    for listener in &listeners {
        listener.set_nonblocking(true)?;
    }
    Ok(listeners)
}

fn bind_at(option: &str, address: SocketAddr) -> io::Result<Vec<TcpListener>> {
    let listener = TcpListener::bind(address).map_err(|error| {
        io::Error::new(
            error.kind(),
            format!(
                "{option} cannot have {address}: {}{}",
                describe(&error),
                remedy(&error)
            ),
        )
    })?;
    let other = sibling(listener.local_addr()?);
    // `localhost` may mean either family; but only the address that was asked for is a must.
    let sibling = TcpListener::bind(other)
        .inspect_err(|error| log::info!("not listening at {other}: {error}"));
    Ok([listener].into_iter().chain(sibling.ok()).collect())
}

/// What to do where an address cannot be had.
fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => ": choose another port, or end the program that listens there",
        io::ErrorKind::PermissionDenied => ": choose a port from 1024 on",
        _ => "",
    }
}

fn bind_free_port() -> io::Result<Vec<TcpListener>> {
    let free = |error: io::Error| {
        io::Error::new(
            error.kind(),
            format!("no port for the redirect listener: {}", describe(&error)),
        )
    };
    let mut last = None;
    for _ in 0..PORT_TRIES {
        let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)) else {
            break;
        };
        match TcpListener::bind(sibling(listener.local_addr()?)) {
            Ok(other) => return Ok(vec![listener, other]),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => last = Some(listener),
            // This machine has no IPv6.
            Err(_) => return Ok(vec![listener]),
        }
    }
    match last {
        Some(listener) => Ok(vec![listener]),
        None => Ok(vec![
            TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).map_err(free)?,
        ]),
    }
}

/// The other family's loopback address with the same port.
fn sibling(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(_) => (Ipv6Addr::LOCALHOST, address.port()).into(),
        SocketAddr::V6(_) => (Ipv4Addr::LOCALHOST, address.port()).into(),
    }
}
