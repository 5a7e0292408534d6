//! A directory, a configuration, and servers in it: pizauth's and the floor's.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::client;
use crate::provider::Provider;

/// The program that is measured: this package's, unless `COST_PROGRAM` names another build.
pub(crate) fn pizauth() -> PathBuf {
    std::env::var_os("COST_PROGRAM")
        .map_or_else(|| env!("CARGO_BIN_EXE_pizauth").into(), PathBuf::from)
}

/// A directory that is removed with what runs in it.
pub(crate) struct Lab {
    dir: PathBuf,
}

/// A server in the background, killed when dropped.
pub(crate) struct Running {
    pub(crate) pid: u32,
    /// How long it took until it was ready.
    pub(crate) start: Duration,
    pub(crate) socket: PathBuf,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.pid.to_string()).status();
        let end = Instant::now() + Duration::from_secs(10);
        while client::ask(&self.socket, "info\n").is_ok() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Lab {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("pizauth-cost-{}-{number}", std::process::id());
        let dir = std::env::temp_dir().join(name);
        std::fs::create_dir_all(dir.join("pizauth")).unwrap();
        Self { dir }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// A program that finds the servers of this directory. It has a small environment: cargo's own
    /// is not what people run programs in, and makes the dynamic linker look for libraries in more
    /// places.
    pub(crate) fn command(&self, program: impl AsRef<Path>, arguments: &[&str]) -> Command {
        let mut command = Command::new(program.as_ref());
        command
            .args(arguments)
            .env_clear()
            .envs(
                ["HOME", "PATH"]
                    .into_iter()
                    .filter_map(|name| Some((name, std::env::var_os(name)?))),
            )
            .env("XDG_RUNTIME_DIR", &self.dir)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    /// Compiles one of the C programs of this directory.
    pub(crate) fn compile(&self, name: &str) -> Option<PathBuf> {
        let source = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("benches")
            .join(format!("{name}.c"));
        let program = self.path(name);
        let mut compiler = Command::new("cc");
        compiler.arg("-O2").arg("-o").arg(&program).arg(source);
        let compiled = compiler.status().is_ok_and(|status| status.success());
        compiled.then_some(program)
    }

    /// Writes a configuration with so many accounts.
    pub(crate) fn configure(&self, accounts: usize, provider: &Provider) -> PathBuf {
        let base = provider.base();
        let mut text = String::new();
        for number in 0..accounts {
            write!(
                text,
                r#"account "a{number}" {{
    auth_uri = "{base}/authorize";
    token_uri = "{base}/token";
    client_id = "client-{number}";
    client_secret = "secret-{number}";
    scopes = ["https://mail.example.com/IMAP.Access", "https://mail.example.com/SMTP.Send", "offline_access"];
    auth_uri_fields = {{ "login_hint": "user{number}@example.com" }};
}}
"#
            )
            .unwrap();
        }
        let path = self.path("pizauth.conf");
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Starts pizauth in the background and logs all its accounts in.
    pub(crate) fn serve(&self, accounts: usize, provider: &Provider) -> Running {
        let server = self.start(accounts, provider);
        for number in 0..accounts {
            client::log_in(&server.socket, &format!("a{number}"));
        }
        server
    }

    /// Starts pizauth in the background.
    pub(crate) fn start(&self, accounts: usize, provider: &Provider) -> Running {
        let config = self.configure(accounts, provider);
        let mut command = self.command(pizauth(), &["server", "-c", config.to_str().unwrap()]);
        let before = Instant::now();
        assert!(command.status().unwrap().success(), "the server starts");
        let start = before.elapsed();
        let lock = std::fs::read_to_string(self.path("pizauth/pizauth.lock")).unwrap();
        Running {
            pid: lock.trim().parse().unwrap(),
            start,
            socket: self.path("pizauth/pizauth.sock"),
        }
    }

    /// Starts the floor server.
    pub(crate) fn start_floor(&self, program: &Path) -> Running {
        let socket = self.path("pizauth/pizauth.sock");
        let mut command = self.command(program, &[socket.to_str().unwrap()]);
        command.stdout(Stdio::piped());
        let before = Instant::now();
        let mut child = command.spawn().unwrap();
        assert!(child.wait().unwrap().success(), "the floor server starts");
        let start = before.elapsed();
        let mut printed = String::new();
        std::io::Read::read_to_string(&mut child.stdout.take().unwrap(), &mut printed).unwrap();
        Running {
            pid: printed.trim().parse().unwrap(),
            start,
            socket,
        }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}
