//! What the helper may do: run the commands, and open the files, that the configuration names.
//! Knows no secret of it.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use serde::{Deserialize, Serialize};

use crate::config::{self, Account, ClientAuth, Config, HttpsCertificate, SecretSource};

/// Variables of commands begin with this, so that none can change what a shell does.
const PREFIX: &str = "PIZAUTH_";

/// What the configuration names.
#[derive(Default, Serialize, Deserialize)]
pub(in crate::server) struct Known {
    /// The configuration file's own path.
    config: Vec<u8>,
    now: Named,
    /// What the configuration before that named: a command of it may still be queued.
    before: Named,
    /// What those name that are not in force yet, each with its number: whether the files are good
    /// has to be found out.
    #[serde(skip)]
    offers: Vec<(u64, Named)>,
    /// The last of the numbers.
    #[serde(skip)]
    last_offer: u64,
    #[cfg(test)]
    #[serde(skip)]
    everything: bool,
}

#[derive(Default, Serialize, Deserialize)]
pub(super) struct Named {
    commands: HashSet<String>,
    files: HashSet<Vec<u8>>,
}

/// A file that was opened.
pub(super) struct Opened {
    /// What the server gets.
    pub(super) file: File,
    /// Where it is the configuration: the same, to look what it names.
    pub(super) config: Option<File>,
}

impl Known {
    /// What this configuration, which was read from `path`, names.
    pub(in crate::server) fn of(path: &Path, config: &Config) -> Self {
        Self {
            config: path.as_os_str().as_bytes().to_vec(),
            now: Named::by(config),
            ..Self::default()
        }
    }

    #[cfg(test)]
    pub(in crate::server) fn everything() -> Self {
        Self {
            everything: true,
            ..Self::default()
        }
    }

    /// Whether a command may be run with these variables.
    pub(super) fn has_command<'a>(
        &self,
        script: &str,
        mut variables: impl Iterator<Item = &'a str>,
    ) -> bool {
        #[cfg(test)]
        if self.everything {
            return true;
        }
        let named = [&self.now, &self.before];
        named.iter().any(|named| named.commands.contains(script))
            && variables.all(|name| name.starts_with(PREFIX))
    }

    /// What is at this path; `None` where the configuration does not name it.
    pub(super) fn place(&self, path: &[u8]) -> Option<Place> {
        if path == self.config {
            return Some(Place::Config);
        }
        let offered = self.offers.iter().map(|(_, named)| named);
        let mut named = [&self.now, &self.before].into_iter().chain(offered);
        let is_named = named.any(|named| named.files.contains(path));
        is_named.then_some(Place::Named)
    }

    /// Takes note of what a configuration names that may be put in force, under a number.
    pub(super) fn offer(&mut self, named: Named) -> u64 {
        self.last_offer += 1;
        self.offers.push((self.last_offer, named));
        self.last_offer
    }

    /// Puts in force what was offered.
    pub(super) fn adopt(&mut self, offer: u64) {
        if let Some(named) = self.withdraw(offer) {
            self.before = std::mem::replace(&mut self.now, named);
        }
    }

    /// Forgets what was offered.
    pub(super) fn withdraw(&mut self, offer: u64) -> Option<Named> {
        let at = self
            .offers
            .iter()
            .position(|(number, _)| *number == offer)?;
        Some(self.offers.swap_remove(at).1)
    }
}

/// What the server may have opened.
pub(super) enum Place {
    /// The configuration itself.
    Config,
    /// A file that it names.
    Named,
}

impl Place {
    /// Opens what is at this path.
    ///
    /// # Errors
    /// Where it cannot be opened.
    pub(super) fn open(self, path: &[u8]) -> io::Result<Opened> {
        let path = Path::new(OsStr::from_bytes(path));
        match self {
            Self::Config => open_config(path),
            Self::Named => Ok(Opened {
                file: File::open(path)?,
                config: None,
            }),
        }
    }
}

/// Opens the configuration for the server and for this process, each of which reads it from its
/// beginning.
fn open_config(path: &Path) -> io::Result<Opened> {
    /// Whoever puts another file in its place does not do so again and again.
    const TRIES: usize = 10;
    /// What can be read only once cannot be read by two; and nobody waits for its writer.
    const READ_ONCE: &str = "it is not a regular file, which a running server cannot read again";
    let open = |path| {
        let mut options = OpenOptions::new();
        let nonblocking = OFlag::O_NONBLOCK.bits();
        options.read(true).custom_flags(nonblocking).open(path)
    };
    for _ in 0..TRIES {
        let file = open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other(READ_ONCE));
        }
        let config = open(path)?;
        let other = config.metadata()?;
        if (metadata.dev(), metadata.ino()) == (other.dev(), other.ino()) {
            let config = Some(config);
            return Ok(Opened { file, config });
        }
    }
    Err(io::Error::other("it is another file each time"))
}

