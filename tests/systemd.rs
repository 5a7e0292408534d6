//! Under a service manager: sockets that are passed, and word of being ready.

#![expect(
    clippy::unwrap_used,
    reason = "tests and their helpers report by panicking"
)]

mod support;

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use support::provider::quoted;
use support::*;

/// A service manager, and the one service that it has.
struct Manager {
    user: Pizauth,
    service: Option<Child>,
}

impl Manager {
    fn new(config: &str) -> Self {
        Self {
            user: Pizauth::with_config(config),
            service: None,
        }
    }

    /// The service's socket, as systemd would make it.
    fn listen(&self) -> UnixListener {
        fs::create_dir_all(self.user.socket().parent().unwrap()).unwrap();
        UnixListener::bind(self.user.socket()).unwrap()
    }

    /// Starts the service with this socket as descriptor 3.
    fn activate(&mut self, socket: OwnedFd, arguments: &str) {
        let mut shell = Command::new("/bin/sh");
        self.user.set_environment(&mut shell);
        let script = format!(
            "exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=it exec \"$0\" {arguments}"
        );
        shell.args(["-c", &script, env!("CARGO_BIN_EXE_pizauth")]);
        shell.env("NOTIFY_SOCKET", self.user.dir().join("notify"));
        shell.stdin(Stdio::from(socket)).stdout(Stdio::null());
        shell.stderr(fs::File::create(self.user.dir().join("log")).unwrap());
        self.service = Some(shell.spawn().unwrap());
    }

    #[track_caller]
    fn wait_for_end(&mut self) {
        let mut service = self.service.take().unwrap();
        let status = wait_for("the service ends", || service.try_wait().unwrap());
        assert!(status.success(), "{status}: {}", self.user.log());
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        if let Some(service) = &mut self.service {
            let _ = service.kill();
            let _ = service.wait();
        }
    }
}

#[test]
fn a_socket_is_passed_and_stays() {
    let provider = Provider::start();
    let mut manager = Manager::new("");
    let environment = Record::new(&manager.user, "environment");
    let tell = quoted(&format!(
        "env | grep -e LISTEN_ -e NOTIFY_ && {}; ls -l /proc/self/fd | grep -c socket; {}",
        environment.script("inherited"),
        environment.script("started")
    ));
    let config = format!("startup_cmd = {tell};\n{}", provider.account("a", ""));
    manager.user.write_config(&config);
    let socket = manager.listen();
    // A client that comes before the server waits for it: that is what the socket is there for.
    let mut early = manager.user.spawn(&["show", "a"]);
    attack::wait_for_clients(&manager.user, 1);
    for start in 1..=3 {
        manager.activate(socket.try_clone().unwrap().into(), "server -d");
        assert_eq!(
            wait_for("an answer", || early.try_wait().unwrap()).code(),
            Some(3)
        );
        let service = manager.service.as_ref().unwrap().id();
        assert_eq!(manager.user.info()["pid"], service);
        log_in(&provider, &manager.user.url("a"));
        environment.wait_for_lines(start);
        manager.user.run(&["shutdown"]).expect(0);
        manager.wait_for_end();
        assert!(manager.user.socket().exists(), "it was not the server's");
        early = manager.user.spawn(&["show", "a"]);
        attack::wait_for_clients(&manager.user, 1);
    }
    assert_eq!(environment.lines(), ["started"; 3]);
    early.kill().unwrap();
    early.wait().unwrap();
}

#[test]
fn a_passed_socket_stays_after_a_replacement() {
    let provider = Provider::start();
    let mut manager = Manager::new(&provider.account("a", ""));
    let socket = manager.listen();
    // With nobody to replace, and with its own socket to be taken for somebody.
    manager.activate(socket.try_clone().unwrap().into(), "server -d --replace");
    log_in(&provider, &manager.user.url("a"));
    let token = manager.user.token("a");
    manager.user.run(&["server", "--replace"]).expect(0);
    manager.wait_for_end();
    assert_eq!(manager.user.token("a"), token);
    // The manager starts another one, which takes over from the one that was started by hand.
    manager.activate(socket.into(), "server -d --replace");
    let service = manager.service.as_ref().unwrap().id();
    wait_until("it has taken over", || {
        manager.user.info()["pid"] == service
    });
    assert_eq!(manager.user.token("a"), token);
    kill(Pid::from_raw(service.cast_signed()), Signal::SIGTERM).unwrap();
    manager.wait_for_end();
    assert!(manager.user.socket().exists());
}

#[test]
fn something_else_is_passed() {
    let provider = Provider::start();
    let mut manager = Manager::new(&provider.account("a", ""));
    let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    manager.activate(tcp.into(), "server -d");
    let mut service = manager.service.take().unwrap();
    let status = wait_for("it ends", || service.try_wait().unwrap());
    assert_eq!(status.code(), Some(1));
    let log = manager.user.log();
    assert!(log.contains("is no Unix socket"), "{log}");
}

#[test]
fn it_says_that_it_is_ready_when_it_is() {
    let provider = Provider::start();
    let mut user = Pizauth::new();
    let go = user.dir().join("go");
    let restore = format!("while ! test -e '{}'; do sleep 0.02; done", go.display());
    let config = format!(
        "restore_cmd = {};\n{}",
        quoted(&restore),
        provider.account("a", "")
    );
    user.write_config(&config);
    let path = user.dir().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut command = user.command(&["server", "-d"]);
    let mut server = command.env("NOTIFY_SOCKET", &path).spawn().unwrap();
    wait_until("it is about to be ready", || user.socket().exists());
    manager.set_nonblocking(true).unwrap();
    assert!(manager.recv(&mut [0; 8]).is_err(), "it is not ready yet");
    manager.set_nonblocking(false).unwrap();
    fs::write(go, "").unwrap();
    let mut said = [0; 4096];
    let length = manager.recv(&mut said).unwrap();
    let said = String::from_utf8_lossy(&said[..length]).into_owned();
    assert!(said.lines().any(|line| line == "READY=1"), "{said}");
    let pid = format!("MAINPID={}", server.id());
    assert!(said.lines().any(|line| line == pid), "{said}");
    user.url("a");
    user.run(&["reload"]).expect(0);
    user.run(&["shutdown"]).expect(0);
    wait_for("it ends", || server.try_wait().unwrap());
    manager.set_nonblocking(true).unwrap();
    let more = std::iter::from_fn(|| manager.recv(&mut [0; 4096]).ok()).count();
    assert!(more <= 2, "ready once");
    // A manager that is gone is no reason not to start.
    drop(manager);
    user.start_foreground_with(|command| {
        command.env("NOTIFY_SOCKET", &path);
    });
    user.url("a");
}
