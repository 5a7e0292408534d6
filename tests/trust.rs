//! Whom the server and its clients trust: files, directories, sockets and users.

#![expect(
    clippy::unwrap_used,
    reason = "tests and their helpers report by panicking"
)]

mod support;

use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::process::Stdio;
use std::thread;

use nix::unistd::geteuid;
use support::pizauth::run;
use support::*;

/// Some user who is neither this one nor root.
const SOMEBODY: u32 = 65534;

fn user() -> Pizauth {
    let provider = "http://localhost:1";
    Pizauth::with_config(&format!(
        "account \"a\" {{ auth_uri = \"{provider}/a\"; token_uri = \"{provider}/t\"; \
         client_id = \"c\"; client_secret = \"s\"; }}\n"
    ))
}

fn set_mode(path: &std::path::Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_configuration_that_others_can_change_is_refused() {
    let user = user();
    set_mode(&user.config_file(), 0o646);
    for command in ["server", "check"] {
        let run = user.run(&[command]).expect(1);
        assert!(run.err.contains("can be changed by other users"), "{run:?}");
    }
    set_mode(&user.config_file(), 0o600);
    user.start_background();
    set_mode(&user.config_file(), 0o602);
    let run = user.run(&["reload"]).expect(1);
    assert!(run.err.contains("can be changed by other users"), "{run:?}");
    user.url("a");
    if geteuid().is_root() {
        set_mode(&user.config_file(), 0o600);
        chown(user.config_file(), Some(SOMEBODY), None).unwrap();
        let run = user.run(&["reload"]).expect(1);
        assert!(
            run.err.contains("belongs to the user with id 65534"),
            "{run:?}"
        );
    }
}

#[test]
fn a_secret_that_others_can_read_is_warned_of() {
    let user = user();
    set_mode(&user.config_file(), 0o644);
    let warned = "others can read the client secrets";
    let check = user.run(&["check"]).expect(0);
    assert!(check.err.contains(warned), "{check:?}");
    let start = user.run(&["server"]).expect(0);
    assert!(start.err.contains(warned), "{start:?}");
    set_mode(&user.config_file(), 0o600);
    assert_eq!(user.run(&["check"]).expect(0).err, "");
}

#[test]
fn a_lock_file_that_is_another_file_too_is_not_written_to() {
    let user = user();
    let dir = user.runtime_dir().join("pizauth");
    fs::create_dir(&dir).unwrap();
    let precious = user.dir().join("precious");
    fs::write(&precious, "keep this").unwrap();
    fs::hard_link(&precious, dir.join("pizauth.lock")).unwrap();
    let run = user.run(&["server"]).expect(1);
    assert!(
        run.err.contains("not a file of this user's alone"),
        "{run:?}"
    );
    assert_eq!(fs::read_to_string(&precious).unwrap(), "keep this");
    fs::remove_file(dir.join("pizauth.lock")).unwrap();
    nix::unistd::mkfifo(
        &dir.join("pizauth.lock"),
        nix::sys::stat::Mode::from_bits_truncate(0o600),
    )
    .unwrap();
    let run = user.run(&["server"]).expect(1);
    assert!(run.err.contains("pizauth.lock"), "{run:?}");
}

#[test]
fn what_another_user_owns_is_not_used() {
    if !geteuid().is_root() {
        return;
    }
    let user = user();
    let dir = user.runtime_dir().join("pizauth");
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("pizauth.lock"), "").unwrap();
    chown(dir.join("pizauth.lock"), Some(SOMEBODY), None).unwrap();
    let run = user.run(&["server"]).expect(1);
    assert!(run.err.contains("pizauth.lock"), "{run:?}");
    chown(&dir, Some(SOMEBODY), None).unwrap();
    let run = user.run(&["server"]).expect(1);
    assert!(
        run.err.contains("belongs to the user with id 65534"),
        "{run:?}"
    );
    assert_eq!(fs::metadata(&dir).unwrap().uid(), SOMEBODY);
}