impl Named {
    /// What the configuration names that was opened at `path`.
    ///
    /// # Errors
    /// Where it has mistakes: all of them, in words for people. The server may find none, where
    /// they are in a file that it could not see.
    pub(super) fn read(config: &File, path: &[u8]) -> io::Result<Self> {
        let read = config::load_from(config, Path::new(OsStr::from_bytes(path)));
        let config = read.map_err(|error| io::Error::other(error.to_string()))?;
        Ok(Self::by(&config))
    }

    fn by(config: &Config) -> Self {
        let global = [
            &config.auth_notify_cmd,
            &config.error_notify_cmd,
            &config.token_event_cmd,
            &config.persist_cmd,
            &config.restore_cmd,
            &config.startup_cmd,
        ];
        let accounts = || config.accounts.iter().map(AsRef::as_ref);
        let mut commands: HashSet<String> = global.into_iter().flatten().cloned().collect();
        commands.extend(accounts().flat_map(commands_of).cloned());
        let own = accounts().filter_map(|account: &Account| account.ca_file.clone());
        let mut files: Vec<PathBuf> = own.collect();
        if let HttpsCertificate::Files { cert, key } = &config.https_certificate {
            files.extend([cert.clone(), key.clone()]);
        }
        let bytes = |path: PathBuf| path.into_os_string().as_bytes().to_vec();
        Self {
            commands,
            files: files.into_iter().map(bytes).collect(),
        }
    }
}

fn commands_of(account: &Account) -> impl Iterator<Item = &String> {
    let secret = match &account.authority.client_auth {
        ClientAuth::Post(SecretSource::Command(script))
        | ClientAuth::Basic(SecretSource::Command(script)) => Some(script),
        _ => None,
    };
    account.transient_error_if_cmd.iter().chain(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Known {
        let text = "persist_cmd = \"keep\"; account \"a\" { auth_uri = \"http://localhost/a\"; \
                    token_uri = \"http://localhost/t\"; client_id = \"c\"; \
                    transient_error_if_cmd = \"probe\"; }";
        let config = config::parse(text, "/none/pizauth.conf").unwrap();
        Known::of(Path::new("/none/pizauth.conf"), &config)
    }

    #[test]
    fn only_what_is_configured_is_run() {
        let known = known();
        for script in ["keep", "probe"] {
            assert!(known.has_command(script, ["PIZAUTH_URL"].into_iter()));
            assert!(!known.has_command(script, ["PIZAUTH_URL", "BASH_ENV"].into_iter()));
        }
        assert!(!known.has_command("keep; cat ~/.ssh/id_ed25519", std::iter::empty()));
    }

    #[test]
    fn the_configuration_is_read_by_both() {
        use std::io::Read as _;
        let name = format!("pizauth-known-{}.conf", std::process::id());
        let path = std::env::temp_dir().join(name);
        let text = "persist_cmd = \"another\"; account \"a\" { auth_uri = \"http://localhost/a\"; \
                    token_uri = \"http://localhost/t\"; client_id = \"c\"; }";
        std::fs::write(&path, text).unwrap();
        let mut known = known();
        known.config = path.as_os_str().as_bytes().to_vec();
        let config = known.config.clone();
        let opened = known.place(&config).unwrap().open(&config).unwrap();
        assert!(!known.has_command("another", std::iter::empty()));
        let named = Named::read(&opened.config.unwrap(), &config).unwrap();
        let offer = known.offer(named);
        let other = known.offer(Named::default());
        assert!(!known.has_command("another", std::iter::empty()));
        known.withdraw(other);
        known.adopt(offer);
        known.adopt(other);
        // A command that was configured before may still be queued.
        for script in ["another", "keep"] {
            assert!(known.has_command(script, std::iter::empty()));
        }
        let mut read = String::new();
        (&opened.file).read_to_string(&mut read).unwrap();
        assert_eq!(read, text);
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn only_what_is_configured_is_opened() {
        let known = known();
        assert!(known.place(b"/etc/passwd").is_none());
        let config = b"/none/pizauth.conf";
        assert!(known.place(config).unwrap().open(config).is_err());
    }
}
