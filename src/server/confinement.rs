//! What a server gives up once it has all that it needs, and what of that is in force.
//!
//! Knows where systems keep what a resolver, a trust store and the time zones are made of; how
//! something is given up is in [`crate::sys`]. The user's own files are none of that: those which
//! the configuration names are opened by the helper.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::console;
use crate::protocol::Protection;
use crate::sys::{self, Access, Measure};

/// Where systems keep certificates, the resolver's configuration and plug-ins, and time zones, or
/// what the paths to them lead to. All of it is the same for every user of the machine.
const OF_THE_SYSTEM: &[&str] = &[
    "/etc",
    "/usr",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/nix/store",
    "/gnu/store",
    "/opt/etc/ssl",
    "/opt/homebrew/etc",
    "/private/etc",
    "/system/etc",
    "/var/ssl",
    "/var/lib/ca-certificates",
    "/var/run/nscd",
    "/var/run/resolv.conf",
    "/run/systemd/resolve",
    "/run/systemd/machines",
    "/run/resolvconf",
    "/run/NetworkManager",
    "/run/connman",
    "/run/nscd",
    "/dev/urandom",
    "/dev/random",
    "/sys/devices/system/cpu",
];

/// What may be a link to anywhere, and is put there anew with each network.
const RESOLVER: &str = "/etc/resolv.conf";

/// Variables that name a file or a directory of certificates or time zones.
const VARIABLES: [&str; 3] = ["SSL_CERT_FILE", "SSL_CERT_DIR", "TZDIR"];

/// Gives up what a server that serves does not need. To be called while there is one thread.
pub(super) fn confine(runtime_dir: &Path) -> Vec<Protection> {
    let measures = sys::confine(&Access {
        read: readable(),
        read_and_write: vec!["/dev/null".into()],
        remove_within: vec![runtime_dir.to_owned()],
        abstract_sockets: tells_an_abstract_socket(),
    });
    measures.into_iter().map(protection).collect()
}

/// As clients are told of it.
pub(super) fn protection(measure: Measure) -> Protection {
    let reason = measure.outcome.err().map(|error| console::describe(&error));
    if let Some(reason) = &reason {
        log::info!("{}: not in force: {reason}", measure.name);
    }
    Protection {
        name: measure.name.into(),
        in_force: reason.is_none(),
        reason,
    }
}

fn readable() -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = OF_THE_SYSTEM.iter().map(PathBuf::from).collect();
    paths.extend(resolver_dir());
    for name in VARIABLES {
        let value = std::env::var_os(name).unwrap_or_default();
        // Some programs take a list of directories.
        let parts = value.as_bytes().split(|byte| *byte == b':');
        let parts = parts.filter(|part| !part.is_empty());
        paths.extend(parts.flat_map(|part| with_its_place(Path::new(OsStr::from_bytes(part)))));
    }
    paths
}

/// The directory that the resolver's configuration really is in.
fn resolver_dir() -> Option<PathBuf> {
    let real = fs::canonicalize(RESOLVER).ok()?;
    let dir = real.parent()?;
    (dir != Path::new("/")).then(|| dir.to_owned())
}

/// A file and the directory that it is in: it may be replaced by another one. But only where that
/// is the system's, since a user's directory may hold anything.
fn with_its_place(path: &Path) -> Vec<PathBuf> {
    let Ok(real) = fs::canonicalize(path) else {
        return Vec::new();
    };
    let place = real.parent().filter(|dir| is_of_the_system(dir));
    let place = place.map(Path::to_owned);
    [real].into_iter().chain(place).collect()
}

fn is_of_the_system(dir: &Path) -> bool {
    let has_depth = dir.components().count() > 2;
    let is_home = std::env::var_os("HOME").is_some_and(|home| dir == Path::new(&home));
    has_depth && !is_home && fs::metadata(dir).is_ok_and(|it| it.uid() == 0)
}

/// Whether the service manager listens at a socket that no path leads to.
fn tells_an_abstract_socket() -> bool {
    std::env::var_os("NOTIFY_SOCKET").is_some_and(|name| name.as_bytes().starts_with(b"@"))
}
