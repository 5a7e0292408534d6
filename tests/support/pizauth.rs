//! The real program in a directory of its own: starting it, asking it, ending it.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::wait::{wait_for, wait_until};

/// What everything in these tests that is secret has in it, and no log may have.
pub const SECRET: &str = "SECRET";

/// One user of pizauth. The server, where there is one, ends with it.
pub struct Pizauth {
    dir: PathBuf,
    /// The server, where it is in the foreground.
    child: Option<Child>,
}

/// How a command ended.
#[derive(Debug)]
pub struct Run {
    /// Its exit code; -1 where a signal ended it.
    pub code: i32,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

impl Run {
    /// The run, if its exit code is this one.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        self
    }
}

impl Pizauth {
    /// A user without a configuration.
    pub fn new() -> Self {
        let mut private = DirBuilder::new();
        private.mode(0o700);
        let dir = loop {
            let dir = Self::next_dir();
            match private.create(&dir) {
                // Left by a run that was killed, whose process id has come again.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                made => break made.map(|()| dir).unwrap(),
            }
        };
        for part in ["run", "config", "home", "bin"] {
            private.create(dir.join(part)).unwrap();
        }
        Self { dir, child: None }
    }

    fn next_dir() -> PathBuf {
        static LAST: AtomicU32 = AtomicU32::new(0);
        let number = LAST.fetch_add(1, Ordering::Relaxed);
        std::env::temp_dir().join(format!("pizauth-{}-{number}", std::process::id()))
    }

    /// A user with this configuration.
    pub fn with_config(config: &str) -> Self {
        let user = Self::new();
        user.write_config(config);
        user
    }

    /// A user with this configuration and a server that is ready: in the foreground, so that what
    /// it logs can be shown where a test fails.
    #[track_caller]
    pub fn start(config: &str) -> Self {
        let mut user = Self::with_config(config);
        user.start_foreground();
        user
    }

    /// The user's own directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// `$XDG_RUNTIME_DIR`.
    pub fn runtime_dir(&self) -> PathBuf {
        self.dir.join("run")
    }

    /// The control socket.
    pub fn socket(&self) -> PathBuf {
        self.dir.join("run/pizauth/pizauth.sock")
    }

    /// The file that keeps a second server from starting.
    pub fn lock(&self) -> PathBuf {
        self.dir.join("run/pizauth/pizauth.lock")
    }

    fn log_file(&self) -> PathBuf {
        self.dir.join("log")
    }

    /// The configuration file.
    pub fn config_file(&self) -> PathBuf {
        self.dir.join("config/pizauth.conf")
    }

    /// Puts another configuration in the place of what is there, in one step.
    pub fn write_config(&self, text: &str) {
        let new = self.dir.join("config/new");
        fs::write(&new, text).unwrap();
        fs::rename(new, self.config_file()).unwrap();
    }

    /// The program with this user's environment and nothing else from ours.
    pub fn command(&self, arguments: &[impl AsRef<OsStr>]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pizauth"));
        command.args(arguments);
        self.set_environment(&mut command);
        command
    }

