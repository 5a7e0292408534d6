//! Where things are, in every environment, and which directories are not trusted.

use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;
use crate::client::testing::TempDir;

fn environment(xdg_runtime_dir: Option<&str>, tmpdir: Option<&str>) -> Environment {
    Environment {
        xdg_runtime_dir: xdg_runtime_dir.map(Into::into),
        tmpdir: tmpdir.map(Into::into),
        uid: geteuid().as_raw(),
    }
}

#[test]
fn the_runtime_directory_follows_the_environment() {
    let uid = geteuid();
    let fallback = format!("/tmp/pizauth-{uid}");
    let elsewhere = format!("/var/tmp/pizauth-{uid}");
    let cases = [
        (Some("/run/me"), Some("/var/tmp"), "/run/me/pizauth"),
        (Some(""), None, &*fallback),
        (Some("run/me"), None, &fallback),
        (None, None, &fallback),
        (None, Some(""), &fallback),
        (None, Some("tmp"), &fallback),
        (None, Some("/var/tmp"), &elsewhere),
    ];
    for (xdg_runtime_dir, tmpdir, expected) in cases {
        let environment = environment(xdg_runtime_dir, tmpdir);
        let dir = runtime_dir(&environment, Path::new("/nonexistent"));
        assert_eq!(dir, Path::new(expected));
    }
}

#[test]
fn the_session_s_directory_is_found_without_the_variable() {
    let run_user = TempDir::new();
    let session = run_user.path().join(geteuid().to_string());
    fs::create_dir(&session).unwrap();
    let dir = runtime_dir(&environment(None, None), run_user.path());
    assert_eq!(dir, session.join("pizauth"));
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o777
}

#[test]
fn the_directory_is_made_private() {
    let parent = TempDir::new();
    let paths = RuntimePaths::within(parent.path().join("pizauth"));
    paths.prepare().unwrap();
    assert_eq!(mode(&paths.dir), 0o700);
    paths.prepare().unwrap();
    fs::set_permissions(&paths.dir, fs::Permissions::from_mode(0o777)).unwrap();
    paths.prepare().unwrap();
    assert_eq!(mode(&paths.dir), 0o700);
}

#[test]
fn only_one_level_is_made() {
    let parent = TempDir::new();
    let paths = RuntimePaths::within(parent.path().join("missing/pizauth"));
    let error = paths.prepare().unwrap_err();
    assert!(matches!(error, PathError::NoParent(_)), "{error}");
    assert!(error.to_string().contains("missing/pizauth"), "{error}");
}

#[test]
fn neither_a_link_nor_a_file_is_taken_for_the_directory() {
    let parent = TempDir::new();
    let paths = RuntimePaths::within(parent.path().join("pizauth"));
    symlink(parent.path(), &paths.dir).unwrap();
    let error = paths.prepare().unwrap_err();
    assert!(matches!(error, PathError::NotADir(_)), "{error}");
    fs::remove_file(&paths.dir).unwrap();
    fs::write(&paths.dir, "").unwrap();
    let error = paths.prepare().unwrap_err();
    assert!(matches!(error, PathError::NotADir(_)), "{error}");
}

#[test]
fn the_directory_of_another_user_is_refused() {
    // The root directory is root's; where the tests run as root, nothing else can be told.
    if geteuid().is_root() {
        return;
    }
    let error = check_dir(Path::new("/")).unwrap_err();
    assert!(matches!(error, PathError::NotOurs(_, 0)), "{error}");
}

#[test]
fn a_path_that_no_socket_can_have_is_told_beforehand() {
    let parent = TempDir::new();
    let room = MAX_SOCKET_PATH - "/pizauth.sock".len();
    let dir = |length: usize| {
        let parent = parent.path().to_str().unwrap();
        format!("{parent}/{}", "d".repeat(length - parent.len() - 1))
    };
    RuntimePaths::within(dir(room).into()).prepare().unwrap();
    let error = RuntimePaths::within(dir(room + 1).into()).prepare();
    let error = error.unwrap_err().to_string();
    assert!(error.contains(&MAX_SOCKET_PATH.to_string()), "{error}");
}

#[test]
fn the_configuration_follows_the_environment() {
    let home = || Some(PathBuf::from("/home/me"));
    let path = config_file_in(Some("/etc/me".into()), home).unwrap();
    assert_eq!(path, Path::new("/etc/me/pizauth.conf"));
    let path = config_file_in(None, home).unwrap();
    assert_eq!(path, Path::new("/home/me/.config/pizauth.conf"));
    assert_eq!(config_file_in(None, || None), None);
}

#[test]
fn a_named_configuration_is_made_absolute_at_once() {
    let cwd = std::env::current_dir().unwrap();
    let path = config_file(Some(Path::new("my.conf"))).unwrap();
    assert_eq!(path, cwd.join("my.conf"));
    let path = config_file(Some(Path::new("/etc/my.conf"))).unwrap();
    assert_eq!(path, Path::new("/etc/my.conf"));
    assert!(config_file(Some(Path::new(""))).is_err());
}
