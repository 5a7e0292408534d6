//! The configuration file and the runtime directory: whose they are, and who else gets at them.
//!
//! Judges facts about files; looks at no file itself, and at nothing that is in one.

use std::path::PathBuf;

use super::finding::{Area, Finding};
use crate::config::{Access, FileProblem, User};

/// The bit by which anyone can write.
const ANYONE_WRITES: u32 = 0o002;
/// The bits by which anyone but the owner can do anything.
const OTHERS: u32 = 0o077;
/// The bit of a directory in which only a file's owner can replace it.
const STICKY: u32 = 0o1000;

/// A file, or a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileFacts {
    pub(super) path: PathBuf,
    pub(super) access: Access,
}

/// What would be given away with the configuration file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// A client's secret.
    Secret,
    Nothing,
    /// It cannot be understood.
    Unknown,
}

/// Judges the configuration file that `user` has.
pub(super) fn config(file: &FileFacts, user: User, content: Content) -> Vec<Finding> {
    let distrusted = file.access.distrusted(user);
    let mut findings: Vec<Finding> = distrusted
        .map(|problem| distrusted_config(file, &problem))
        .collect();
    if file.access.is_exposed(user) {
        findings.extend(readable(file, content));
    }
    findings
}

fn distrusted_config(file: &FileFacts, problem: &FileProblem) -> Finding {
    let advice = match problem {
        FileProblem::NotOurs(_) => {
            "make it your own: copy it, and put the copy in its place".into()
        }
        _ => format!("chmod 600 {}", file.path.display()),
    };
    let text = format!("{} {problem}", file.path.display());
    Finding::problem(Area::Configuration, text).advise(advice)
}

fn readable(file: &FileFacts, content: Content) -> Option<Finding> {
    let path = file.path.display();
    let area = Area::Configuration;
    match content {
        Content::Secret => Some(
            Finding::problem(area, format!("{path} has a client_secret in it, and others on this machine can read it (mode {:03o})", file.access.mode & 0o777))
                .advise(format!("chmod 600 {path}")),
        ),
        Content::Unknown => Some(
            Finding::note(area, format!("others on this machine can read {path}"))
                .advise(format!("if there is a client_secret in it: chmod 600 {path}")),
        ),
        Content::Nothing => None,
    }
}

/// Judges the directory that the configuration file is in.
pub(super) fn config_dir(dir: &FileFacts, user: User) -> Option<Finding> {
    let path = dir.path.display();
    let Access { owner, mode, .. } = dir.access;
    if owner != user.id && owner != 0 {
        let text = format!(
            "the directory {path} belongs to the user with id {owner}, who can replace the configuration in it"
        );
        return Some(
            Finding::problem(Area::Configuration, text)
                .advise("keep the configuration in a directory of your own"),
        );
    }
    let is_open = mode & ANYONE_WRITES != 0 && mode & STICKY == 0;
    is_open.then(|| {
        Finding::problem(
            Area::Configuration,
            format!("everybody on this machine can replace files in {path}, the configuration too"),
        )
        .advise(format!("chmod go-w {path}"))
    })
}

/// Judges the file with the private key for https.
pub(super) fn https_key(file: &FileFacts, user: User) -> Option<Finding> {
    let path = file.path.display();
    file.access.is_exposed(user).then(|| {
        let text = format!("others on this machine can read the private key in {path}");
        Finding::problem(Area::Configuration, text).advise(format!("chmod 600 {path}"))
    })
}

/// What is where the runtime directory should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Nothing,
    /// Nor is the directory above it.
    NoParent,
    Link,
    NotADirectory,
    Directory(FileFacts),
    /// The system does not tell, for this reason.
    Unknown(String),
}

/// Where the runtime directory's place comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// `XDG_RUNTIME_DIR` names it.
    Variable,
    /// That is set, to something that is not an absolute path.
    BadVariable,
    /// It is not set; the session's own directory was found.
    Session,
    /// Nor is there one.
    Temporary,
}

/// Judges the runtime directory.
pub(super) fn runtime_dir(path: &str, found: &Found, origin: Origin, user: User) -> Vec<Finding> {
    let mut findings = vec![dir(path, found, user)];
    let area = Area::RuntimeDir;
    const SAME: &str =
        "the server and the programs that ask it must be started with the same XDG_RUNTIME_DIR";
    match origin {
        Origin::Variable | Origin::Session => {}
        Origin::BadVariable => findings.push(
            Finding::note(area, "XDG_RUNTIME_DIR is not an absolute path, and so is ignored")
                .advise("correct or unset it"),
        ),
        Origin::Temporary => findings.push(
            Finding::note(area, format!("XDG_RUNTIME_DIR is not set, and there is no directory of the session: {path} is used"))
                .advise(SAME),
        ),
    }
    findings
}

