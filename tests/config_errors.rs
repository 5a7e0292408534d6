//! What a person reads about mistakes in a configuration file: each `tests/data/config/*.conf` has
//! the expected text beside it. With BLESS=1 in the environment, the texts are written anew; read
//! them before committing them.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::path::{Path, PathBuf};

use pizauth::config::parse;

const DIRECTORY: &str = "tests/data/config";

/// The configuration files whose names do, or do not, start with `good-`.
fn files(good: bool) -> Vec<PathBuf> {
    let entries = fs::read_dir(DIRECTORY)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "conf")
        })
        .filter(|path| {
            path.file_name()
                .unwrap()
                .to_string_lossy()
                .starts_with("good-")
                == good
        })
        .collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn mistakes_are_told_as_expected() {
    let bless = std::env::var_os("BLESS").is_some();
    let mut wrong = Vec::new();
    for path in files(false) {
        let expected = path.with_extension("txt");
        let said = match parse(&read(&path), path.to_str().unwrap()) {
            Ok(_) => panic!("{} has no mistake", path.display()),
            Err(error) => format!("{error}\n"),
        };
        if bless {
            fs::write(&expected, &said).unwrap();
        } else if read(&expected) != said {
            wrong.push(format!(
                "{} wants\n{}\nbut got\n{said}",
                path.display(),
                read(&expected)
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn good_files_have_no_mistakes() {
    for path in files(true) {
        if let Err(error) = parse(&read(&path), path.to_str().unwrap()) {
            panic!("{error}");
        }
    }
}

#[test]
fn no_secret_is_ever_shown() {
    // Each file that is about secrets has this word where the secret is.
    for path in files(false) {
        let Err(error) = parse(&read(&path), path.to_str().unwrap()) else {
            continue;
        };
        for said in [
            error.render(false),
            error.render(true),
            format!("{error:?}"),
        ] {
            assert!(!said.contains("hunter2"), "{}: {said}", path.display());
        }
    }
}