    /// Gives a command this user's environment.
    pub fn set_environment(&self, command: &mut Command) {
        let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into());
        command
            .env_clear()
            .env("PATH", path)
            .env("SHELL", "/bin/sh")
            .env("LC_ALL", "C")
            .env("HOME", self.dir.join("home"))
            .env("XDG_CONFIG_HOME", self.dir.join("config"))
            .env("XDG_RUNTIME_DIR", self.runtime_dir())
            .current_dir(&self.dir)
            .stdin(Stdio::null());
    }

    /// Runs a command to its end.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> Run {
        run(&mut self.command(arguments))
    }

    /// Starts a command, of whose output nobody wants to know.
    #[track_caller]
    pub fn spawn(&self, arguments: &[&str]) -> Child {
        let mut command = self.command(arguments);
        let command = command.stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    }

    /// Runs a command to its end with this on its standard input.
    #[track_caller]
    pub fn run_with_input(&self, arguments: &[&str], input: &str) -> Run {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_owned();
        let writer = thread::Builder::new();
        let writer = writer
            // A command that fails early reads nothing.
            .spawn(move || drop(stdin.write_all(input.as_bytes())))
            .unwrap();
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        finished(output)
    }

    /// `pizauth show ACCOUNT`.
    #[track_caller]
    pub fn show(&self, account: &str) -> Run {
        self.run(&["show", account])
    }

    /// The access token, which there must be.
    #[track_caller]
    pub fn token(&self, account: &str) -> String {
        let run = self.show(account).expect(0);
        assert_eq!(run.err, "");
        run.out.strip_suffix('\n').unwrap().to_owned()
    }

    /// The URL that `show` asks the user to log in at.
    #[track_caller]
    pub fn url(&self, account: &str) -> String {
        url_in(&self.show(account))
    }

    /// What `status --json` says of an account.
    #[track_caller]
    pub fn status(&self, account: &str) -> Value {
        let run = self.run(&["status", "--json"]).expect(0);
        let status: Value = serde_json::from_str(&run.out).unwrap();
        let accounts = status["accounts"].as_array().unwrap();
        let found = accounts.iter().find(|it| it["account"] == account);
        found.unwrap_or_else(|| panic!("{run:?}")).clone()
    }

    /// The account's state, as `status --json` has it.
    #[track_caller]
    pub fn state(&self, account: &str) -> String {
        self.status(account)["state"].as_str().unwrap().to_owned()
    }

    /// What `info -j` says of the server.
    #[track_caller]
    pub fn info(&self) -> Value {
        let run = self.run(&["info", "-j"]).expect(0);
        let info: Value = serde_json::from_str(&run.out).unwrap();
        info["server"].clone()
    }

    /// Where the redirect listener listens.
    #[track_caller]
    pub fn listeners(&self) -> Vec<String> {
        self.addresses("http_listen")
    }

    /// Where the one for https listens.
    #[track_caller]
    pub fn secure_listeners(&self) -> Vec<String> {
        self.addresses("https_listen")
    }

    #[track_caller]
    fn addresses(&self, name: &str) -> Vec<String> {
        let info = self.info();
        let listeners = info[name].as_array().unwrap();
        let text = |it: &Value| it.as_str().unwrap().to_owned();
        listeners.iter().map(text).collect()
    }

    /// The fingerprint of the certificate for https.
    #[track_caller]
    pub fn fingerprint(&self) -> String {
        let info = self.info();
        info["https_fingerprint"].as_str().unwrap().to_owned()
    }

    /// Starts a server in the background, as users do.
    #[track_caller]
    pub fn start_background(&self) {
        self.run(&["server"]).expect(0);
    }

    /// Starts a server in the foreground, and waits until it is ready.
    #[track_caller]
    pub fn start_foreground(&mut self) {
        self.start_foreground_with(|_| ());
    }

    /// The same, with another environment for example.
    #[track_caller]
    pub fn start_foreground_with(&mut self, change: impl FnOnce(&mut Command)) {
        let log = File::create(self.log_file()).unwrap();
        let mut command = self.command(&["server", "-d", "-vv"]);
        command.stdout(Stdio::null()).stderr(log);
        change(&mut command);
        let child = self.child.insert(command.spawn().unwrap());
        let log = self.dir.join("log");
        wait_until("the server is ready", || {
            let text = fs::read_to_string(&log).unwrap();
            assert!(child.try_wait().unwrap().is_none(), "it ended: {text}");
            text.contains("ready, with")
        });
    }

    /// What the server in the foreground has logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    /// The server's process, where there is one.
    pub fn pid(&self) -> Option<Pid> {
        // Trying the lock itself would be in the way of a server that is about to start.
        UnixStream::connect(self.socket()).ok()?;
        self.recorded_pid()
    }

    /// The process that was the server last, which is left undisturbed.
    pub fn recorded_pid(&self) -> Option<Pid> {
        let pid = fs::read_to_string(self.lock()).ok()?;
        Some(Pid::from_raw(pid.trim().parse().ok()?))
    }

    /// Sends the server a signal.
    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        kill(self.pid().expect("there is a server"), signal).unwrap();
    }

    /// Waits for the end of the server in the foreground.
    #[track_caller]
    pub fn wait_for_end(&mut self) -> ExitStatus {
        let mut child = self.child.take().expect("there is a server");
        wait_for("the server ends", || child.try_wait().unwrap())
    }

    /// Ends the server in the foreground and starts another one.
    #[track_caller]
    pub fn restart(&mut self) {
        self.run(&["shutdown"]).expect(0);
        assert!(self.wait_for_end().success());
        self.start_foreground();
    }

    /// Ends whatever server there is, by its id.
    fn end(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
        if let Some(pid) = self.pid() {
            let _ = kill(pid, Signal::SIGKILL);
            wait_until("the server's process is gone", || {
                kill(pid, None) == Err(Errno::ESRCH) || is_zombie(pid)
            });
        }
    }
}

