//! A server's life: starting, failing to start, being the only one, ending.

#![expect(
    clippy::unwrap_used,
    reason = "tests and their helpers report by panicking"
)]

mod support;

use std::fs::{self, File, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use support::pizauth::{is_zombie, run};
use support::*;

/// An account that nobody logs in to.
fn account(name: &str) -> String {
    format!(
        "account \"{name}\" {{ auth_uri = \"http://localhost:1/auth\"; \
         token_uri = \"http://localhost:1/token\"; client_id = \"c\"; }}\n"
    )
}

fn user() -> Pizauth {
    Pizauth::with_config(&account("a"))
}

/// A server that does not start must say why, and end with 1.
#[track_caller]
fn refused(user: &Pizauth, why: &[&str]) {
    for arguments in [&["server"][..], &["server", "-d"]] {
        let run = user.run(arguments).expect(1);
        assert_eq!(run.out, "");
        assert!(run.err.contains("ERROR - "), "{run:?}");
        for part in why {
            assert!(run.err.contains(part), "no '{part}' in {run:?}");
        }
    }
}

fn mode(path: &std::path::Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn the_parent_ends_when_the_server_answers() {
    let user = user();
    for _ in 0..10 {
        let started = user.run(&["server"]).expect(0);
        assert_eq!(started.out, "");
        user.run(&["info"]).expect(0);
        user.url("a");
        user.run(&["shutdown"]).expect(0);
        assert!(!user.socket().exists());
        assert!(user.pid().is_none());
        user.show("a").expect(5);
    }
}

#[test]
fn what_it_makes_is_private() {
    let user = user();
    let lax = Command::new("/bin/sh")
        .args(["-c", "umask 0; exec \"$0\" server"])
        .arg(env!("CARGO_BIN_EXE_pizauth"))
        .env("XDG_RUNTIME_DIR", user.runtime_dir())
        .env("XDG_CONFIG_HOME", user.dir().join("config"))
        .output()
        .unwrap();
    assert!(lax.status.success(), "{lax:?}");
    assert!(fs::metadata(user.socket()).unwrap().file_type().is_socket());
    assert_eq!(mode(&user.socket()), 0o600);
    assert_eq!(mode(&user.runtime_dir().join("pizauth")), 0o700);
    assert_eq!(
        mode(&user.runtime_dir().join("pizauth/pizauth.lock")),
        0o600
    );
}

#[test]
fn a_directory_that_others_can_enter_is_made_private() {
    let user = user();
    let dir = user.runtime_dir().join("pizauth");
    fs::create_dir(&dir).unwrap();
    fs::set_permissions(&dir, Permissions::from_mode(0o777)).unwrap();
    user.start_background();
    assert_eq!(mode(&dir), 0o700);
}

#[test]
fn a_bad_configuration_is_told_to_the_terminal() {
    let user = Pizauth::with_config("acount \"a\" {}\nhttp_listen = 3;\n");
    let run = user.run(&["server"]).expect(1);
    assert!(run.err.contains("pizauth.conf:1:1"), "{run:?}");
    assert!(
        run.err.contains("ERROR - the server was not started"),
        "{run:?}"
    );
    assert!(!user.socket().exists());
    fs::remove_file(user.config_file()).unwrap();
    refused(&user, &[]);
    let run = user.run(&["server"]).expect(1);
    assert!(run.err.contains("pizauth.conf"), "{run:?}");
}

#[test]
fn a_port_that_is_taken_is_told_to_the_terminal() {
    let port = free_port();
    let taken = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let user = Pizauth::with_config(&format!(
        "http_listen = \"127.0.0.1:{port}\";\n{}",
        account("a")
    ));
    let address = format!("127.0.0.1:{port}");
    refused(&user, &["http_listen", &address, "choose another port"]);
    assert!(!user.socket().exists(), "nothing is left behind");
    drop(taken);
    wait_until("nobody listens there", || is_free(port));
    user.start_background();
    assert_eq!(user.listeners()[0], format!("127.0.0.1:{port}"));
}

#[test]
fn a_runtime_directory_that_cannot_be_used_is_told_to_the_terminal() {
    let user = user();
    let dir = user.runtime_dir();
    let ours = dir.join("pizauth");

    fs::write(&ours, "").unwrap();
    refused(&user, &["is not a directory", &ours.display().to_string()]);
    fs::remove_file(&ours).unwrap();

    let elsewhere = user.dir().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    symlink(&elsewhere, &ours).unwrap();
    refused(&user, &["symbolic link"]);
    fs::remove_file(&ours).unwrap();

    fs::remove_dir(&dir).unwrap();
    refused(&user, &["does not exist", "XDG_RUNTIME_DIR"]);
    assert!(!dir.exists());
}

#[test]
fn a_runtime_directory_that_is_too_long_is_told_to_the_terminal() {
    let user = user();
    let long = user.dir().join("x".repeat(100));
    fs::create_dir(&long).unwrap();
    for arguments in [&["server"][..], &["server", "-d"]] {
        let mut command = user.command(arguments);
        let run = run(command.env("XDG_RUNTIME_DIR", &long)).expect(1);
        assert!(
            run.err.contains("set XDG_RUNTIME_DIR to a shorter path"),
            "{run:?}"
        );
    }
    // A client says the same and does not take it for a server that has ended.
    let mut command = user.command(&["show", "a"]);
    let run = run(command.env("XDG_RUNTIME_DIR", &long)).expect(5);
    assert!(run.err.contains("XDG_RUNTIME_DIR"), "{run:?}");
}

#[test]
fn a_lock_or_a_socket_that_is_something_else_is_told_to_the_terminal() {
    let user = user();
    let dir = user.runtime_dir().join("pizauth");
    fs::create_dir_all(dir.join("pizauth.sock/full")).unwrap();
    refused(&user, &["control socket"]);
    fs::remove_dir_all(dir.join("pizauth.sock")).unwrap();
    fs::remove_file(dir.join("pizauth.lock")).unwrap();
    symlink(user.dir().join("target"), dir.join("pizauth.lock")).unwrap();
    refused(&user, &["pizauth.lock"]);
    assert!(
        !user.dir().join("target").exists(),
        "a symlink was followed"
    );
}

#[test]
fn a_second_server_names_the_first() {
    let user = user();
    user.start_background();
    let pid = user.pid().unwrap();
    refused(&user, &["running already", &format!("process {pid})")]);
    assert_eq!(user.pid(), Some(pid));
    user.url("a");
}

#[test]
fn nobody_who_is_gone_is_named_as_the_server() {
    let user = user();
    user.start_background();
    user.run(&["shutdown"]).expect(0);
    // What a server leaves that is killed, and one that has just started finds.
    let mut killed = Command::new("true").spawn().unwrap();
    killed.wait().unwrap();
    fs::write(user.lock(), format!("{}\n", killed.id())).unwrap();
    let starting = File::open(user.lock()).unwrap();
    starting.try_lock().unwrap();
    refused(&user, &["running already: "]);
    // Closing it would not do: what other tests start inherits for a moment what is open.
    starting.unlock().unwrap();
    // One that ends in peace may still be there when the next one starts.
    user.start_background();
    user.run(&["shutdown"]).expect(0);
    assert_eq!(user.recorded_pid(), None);
}

#[test]
fn of_servers_that_start_at_once_one_wins() {
    let user = user();
    for _ in 0..5 {
        let start = |_| {
            let mut command = user.command(&["server"]);
            command
                .stderr(std::process::Stdio::piped())
                .spawn()
                .unwrap()
        };
        let starting: Vec<_> = (0..4).map(start).collect();
        let ended = starting
            .into_iter()
            .map(|it| it.wait_with_output().unwrap());
        let (won, lost): (Vec<_>, Vec<_>) = ended.partition(|it| it.status.success());
        assert_eq!(won.len(), 1, "{won:?}");
        let pid = user.pid().unwrap().to_string();
        for output in lost {
            let said = String::from_utf8(output.stderr).unwrap();
            assert!(said.contains("running already"), "{said}");
            // Whoever comes before the first one has written its id cannot name it; but nobody
            // must be named who is not there any more.
            assert!(!said.contains("process") || said.contains(&pid), "{said}");
        }
        user.url("a");
        user.run(&["shutdown"]).expect(0);
    }
}

#[test]
fn a_killed_server_leaves_nothing_in_the_way() {
    let user = user();
    for _ in 0..3 {
        user.start_background();
        let pid = user.pid().unwrap();
        kill(pid, Signal::SIGKILL).unwrap();
        wait_until("it is dead", || kill(pid, None).is_err() || is_zombie(pid));
        assert!(user.socket().exists());
        let run = user.show("a").expect(5);
        assert!(run.err.starts_with("ERROR - "), "{run:?}");
        assert!(run.err.contains("pizauth server"), "{run:?}");
    }
    user.start_background();
    user.url("a");
}

#[test]
fn shutdown_comes_back_when_another_server_can_start() {
    let user = user();
    let address = format!("127.0.0.1:{}", free_port());
    user.write_config(&format!("http_listen = \"{address}\";\n{}", account("a")));
    user.start_background();
    for _ in 0..10 {
        user.run(&["shutdown"]).expect(0);
        user.start_background();
    }
    // A login page that is being looked at must not keep the port.
    let _browser = std::net::TcpStream::connect(&address).unwrap();
    visit(&format!("http://{address}/"));
    user.run(&["shutdown"]).expect(0);
    user.start_background();
    assert_eq!(user.listeners()[0], address);
}

#[test]
fn a_signal_ends_it_and_removes_the_socket() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut user = Pizauth::start(&account("a"));
        user.signal(signal);
        assert!(user.wait_for_end().success(), "{signal}");
        assert!(!user.socket().exists(), "{signal}");
    }
    let user = user();
    user.start_background();
    let pid = user.pid().unwrap();
    kill(pid, Signal::SIGTERM).unwrap();
    wait_until("it ends", || kill(pid, None).is_err() || is_zombie(pid));
    assert!(!user.socket().exists());
}

