//! A private directory with a pizauth server in it: starting it, asking it, ending it.
//!
//! Everything is gone when a [`Home`] is dropped. Knows no provider.

use std::env;
use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use pizauth::clock;
use pizauth::console;
use pizauth::sys::{self, MAX_SOCKET_PATH};
use rand::TryRng as _;
use rand::rngs::SysRng;

use super::stop::{Stop, Trouble, failed};

/// How long a server may take to start, and to end.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often a server that is starting is looked at.
const GLANCE: Duration = Duration::from_millis(20);
/// Where the server's socket is in the directory.
const SOCKET: &str = "pizauth/pizauth.sock";
/// Everything happens on this machine: a proxy has no part in it.
const PROXY_VARIABLES: [&str; 6] = [
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
];

/// The directory, and the server in it.
pub(crate) struct Home {
    dir: PathBuf,
    program: PathBuf,
    server: Option<Child>,
    stop: Stop,
}

/// How a command ended.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Home {
    /// A directory that nobody else can look into, with this configuration.
    pub(crate) fn new(program: PathBuf, config: &str, stop: &Stop) -> Result<Self, Trouble> {
        let home = Self {
            dir: make_dir()?,
            program,
            server: None,
            stop: stop.clone(),
        };
        fs::write(home.config(), config)?;
        Ok(home)
    }

    /// The directory.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    fn config(&self) -> PathBuf {
        self.dir.join("pizauth.conf")
    }

    fn log(&self) -> PathBuf {
        self.dir.join("log")
    }

    /// The program, with this directory in the place of all of the user's own.
    fn command<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .env("HOME", &self.dir)
            .env("XDG_CONFIG_HOME", &self.dir)
            .env("XDG_RUNTIME_DIR", &self.dir)
            .stdin(Stdio::null());
        for variable in PROXY_VARIABLES {
            command.env_remove(variable);
        }
        sys::unblock_signals(&mut command);
        command
    }

    /// Starts the server, and waits until it can be asked.
    pub(crate) fn start_server(&mut self) -> Result<(), Trouble> {
        let mut command = self.command(&["server", "-d"]);
        // Not in the terminal's group: ctrl-c is for the demo, which ends it in due order.
        command
            .stdout(Stdio::null())
            .stderr(File::create(self.log())?)
            .process_group(0);
        let server = command.spawn()?;
        self.stop.set_server(Some(id(&server)));
        self.server = Some(server);
        let until = clock::moment() + PATIENCE;
        while UnixStream::connect(self.dir.join(SOCKET)).is_err() {
            if self.has_ended(GLANCE)? || clock::moment() > until {
                return Err(self.server_failed("the pizauth server did not start"));
            }
            self.stop.check()?;
        }
        Ok(())
    }

    /// What went wrong, with what the server has to say about it.
    fn server_failed(&self, what: &str) -> Trouble {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        match log.trim() {
            "" => failed(what),
            log => failed(format!("{what}:\n{log}")),
        }
    }

    /// Waits for the server's end.
    fn has_ended(&self, limit: Duration) -> Result<bool, Trouble> {
        match &self.server {
            Some(server) => Ok(sys::wait_for_end(id(server), limit)?),
            None => Ok(true),
        }
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Result<Ran, Trouble> {
        self.stop.check()?;
        let output = self.command(arguments).output()?;
        // A signal ended the server, and the command came back for that reason.
        self.stop.check()?;
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        Ok(Ran {
            code: output.status.code(),
            out: text(&output.stdout),
            err: text(&output.stderr),
        })
    }

    /// Waits for the end of a server that was told to end.
    pub(crate) fn await_end(&mut self) -> Result<(), Trouble> {
        if !self.has_ended(PATIENCE)? {
            return Err(self.server_failed("the pizauth server did not end"));
        }
        self.stop.set_server(None);
        let status = self.server.take().map(|mut server| server.wait());
        match status.transpose()? {
            Some(status) if !status.success() => {
                Err(self.server_failed(&format!("the pizauth server ended with {status}")))
            }
            _ => Ok(()),
        }
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        self.stop.set_server(None);
        if let Some(mut server) = self.server.take() {
            // Not collected yet, so that the number is still its own.
            let _ = kill(id(&server), Signal::SIGTERM);
            if !sys::wait_for_end(id(&server), PATIENCE).unwrap_or(false) {
                let _ = server.kill();
            }
            let _ = server.wait();
        }
        if let Err(error) = fs::remove_dir_all(&self.dir) {
            let dir = self.dir.display();
            let why = console::describe(&error);
            console::say(
                &mut std::io::stderr(),
                &format!("demo: cannot remove '{dir}': {why}: remove it yourself"),
            );
        }
    }
}

fn id(child: &Child) -> Pid {
    Pid::from_raw(child.id().cast_signed())
}

/// Makes a directory that is there for nobody else, and was not there before.
fn make_dir() -> Result<PathBuf, Trouble> {
    let mut bytes = [0; 4];
    SysRng.try_fill_bytes(&mut bytes).map_err(failed)?;
    let name = format!("pizauth-demo-{:08x}", u32::from_ne_bytes(bytes));
    let mut dir = env::temp_dir().join(&name);
    // A socket's path is short. /tmp is, wherever the user's own temporary directory may be.
    if dir.join(SOCKET).as_os_str().len() > MAX_SOCKET_PATH {
        dir = Path::new("/tmp").join(&name);
    }
    let made = DirBuilder::new().mode(0o700).create(&dir);
    made.map_err(|error| {
        failed(format!(
            "cannot make the directory '{}': {}: set TMPDIR to a directory that you can write to",
            dir.display(),
            console::describe(&error)
        ))
    })?;
    Ok(dir)
}
