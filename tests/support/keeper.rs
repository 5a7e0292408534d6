//! A user whose tokens are kept in a file by `persist_cmd`, and brought back by `restore_cmd`.

use std::fs;
use std::path::PathBuf;

use nix::sys::signal::{Signal, kill};

use super::pizauth::is_zombie;
use super::provider::quoted;
use super::{Pizauth, Provider, Record, log_in, wait_until};

/// A user whose tokens are kept in a file.
pub struct Keeper {
    pub provider: Provider,
    pub user: Pizauth,
    /// What was kept last.
    pub file: PathBuf,
    /// The size of each dump that was handed out.
    pub runs: Record,
    pub errors: Record,
}

impl Keeper {
    pub fn new() -> Self {
        let (provider, user) = (Provider::start(), Pizauth::new());
        let keeper = Self {
            file: user.dir().join("kept"),
            runs: Record::new(&user, "runs"),
            errors: Record::new(&user, "errors"),
            provider,
            user,
        };
        keeper.configure(&keeper.persist(), &keeper.restore());
        keeper
    }

    /// The usual command.
    pub fn persist(&self) -> String {
        let file = self.file.display();
        format!(
            "cat >'{file}.new' && mv '{file}.new' '{file}' && {}",
            self.runs.script("run")
        )
    }

    pub fn restore(&self) -> String {
        let file = self.file.display();
        format!("if test -e '{file}'; then cat '{file}'; fi")
    }

    pub fn configure(&self, persist: &str, restore: &str) {
        let mut config = format!(
            "persist_cmd = {};\nrestore_cmd = {};\nerror_notify_cmd = {};\n",
            quoted(persist),
            quoted(restore),
            self.errors.command("$PIZAUTH_MSG")
        );
        for name in ["a", "b", "c"] {
            config += &self.provider.account(name, "");
        }
        self.user.write_config(&config);
    }

    #[track_caller]
    pub fn log_in(&self, name: &str) {
        log_in(&self.provider, &self.user.url(name));
    }

    pub fn kept(&self) -> String {
        fs::read_to_string(&self.file).unwrap_or_default()
    }

    #[track_caller]
    pub fn wait_for_kept(&self, what: &str) {
        wait_until(&format!("{what} is kept"), || self.kept().contains(what));
    }

    #[track_caller]
    pub fn kill(&self) {
        let pid = self.user.pid().unwrap();
        kill(pid, Signal::SIGKILL).unwrap();
        wait_until("it is dead", || kill(pid, None).is_err() || is_zombie(pid));
    }
}