#[test]
fn startup_cmd_runs_when_requests_are_answered() {
    let user = Pizauth::new();
    let record = Record::new(&user, "started");
    let shown = user.dir().join("shown");
    let program = env!("CARGO_BIN_EXE_pizauth");
    let script = format!(
        "'{program}' show a 2>'{}'; {}",
        shown.display(),
        record.script("$?")
    );
    let script = support::provider::quoted(&script);
    user.write_config(&format!("startup_cmd = {script};\n{}", account("a")));
    user.start_background();
    assert_eq!(record.wait_for_lines(1), ["3"]);
    let said = fs::read_to_string(shown).unwrap();
    assert!(said.contains(&user.url("a")), "{said}");
}

#[test]
#[cfg(target_os = "linux")]
fn the_server_hides_its_memory_and_leaves_the_terminal() {
    let user = user();
    user.start_background();
    let pid = user.pid().unwrap();
    let proc = |what: &str| std::path::PathBuf::from(format!("/proc/{pid}/{what}"));
    let limits = fs::read_to_string(proc("limits")).unwrap();
    let core = limits
        .lines()
        .find(|it| it.starts_with("Max core file size"));
    let core: Vec<&str> = core.unwrap().split_whitespace().collect();
    assert_eq!(core[4..6], ["0", "0"], "{limits}");
    // What is not dumpable belongs to root.
    let owner = std::os::unix::fs::MetadataExt::uid(&fs::metadata(proc("mem")).unwrap());
    assert_eq!(owner, 0);
    // Only root may look at these then.
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    for fd in ["0", "1", "2"] {
        let target = fs::read_link(proc("fd").join(fd)).unwrap();
        assert_eq!(target.to_str(), Some("/dev/null"));
    }
    assert_eq!(fs::read_link(proc("cwd")).unwrap().to_str(), Some("/"));
    let stat = fs::read_to_string(proc("stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    assert_eq!(fields[3], pid.to_string(), "it leads a session of its own");
    assert_eq!(fields[4], "0", "it has no terminal");
}

#[test]
fn a_command_substitution_comes_back() {
    let user = user();
    let mut shell = Command::new("/bin/sh");
    user.set_environment(&mut shell);
    shell.args([
        "-c",
        "out=$(\"$0\" server 2>&1); code=$?; \"$0\" info >/dev/null && echo \"$code\"",
    ]);
    let run = run(shell.arg(env!("CARGO_BIN_EXE_pizauth"))).expect(0);
    assert_eq!(run.out, "0\n");
}

#[test]
fn an_inherited_descriptor_is_not_kept_from_others() {
    let user = user();
    // The server must not hold on to a pipe that it knows nothing of: whoever reads it would wait
    // for ever.
    let mut shell = Command::new("/bin/sh");
    user.set_environment(&mut shell);
    shell.args(["-c", "\"$0\" server 2>/dev/null 7>&1 8>&1 1>/dev/null"]);
    let run = run(shell.arg(env!("CARGO_BIN_EXE_pizauth"))).expect(0);
    assert_eq!(run.out, "");
    user.url("a");
}

#[test]
fn a_relative_configuration_file_is_found_again() {
    let user = Pizauth::new();
    fs::write(user.dir().join("mine.conf"), account("one")).unwrap();
    user.run(&["server", "-c", "mine.conf"]).expect(0);
    fs::write(user.dir().join("mine.conf"), account("two")).unwrap();
    user.run(&["reload"]).expect(0);
    user.url("two");
    let info = user.info();
    assert_eq!(
        info["config"],
        user.dir().join("mine.conf").to_str().unwrap()
    );
}

#[test]
fn a_server_in_the_foreground_stays_there() {
    let mut user = Pizauth::start(&account("a"));
    let pid = user.pid().unwrap();
    assert_eq!(user.info()["pid"], pid.as_raw());
    user.run(&["shutdown"]).expect(0);
    assert!(user.wait_for_end().success());
    assert!(user.log().contains("ended"), "{}", user.log());
}
