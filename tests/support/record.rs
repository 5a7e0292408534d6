//! Commands for the configuration that write down that they were run, a line each time.

use std::fs;
use std::path::PathBuf;

use super::wait::wait_for;
use super::{Pizauth, provider::quoted};

/// A file that a command adds lines to.
pub struct Record {
    file: PathBuf,
}

impl Record {
    /// A record of this name.
    pub fn new(user: &Pizauth, name: &str) -> Self {
        Self {
            file: user.dir().join(name),
        }
    }

    /// The command, as a string of the configuration file, that writes down `what`: a word of the
    /// shell in double quotes, such as `$PIZAUTH_ACCOUNT`.
    pub fn command(&self, what: &str) -> String {
        quoted(&self.script(what))
    }

    /// The same as a piece of a script. What it adds is added whole: it is one write.
    pub fn script(&self, what: &str) -> String {
        format!("printf '%s\\n' \"{what}\" >>'{}'", self.file.display())
    }

    /// The lines that are complete.
    pub fn lines(&self) -> Vec<String> {
        let text = fs::read_to_string(&self.file).unwrap_or_default();
        let end = text.rfind('\n').map_or(0, |end| end + 1);
        text[..end].lines().map(str::to_owned).collect()
    }

    /// Waits until there are at least `count` lines.
    #[track_caller]
    pub fn wait_for_lines(&self, count: usize) -> Vec<String> {
        wait_for(&format!("{count} lines in {}", self.file.display()), || {
            Some(self.lines()).filter(|lines| lines.len() >= count)
        })
    }

    /// Waits until there is a line with this in it.
    #[track_caller]
    pub fn wait_for_line(&self, with: &str) -> String {
        wait_for(&format!("a line with {with}"), || {
            self.lines().into_iter().find(|line| line.contains(with))
        })
    }
}
