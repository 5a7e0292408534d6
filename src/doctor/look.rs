//! Looks at this machine: files, directories and the listeners. Judges nothing.

use std::fs;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use super::files::{FileFacts, Found, Origin};
use super::listeners::Listener;
use crate::config::Access;
use crate::console::describe;
use crate::paths::RuntimePaths;
use crate::protocol::ServerInfo;

/// How long a connection on this machine may take: far longer than it does.
const LOCAL_LIMIT: Duration = Duration::from_secs(2);

/// What is at `path`, through symbolic links.
pub(super) fn file(path: &Path) -> Option<FileFacts> {
    Some(facts(path, &fs::metadata(path).ok()?))
}

fn facts(path: &Path, metadata: &fs::Metadata) -> FileFacts {
    FileFacts {
        path: path.to_owned(),
        access: Access::to(metadata),
    }
}

/// What is where the runtime directory should be.
pub(super) fn runtime_dir(dir: &Path) -> Found {
    match fs::symlink_metadata(dir) {
        Ok(metadata) if metadata.is_symlink() => Found::Link,
        Ok(metadata) if !metadata.is_dir() => Found::NotADirectory,
        Ok(metadata) => Found::Directory(facts(dir, &metadata)),
        Err(error) if error.kind() == ErrorKind::NotFound => match dir.parent() {
            Some(parent) if !parent.is_dir() => Found::NoParent,
            _ => Found::Nothing,
        },
        Err(error) => Found::Unknown(describe(&error)),
    }
}

/// Where its place comes from.
pub(super) fn origin(paths: &RuntimePaths) -> Origin {
    let variable = std::env::var_os("XDG_RUNTIME_DIR").filter(|it| !it.is_empty());
    match variable {
        Some(path) if Path::new(&path).is_absolute() => Origin::Variable,
        Some(_) => Origin::BadVariable,
        // That of the session has pizauth's own directory in it; among the temporary files it is
        // named after the user.
        None if paths.dir.ends_with("pizauth") => Origin::Session,
        None => Origin::Temporary,
    }
}

/// Connects to the server's listeners; where a browser may take `localhost` for another address
/// than theirs, to that too.
pub(super) fn listeners(info: &ServerInfo, is_named_localhost: bool) -> Vec<Listener> {
    let all = [(&info.http_listen, false), (&info.https_listen, true)];
    let mut listeners = Vec::new();
    for (addresses, is_https) in all {
        let ours: Vec<SocketAddr> = addresses.iter().filter_map(|it| it.parse().ok()).collect();
        listeners.extend(ours.iter().map(|&address| {
            Listener {
                address,
                is_https,
                unreachable: connect(address).err(),
                taken_by_another: twin(address)
                    .filter(|twin| is_named_localhost && !ours.contains(twin))
                    .filter(|&twin| connect(twin).is_ok()),
            }
        }));
    }
    listeners
}

fn connect(address: SocketAddr) -> Result<(), String> {
    TcpStream::connect_timeout(&address, LOCAL_LIMIT)
        .map(drop)
        .map_err(|error| describe(&error))
}

/// What else `localhost` may stand for.
fn twin(address: SocketAddr) -> Option<SocketAddr> {
    let other = match address.ip() {
        IpAddr::V4(Ipv4Addr::LOCALHOST) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        IpAddr::V6(Ipv6Addr::LOCALHOST) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        _ => return None,
    };
    Some((other, address.port()).into())
}
