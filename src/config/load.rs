//! From a file to a configuration: reading it, and the way through the rooms beside this one.

use std::ffi::OsString;
use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use super::Config;
use super::check::{self, Directories, Source};
use super::diagnostic::{Lines, Report};
use super::error::{ConfigError, FileProblem};
use super::hide::Hidden;
use super::syntax;
use super::trust;
use crate::files;
use crate::sys::WipedBytes;

/// The largest file that is read, in MiB: far more than tens of thousands of accounts take, and
/// little enough that a device or a log named by mistake does no harm.
const MAX_MIB: u64 = 16;

/// Reads the configuration file at `path`.
///
/// # Errors
/// Where it cannot be read or has mistakes: all of them, in words for people.
pub fn load(path: &Path) -> Result<Config, ConfigError> {
    let file = files::open(path).map_err(|error| cannot_open(path, &error))?;
    load_from(&file, path)
}

/// What is said where the configuration file at `path` cannot be opened.
pub fn cannot_open(path: &Path, error: &std::io::Error) -> ConfigError {
    ConfigError::File {
        path: path.to_owned(),
        problem: problem(error),
    }
}

/// Reads a configuration file that was opened at `path`.
///
/// # Errors
/// Where it cannot be read or has mistakes: all of them, in words for people.
pub fn load_from(file: &File, path: &Path) -> Result<Config, ConfigError> {
    let failed = |problem| ConfigError::File {
        path: path.to_owned(),
        problem,
    };
    let bytes = read(file).map_err(failed)?;
    let text = std::str::from_utf8(&bytes).map_err(|error| {
        let (line, column) = position(&bytes[..error.valid_up_to()]);
        failed(FileProblem::NotUtf8(line, column))
    })?;
    parse_in(text, &path.to_string_lossy(), &directories(path))
}

/// Reads `source` as the text of a configuration file. `shown_path` is what messages call it; paths
/// in it start at the directory of that.
///
/// # Errors
/// Where it has mistakes: all of them, in words for people.
pub fn parse(source: &str, shown_path: &str) -> Result<Config, ConfigError> {
    parse_in(source, shown_path, &directories(Path::new(shown_path)))
}

fn directories(path: &Path) -> Directories {
    let home = std::env::var_os("HOME").filter(|home: &OsString| !home.is_empty());
    Directories {
        base: path.parent().unwrap_or(Path::new("")).to_owned(),
        home: home.map(PathBuf::from),
    }
}

pub(super) fn parse_in(
    source: &str,
    shown_path: &str,
    directories: &Directories,
) -> Result<Config, ConfigError> {
    // Some editors begin a file with this mark, which says that it is UTF-8.
    let text = source.strip_prefix('\u{feff}').unwrap_or(source);
    let lines = Lines::of(text);
    let hidden = Hidden::of(text);
    let parsed = syntax::parse(text, &lines, &hidden);
    let mut mistakes = parsed.mistakes;
    let checked = match parsed.file {
        Some(file) => {
            let source = Source {
                text,
                lines: &lines,
                hidden: &hidden,
                damage: &parsed.damage,
            };
            check::check(file, source, directories)
        }
        None => Err(Vec::new()),
    };
    match checked {
        Ok(config) if mistakes.is_empty() => return Ok(config),
        Ok(_) => {}
        Err(more) => mistakes.extend(more),
    }
    let report = Report::new(shown_path, text, &lines, &hidden, mistakes);
    Err(ConfigError::Mistakes(report))
}

fn problem(error: &std::io::Error) -> FileProblem {
    match error.kind() {
        ErrorKind::NotFound => FileProblem::Missing,
        ErrorKind::IsADirectory => FileProblem::Directory,
        ErrorKind::PermissionDenied => FileProblem::Denied,
        _ => FileProblem::Unreadable(check::without_number(error)),
    }
}

fn read(file: &File) -> Result<WipedBytes, FileProblem> {
    let problem = |error: std::io::Error| problem(&error);
    let metadata = file.metadata().map_err(problem)?;
    trust::check(&metadata)?;
    let limit = MAX_MIB * 1024 * 1024;
    if metadata.len() > limit && metadata.is_file() {
        return Err(FileProblem::TooLarge(MAX_MIB));
    }
    // With room for all of it from the start, so that growing leaves no copies of secrets behind.
    let size = usize::try_from(metadata.len().min(limit)).unwrap_or(0);
    let mut bytes = WipedBytes::with_capacity(size + 1);
    file.take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(problem)?;
    if bytes.len() as u64 > limit {
        return Err(FileProblem::TooLarge(MAX_MIB));
    }
    Ok(bytes)
}

/// The line and the column after `bytes`, which are UTF-8.
fn position(bytes: &[u8]) -> (usize, usize) {
    let text = String::from_utf8_lossy(bytes);
    let line = text.matches('\n').count() + 1;
    let column = text.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}
