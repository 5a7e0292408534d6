//! Whether a configuration file can be trusted: it names commands that the server has run, and may
//! have secrets in it.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::{getegid, geteuid};

use super::error::FileProblem;
use super::{ClientAuth, Config, SecretSource};

/// The bits of a mode.
const GROUP_WRITES: u32 = 0o020;
const OTHERS_WRITE: u32 = 0o002;
const NOT_FOR_THE_OWNER: u32 = 0o044;

/// Checks a file by what the system says of it once it is open, so that it cannot be exchanged
/// afterwards. Pipes and the like are the affair of whoever set them up.
pub(super) fn check(file: &Metadata) -> Result<(), FileProblem> {
    let us = geteuid().as_raw();
    if !file.is_file() {
        return Ok(());
    }
    if file.uid() != us && file.uid() != 0 {
        return Err(FileProblem::NotOurs(file.uid()));
    }
    let by_group = file.mode() & GROUP_WRITES != 0 && !is_own_group(file.gid());
    if by_group || file.mode() & OTHERS_WRITE != 0 {
        return Err(FileProblem::Writable);
    }
    Ok(())
}

/// Where each user has a group of the same number, nobody else is in it, and files are made
/// writable for it as a matter of course.
fn is_own_group(group: u32) -> bool {
    group == getegid().as_raw() && group == geteuid().as_raw()
}

/// A warning for the user where other users can read the client secrets that are written in the
/// file at `path`, which `config` was read from.
#[must_use]
pub fn exposed_secrets(path: &Path, config: &Config) -> Option<String> {
    let has_secret = config.accounts.iter().any(|account| {
        matches!(
            account.authority.client_auth,
            ClientAuth::Post(SecretSource::Written(_))
                | ClientAuth::Basic(SecretSource::Written(_))
        )
    });
    let file = std::fs::metadata(path).ok().filter(Metadata::is_file)?;
    let readable = file.mode() & NOT_FOR_THE_OWNER != 0;
    (has_secret && readable).then(|| {
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
        assert_eq!(checked.is_ok(), is_own_group(group));
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
