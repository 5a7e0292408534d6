//! Whether files can be trusted, by whose they are and by who else gets at them: a configuration
//! names commands that the server has run, and may have secrets in it. The rules are here for
//! whoever reads such a file and for whoever tells people about it.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::{getegid, geteuid};

use super::Config;
use super::error::FileProblem;

/// The bits of a mode.
const GROUP_WRITES: u32 = 0o020;
const OTHERS_WRITE: u32 = 0o002;
const GROUP_READS: u32 = 0o040;
const OTHERS_READ: u32 = 0o004;

/// Whose a file is, and what its mode allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// The id of the user it belongs to.
    pub owner: u32,
    /// The id of its group.
    pub group: u32,
    /// The permissions.
    pub mode: u32,
}

/// Who runs pizauth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct User {
    /// The user's id.
    pub id: u32,
    /// The id of the user's own group.
    pub group: u32,
}

impl User {
    /// The one that this process runs as.
    #[must_use]
    pub fn of_process() -> Self {
        Self {
            id: geteuid().as_raw(),
            group: getegid().as_raw(),
        }
    }

    /// Where each user has a group of the same number, nobody else is in it, and files are made
    /// writable for it as a matter of course.
    const fn is_alone_in(self, group: u32) -> bool {
        group == self.group && group == self.id
    }
}

impl Access {
    /// What the system says of a file.
    #[must_use]
    pub fn to(file: &Metadata) -> Self {
        Self {
            owner: file.uid(),
            group: file.gid(),
            mode: file.mode(),
        }
    }

    /// Why `user` cannot trust what is in the file: for each reason, a configuration is refused.
    pub fn distrusted(self, user: User) -> impl Iterator<Item = FileProblem> {
        let is_strange = self.owner != user.id && self.owner != 0;
        let by_group = self.mode & GROUP_WRITES != 0 && !user.is_alone_in(self.group);
        let is_writable = by_group || self.mode & OTHERS_WRITE != 0;
        let strange = is_strange.then_some(FileProblem::NotOurs(self.owner));
        let writable = is_writable.then_some(FileProblem::Writable);
        strange.into_iter().chain(writable)
    }

    /// Whether others than `user` can read the file. A group that was given somebody else's file on
    /// purpose may.
    #[must_use]
    pub const fn is_exposed(self, user: User) -> bool {
        let readers = if self.owner == user.id {
            GROUP_READS | OTHERS_READ
        } else {
            OTHERS_READ
        };
        self.mode & readers != 0
    }
}

/// Checks a configuration file by what the system says of it once it is open, so that it cannot be
/// exchanged afterwards. Pipes and the like are the affair of whoever set them up.
pub(super) fn check(file: &Metadata) -> Result<(), FileProblem> {
    if !file.is_file() {
        return Ok(());
    }
    let mut distrusted = Access::to(file).distrusted(User::of_process());
    distrusted.next().map_or(Ok(()), Err)
}

/// A warning for the user where other users can read the client secrets that are written in the
/// file at `path`, which `config` was read from.
#[must_use]
pub fn exposed_secrets(path: &Path, config: &Config) -> Option<String> {
    let file = std::fs::metadata(path).ok().filter(Metadata::is_file)?;
    let is_exposed = Access::to(&file).is_exposed(User::of_process());
    (config.has_secrets() && is_exposed).then(|| {
        format!(
            "others can read the client secrets in {0}: run 'chmod 600 {0}', or use \
             client_secret_cmd",
            path.display()
        )
    })
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn with_mode(mode: u32) -> (std::path::PathBuf, Result<(), FileProblem>) {
        let name = format!("pizauth-trust-{}-{mode:o}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let checked = check(&File::open(&path).unwrap().metadata().unwrap());
        (path, checked)
    }

    #[test]
    fn what_others_can_change_is_not_trusted() {
        for (mode, trusted) in [(0o600, true), (0o644, true), (0o646, false), (0o602, false)] {
            let (path, checked) = with_mode(mode);
            fs::remove_file(path).unwrap();
            assert_eq!(checked.is_ok(), trusted, "{mode:o}");
        }
        let (path, checked) = with_mode(0o664);
        let group = fs::metadata(&path).unwrap().gid();
        fs::remove_file(path).unwrap();
        assert_eq!(checked.is_ok(), User::of_process().is_alone_in(group));
    }

    #[test]
    fn whose_it_is_decides_who_may_read() {
        let user = User {
            id: 1000,
            group: 1000,
        };
        for (owner, mode, exposed) in [
            (1000, 0o600, false),
            (1000, 0o640, true),
            (1000, 0o604, true),
            (0, 0o640, false),
            (0, 0o644, true),
        ] {
            let group = 7;
            let access = Access { owner, group, mode };
            assert_eq!(access.is_exposed(user), exposed, "{access:?}");
        }
    }

    #[test]
    fn what_others_can_read_is_told_where_it_is_secret() {
        let account = |more: &str| {
            let text = format!(
                "account \"a\" {{ auth_uri = \"http://localhost/a\"; \
                 token_uri = \"http://localhost/t\"; client_id = \"c\"; {more} }}"
            );
            super::super::parse(&text, "none").unwrap()
        };
        let secret = account("client_secret = \"s\";");
        let (path, _) = with_mode(0o640);
        assert!(exposed_secrets(&path, &secret).is_some());
        assert!(exposed_secrets(&path, &account("")).is_none());
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        assert!(exposed_secrets(&path, &secret).is_none());
        fs::remove_file(path).unwrap();
    }
}