/// Passes what comes to `path` on to another socket, as ssh does with one that it forwards.
fn forward(path: &std::path::Path, to: std::path::PathBuf) {
    let listener = UnixListener::bind(path).unwrap();
    let accept = move || {
        for mut near in listener.incoming().filter_map(Result::ok) {
            let mut far = UnixStream::connect(&to).unwrap();
            let (mut request, mut reply) = (Vec::new(), Vec::new());
            near.read_to_end(&mut request).unwrap();
            far.write_all(&request).unwrap();
            far.shutdown(std::net::Shutdown::Write).unwrap();
            far.read_to_end(&mut reply).unwrap();
            near.write_all(&reply).unwrap();
        }
    };
    thread::Builder::new().spawn(accept).unwrap();
}

#[test]
fn commands_go_to_the_socket_that_the_environment_names() {
    let (here, there) = (user(), user());
    there.start_background();
    let socket = here.dir().join("forwarded");
    forward(&socket, there.socket());
    let far = |arguments: &[&str]| {
        let mut command = here.command(arguments);
        run(command.env("PIZAUTH_SOCKET", &socket))
    };
    let url = support::pizauth::url_in(&far(&["show", "a"]));
    assert_eq!(url, there.url("a"));
    let info = far(&["info"]).expect(0);
    assert!(info.out.contains(&socket.display().to_string()), "{info:?}");
    assert!(info.out.contains("running"), "{info:?}");
    here.show("a").expect(5);
    // Logging in goes there as well.
    let login = far(&["login", "--device", "a"]).expect(1);
    assert!(login.err.contains("no endpoint for it"), "{login:?}");
    let mut command = here.command(&["complete", "a"]);
    let complete = here.dir().join("pasted");
    fs::write(&complete, "http://localhost/?code=x&state=y\n").unwrap();
    command.stdin(fs::File::open(&complete).unwrap());
    let complete = run(command.env("PIZAUTH_SOCKET", &socket)).expect(1);
    assert!(complete.err.contains("no login waits"), "{complete:?}");
    // Starting a server would not help where the named one is gone.
    let mut command = here.command(&["show", "a"]);
    let gone = run(command.env("PIZAUTH_SOCKET", "/nonexistent")).expect(5);
    assert!(gone.err.contains("PIZAUTH_SOCKET"), "{gone:?}");
    // A server has its own place, whatever socket commands are told to use.
    far(&["server"]).expect(0);
    assert!(here.socket().exists());
    assert_ne!(here.url("a"), there.url("a"));
    // Nothing is no name.
    let mut command = here.command(&["show", "a"]);
    run(command.env("PIZAUTH_SOCKET", "")).expect(3);
}

#[test]
fn a_provider_on_this_machine_is_not_asked_through_a_proxy() {
    let provider = Provider::start();
    let mut user = Pizauth::with_config(&provider.account("a", ""));
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", proxy.local_addr().unwrap());
    user.start_foreground_with(|command| {
        command.env("ALL_PROXY", &url).env_remove("NO_PROXY");
    });
    log_in(&provider, &user.url("a"));
    assert_eq!(user.token("a"), provider.last_token());
    proxy.set_nonblocking(true).unwrap();
    assert!(proxy.accept().is_err(), "the proxy was asked");
}

#[test]
fn a_client_tells_nothing_to_another_user_s_server() {
    if !geteuid().is_root() {
        return;
    }
    // For root, every server but one of its own is another user's.
    let user = user();
    let socket = user.dir().join("theirs");
    set_mode(user.dir(), 0o777);
    // It hears of two connections: one that sees whether it listens, and the client's.
    let script = format!(
        "import socket\ns = socket.socket(socket.AF_UNIX)\ns.bind('{0}')\ns.listen()\n\
         print([s.accept()[0].recv(100) for _ in range(2)])\n",
        socket.display()
    );
    let theirs = std::process::Command::new("python3")
        .args(["-c", &script])
        .uid(SOMEBODY)
        .stdout(Stdio::piped())
        .spawn();
    let Ok(theirs) = theirs else {
        eprintln!("not tested: there is no python3");
        return;
    };
    wait_until("they listen", || UnixStream::connect(&socket).is_ok());
    let mut command = user.command(&["show", "a"]);
    let shown = run(command.env("PIZAUTH_SOCKET", &socket)).expect(5);
    assert!(
        shown.err.contains("user with id 65534 and is not trusted"),
        "{shown:?}"
    );
    let heard = theirs.wait_with_output().unwrap().stdout;
    assert_eq!(String::from_utf8(heard).unwrap(), "[b'', b'']\n");
    set_mode(user.dir(), 0o700);
}
