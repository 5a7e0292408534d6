//! The configuration file and the runtime directory: whose they are, and who else gets at them.
//!
//! Judges facts about files; looks at no file itself, and at nothing that is in one.

use std::path::PathBuf;

use super::finding::{Area, Finding};

/// The bits of a mode by which others than the owner can read.
const OTHERS_READ: u32 = 0o044;
/// The bit by which anyone can write.
const ANYONE_WRITES: u32 = 0o002;
/// The bit by which the group can write.
const GROUP_WRITES: u32 = 0o020;
/// The bits by which anyone but the owner can do anything.
const OTHERS: u32 = 0o077;
/// The bit of a directory in which only a file's owner can replace it.
const STICKY: u32 = 0o1000;

/// A file, or a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileFacts {
    pub(super) path: PathBuf,
    pub(super) owner: u32,
    /// The permissions.
    pub(super) mode: u32,
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
pub(super) fn config(file: &FileFacts, user: u32, content: Content) -> Vec<Finding> {
    let path = file.path.display();
    let area = Area::Configuration;
    let mut findings = Vec::new();
    if file.owner != user && file.owner != 0 {
        findings.push(
            Finding::problem(area, format!("{path} belongs to the user with id {}, who can put commands into it that pizauth runs for you", file.owner))
                .advise("make it your own: copy it, and put the copy in its place"),
        );
    }
    if file.mode & ANYONE_WRITES != 0 {
        findings.push(
            Finding::problem(area, format!("everybody on this machine can write to {path}, and put commands into it that pizauth runs for you"))
                .advise(format!("chmod 600 {path}")),
        );
    } else if file.mode & GROUP_WRITES != 0 {
        findings.push(
            Finding::note(area, format!("the members of a group can write to {path}, and put commands into it that pizauth runs for you"))
                .advise(format!("unless you are alone in the group: chmod 600 {path}")),
        );
    }
    if file.mode & OTHERS_READ != 0 {
        findings.extend(readable(file, content));
    }
    findings
}

fn readable(file: &FileFacts, content: Content) -> Option<Finding> {
    let path = file.path.display();
    let area = Area::Configuration;
    match content {
        Content::Secret => Some(
            Finding::problem(area, format!("{path} has a client_secret in it, and others on this machine can read it (mode {:03o})", file.mode & 0o777))
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
pub(super) fn config_dir(dir: &FileFacts, user: u32) -> Option<Finding> {
    let path = dir.path.display();
    if dir.owner != user && dir.owner != 0 {
        let text = format!(
            "the directory {path} belongs to the user with id {}, who can replace the configuration in it",
            dir.owner
        );
        return Some(
            Finding::problem(Area::Configuration, text)
                .advise("keep the configuration in a directory of your own"),
        );
    }
    let is_open = dir.mode & ANYONE_WRITES != 0 && dir.mode & STICKY == 0;
    is_open.then(|| {
        Finding::problem(
            Area::Configuration,
            format!("everybody on this machine can replace files in {path}, the configuration too"),
        )
        .advise(format!("chmod go-w {path}"))
    })
}

/// Judges the file with the private key for https.
pub(super) fn https_key(file: &FileFacts) -> Option<Finding> {
    let path = file.path.display();
    (file.mode & OTHERS_READ != 0).then(|| {
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
pub(super) fn runtime_dir(path: &str, found: &Found, origin: Origin, user: u32) -> Vec<Finding> {
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

fn dir(path: &str, found: &Found, user: u32) -> Finding {
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
        Found::Directory(facts) if facts.owner != user => Finding::problem(
            area,
            format!("{path} belongs to the user with id {}", facts.owner),
        )
        .advise("remove it, or set XDG_RUNTIME_DIR to a directory of your own"),
        Found::Directory(facts) if facts.mode & OTHERS != 0 => Finding::problem(
            area,
            format!(
                "others on this machine get into {path} (mode {:03o})",
                facts.mode & 0o777
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

    fn file(owner: u32, mode: u32) -> FileFacts {
        FileFacts {
            path: "/c".into(),
            owner,
            mode,
        }
    }

    #[test]
    fn the_configuration_file() {
        let judge = |owner, mode, content| config(&file(owner, mode), ME, content);
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
        assert_one(&judge(ME, 0o602, Content::Nothing), Problem, "everybody");
        assert_one(&judge(ME, 0o664, Content::Nothing), Note, "group");
        assert_one(&judge(7, 0o600, Content::Nothing), Problem, "id 7");
        assert_eq!(judge(7, 0o666, Content::Secret).len(), 3);
    }

    #[test]
    fn what_is_around_it() {
        let judge = |owner, mode| config_dir(&file(owner, mode), ME);
        assert_eq!(judge(ME, 0o755), None);
        assert_eq!(judge(0, 0o1777), None);
        assert_one(&[judge(ME, 0o777).unwrap()], Problem, "chmod go-w");
        assert_one(&[judge(8, 0o700).unwrap()], Problem, "id 8");
        assert_eq!(https_key(&file(ME, 0o600)), None);
        assert_one(
            &[https_key(&file(ME, 0o640)).unwrap()],
            Problem,
            "chmod 600",
        );
    }

    #[test]
    fn the_runtime_directory() {
        let judge = |found: Found| runtime_dir("/r", &found, Origin::Variable, ME);
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
        let count = |origin| runtime_dir("/r", &Found::Nothing, origin, ME).len();
        assert_eq!(count(Origin::Session), 1);
        assert_eq!(count(Origin::BadVariable), 2);
        assert_eq!(count(Origin::Temporary), 2);
    }
}