fn dir(path: &str, found: &Found, user: User) -> Finding {
    let area = Area::RuntimeDir;
    match found {
        Found::Nothing => Finding::good(
            area,
            format!("{path} does not exist yet: the server makes it"),
        ),
        Found::NoParent => Finding::problem(
            area,
            format!("neither {path} nor the directory above it exists"),
        )
        .advise("correct or unset XDG_RUNTIME_DIR (or TMPDIR)"),
        Found::Link => Finding::problem(
            area,
            format!("{path} is a symbolic link, which the server does not trust"),
        )
        .advise("remove it: the server makes a directory in its place"),
        Found::NotADirectory => Finding::problem(area, format!("{path} is not a directory"))
            .advise("remove it: the server makes a directory in its place"),
        Found::Unknown(why) => Finding::problem(area, format!("cannot look at {path}: {why}"))
            .advise("check the directories above it"),
        Found::Directory(facts) if facts.access.owner != user.id => Finding::problem(
            area,
            format!("{path} belongs to the user with id {}", facts.access.owner),
        )
        .advise("remove it, or set XDG_RUNTIME_DIR to a directory of your own"),
        Found::Directory(facts) if facts.access.mode & OTHERS != 0 => Finding::problem(
            area,
            format!(
                "others on this machine get into {path} (mode {:03o})",
                facts.access.mode & 0o777
            ),
        )
        .advise(format!("chmod 700 {path}")),
        Found::Directory(_) => Finding::good(area, format!("{path} is yours alone")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict::{Good, Note, Problem};
    use super::super::testing::{assert_one, told};
    use super::*;

    const ME: u32 = 1000;
    const USER: User = User { id: ME, group: ME };

    fn file(owner: u32, mode: u32) -> FileFacts {
        FileFacts {
            path: "/c".into(),
            access: Access {
                owner,
                group: 100,
                mode,
            },
        }
    }

    #[test]
    fn the_configuration_file() {
        let judge = |owner, mode, content| config(&file(owner, mode), USER, content);
        for (owner, mode, content) in [
            (ME, 0o600, Content::Secret),
            (ME, 0o644, Content::Nothing),
            (0, 0o600, Content::Secret),
            (ME, 0o400, Content::Unknown),
        ] {
            assert_eq!(told(&judge(owner, mode, content)), []);
        }
        for mode in [0o640, 0o604, 0o644] {
            assert_one(&judge(ME, mode, Content::Secret), Problem, "chmod 600 /c");
        }
        assert_one(&judge(0, 0o444, Content::Secret), Problem, "mode 444");
        assert_one(&judge(ME, 0o644, Content::Unknown), Note, "client_secret");
        assert_one(&judge(ME, 0o602, Content::Nothing), Problem, "other users");
        // The server refuses it.
        assert_one(&judge(ME, 0o664, Content::Nothing), Problem, "other users");
        let mut own_group = file(ME, 0o664);
        own_group.access.group = ME;
        assert_eq!(told(&config(&own_group, USER, Content::Nothing)), []);
        assert_one(&judge(7, 0o600, Content::Nothing), Problem, "id 7");
        assert_eq!(judge(7, 0o666, Content::Secret).len(), 3);
    }

    #[test]
    fn what_is_around_it() {
        let judge = |owner, mode| config_dir(&file(owner, mode), USER);
        assert_eq!(judge(ME, 0o755), None);
        assert_eq!(judge(0, 0o1777), None);
        assert_one(&[judge(ME, 0o777).unwrap()], Problem, "chmod go-w");
        assert_one(&[judge(8, 0o700).unwrap()], Problem, "id 8");
        assert_eq!(https_key(&file(ME, 0o600), USER), None);
        // For a group of those who may have it.
        assert_eq!(https_key(&file(0, 0o640), USER), None);
        assert_one(
            &[https_key(&file(ME, 0o640), USER).unwrap()],
            Problem,
            "chmod 600",
        );
    }

    #[test]
    fn the_runtime_directory() {
        let judge = |found: Found| runtime_dir("/r", &found, Origin::Variable, USER);
        assert_one(&judge(Found::Nothing), Good, "the server makes it");
        assert_one(&judge(Found::NoParent), Problem, "XDG_RUNTIME_DIR");
        assert_one(&judge(Found::Link), Problem, "symbolic link");
        assert_one(&judge(Found::NotADirectory), Problem, "remove it");
        assert_one(&judge(Found::Unknown("no".into())), Problem, "no");
        let dir = |owner, mode| Found::Directory(file(owner, mode));
        assert_one(&judge(dir(ME, 0o700)), Good, "yours alone");
        assert_one(&judge(dir(ME, 0o750)), Problem, "chmod 700 /r");
        assert_one(&judge(dir(5, 0o700)), Problem, "id 5");
    }

    #[test]
    fn where_the_runtime_directory_comes_from() {
        let count = |origin| runtime_dir("/r", &Found::Nothing, origin, USER).len();
        assert_eq!(count(Origin::Session), 1);
        assert_eq!(count(Origin::BadVariable), 2);
        assert_eq!(count(Origin::Temporary), 2);
    }
}