impl Drop for Pizauth {
    fn drop(&mut self) {
        self.end();
        let log = self.log();
        let _ = fs::remove_dir_all(&self.dir);
        if thread::panicking() {
            eprintln!("--- the server's log:\n{log}---");
        } else {
            assert!(!log.contains(SECRET), "a secret in the log: {log}");
        }
    }
}

/// A process that has ended and waits for its parent, which may be slow.
pub fn is_zombie(pid: Pid) -> bool {
    // The first thread may be gone before the others, which keep the files open.
    let alone = fs::read_dir(format!("/proc/{pid}/task")).is_ok_and(|tasks| tasks.count() == 1);
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"));
    alone && stat.is_ok_and(|stat| stat.contains(") Z "))
}

/// Starts the server as the user with this id, to whom its directory belongs, from a copy of the
/// program there: the tests' own directory may be closed to others.
#[track_caller]
pub fn start_as(user: &mut Pizauth, id: u32) {
    let program = user.dir().join("bin/pizauth");
    copy_program(Path::new(env!("CARGO_BIN_EXE_pizauth")), &program);
    let dir = user.dir().to_owned();
    user.start_foreground_with(|command| {
        let mut copy = Command::new(&program);
        copy.args(command.get_args()).env_clear();
        for (name, value) in command.get_envs() {
            copy.env(name, value.unwrap_or_default());
        }
        let log = File::create(dir.join("log")).unwrap();
        copy.current_dir(&dir)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        copy.uid(id).gid(id);
        *command = copy;
    });
}

/// Copies a program, for everybody to run. Another process does it: a program cannot be run while
/// anybody has it open for writing, and what other tests start inherits for a moment what is open.
#[track_caller]
pub fn copy_program(program: &Path, to: &Path) {
    let mut copy = Command::new("cp");
    assert!(copy.arg(program).arg(to).status().unwrap().success());
    fs::set_permissions(to, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Writes a program for the tests' own user.
#[track_caller]
pub fn write_program(to: &Path, text: &str) {
    let written = to.with_extension("written");
    fs::write(&written, text).unwrap();
    copy_program(&written, to);
}

/// Runs any command to its end.
#[track_caller]
pub fn run(command: &mut Command) -> Run {
    finished(command.output().unwrap())
}

fn finished(output: std::process::Output) -> Run {
    Run {
        // Killed by a signal: its number, negative.
        code: output
            .status
            .code()
            .unwrap_or_else(|| -output.status.signal().unwrap_or(0)),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The URL that a command asked the user to log in at.
#[track_caller]
pub fn url_in(run: &Run) -> String {
    assert_eq!(run.code, 3, "{run:?}");
    assert_eq!(run.out, "");
    let url = run
        .err
        .strip_prefix("ERROR - Token unavailable until authorised with URL ");
    let url = url.and_then(|url| url.strip_suffix('\n'));
    url.unwrap_or_else(|| panic!("{run:?}")).to_owned()
}
