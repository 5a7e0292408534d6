//! Another user of the same machine gets nothing: no answer, although it may have come as far as
//! the socket, and no way to have the server write or listen where that user likes.
//!
//! What takes another user id needs root to try, and is left out where there is none.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "helpers of tests: a panic is how they report, and they have clocks of their own"
)]

mod support;

use std::fs::{self, Permissions};
use std::io::{IoSliceMut, Read, Write};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::unistd::{Pid, geteuid};
use support::attack::*;
use support::pizauth::{copy_program, start_as};
use support::*;

/// What counts as quick: far more than it takes, since the machine may be busy.
const QUICK: Duration = Duration::from_secs(3);

/// Tells this program, when it runs as somebody else, which socket to attack.
const TARGET: &str = "PIZAUTH_TEST_TARGET";
/// Tells it whose memory to look into.
const TRACED: &str = "PIZAUTH_TEST_TRACED";
/// Ids that nobody has: what they do concerns no other process.
const OWNER: u32 = 61_123;
const STRANGER: u32 = 61_124;
/// An account that nobody logs in to.
const CONFIG: &str = "account \"a\" { auth_uri = \"http://127.0.0.1:9/a\"; \
    token_uri = \"http://127.0.0.1:9/t\"; client_id = \"i\"; }\n";

fn is_root() -> bool {
    let root = geteuid().is_root();
    if !root {
        println!("left out: only root can become somebody else");
    }
    root
}

/// Lets everybody through to the control socket, as a user may do by mistake.
fn open_up(user: &Pizauth) {
    let run = user.runtime_dir();
    for dir in [user.dir(), &run, &run.join("pizauth")] {
        fs::set_permissions(dir, Permissions::from_mode(0o755)).unwrap();
    }
    fs::set_permissions(user.socket(), Permissions::from_mode(0o666)).unwrap();
}

/// This program, where everybody can run it: the tests' own directory may be closed to others.
fn stranger(user: &Pizauth) -> PathBuf {
    let program = user.dir().join("stranger");
    copy_program(&std::env::current_exe().unwrap(), &program);
    program
}

/// A process of `uid` that asks the server everything.
fn asking_as(uid: u32, program: &Path, user: &Pizauth) -> Command {
    let mut command = being(uid, program, "the_stranger");
    command.env(TARGET, user.socket());
    command
}

/// A process of `uid` that runs one of these functions.
fn being(uid: u32, program: &Path, who: &str) -> Command {
    let mut command = Command::new(program);
    command
        .args(["--exact", who, "--nocapture"])
        .uid(uid)
        .gid(uid)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    command
}

/// What the server says to each request of a process that runs under `uid`.
fn asked_by(uid: u32, user: &Pizauth) -> String {
    let output = asking_as(uid, &stranger(user), user).output().unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{out}");
    out
}

/// Not a test, but what the others run as somebody else: it says what it heard.
#[test]
fn the_stranger() {
    let Some(socket) = std::env::var_os(TARGET) else {
        return;
    };
    for request in [
        "show\ta\n",
        "dump\n",
        "status\n",
        "shutdown\n",
        "replace\t1\n",
        "",
    ] {
        let mut heard = Vec::new();
        match UnixStream::connect(&socket) {
            Err(error) => println!("kept out: {error}"),
            Ok(mut stream) => {
                stream
                    .set_read_timeout(Some(Duration::from_secs(20)))
                    .unwrap();
                let _ = stream.write_all(request.as_bytes());
                let ended = stream.read_to_end(&mut heard);
                println!(
                    "connected, heard {} bytes, {:?}",
                    heard.len(),
                    ended.map_err(|it| it.kind())
                );
            }
        }
    }
}

#[test]
fn a_stranger_is_hung_up_on_even_where_the_socket_is_open_to_all() {
    if !is_root() {
        return;
    }
    let provider = Provider::start();
    let user = Pizauth::start(&provider.account("a", ""));
    log_in(&provider, &user.url("a"));
    // As it is, the stranger does not come near.
    fs::set_permissions(user.dir(), Permissions::from_mode(0o755)).unwrap();
    let heard = asked_by(STRANGER, &user);
    assert_eq!(heard.matches("kept out: ").count(), 6, "{heard}");
    open_up(&user);
    let heard = asked_by(STRANGER, &user);
    assert_eq!(
        heard.matches("connected, heard 0 bytes").count(),
        6,
        "{heard}"
    );
    assert!(!heard.contains("WouldBlock"), "{heard}");
    assert_eq!(user.token("a"), provider.last_token());
}

#[test]
fn a_crowd_of_strangers_takes_no_place_from_the_owner() {
    if !is_root() {
        return;
    }
    let provider = Provider::start();
    let user = Pizauth::start(&provider.account("a", ""));
    log_in(&provider, &user.url("a"));
    open_up(&user);
    let program = stranger(&user);
    let crowd: Vec<_> = (0..40)
        .map(|_| asking_as(STRANGER, &program, &user).spawn().unwrap())
        .collect();
    let slowest = slowest_show(&user, "a", 40);
    assert!(slowest < QUICK, "{slowest:?}");
    for stranger in crowd {
        let heard = stranger.wait_with_output().unwrap().stdout;
        let heard = String::from_utf8(heard).unwrap();
        assert_eq!(heard.matches("heard 0 bytes").count(), 6, "{heard}");
    }
    assert_eq!(user.token("a"), provider.last_token());
}

/// Whoever tries again and again fills nobody's disk: a few are logged, the others counted.
#[test]
fn a_crowd_of_strangers_is_a_few_lines_in_the_log() {
    if !is_root() {
        return;
    }
    let mut user = Pizauth::start(CONFIG);
    open_up(&user);
    let program = stranger(&user);
    let start = Instant::now();
    for _ in 0..20 {
        let crowd = asking_as(STRANGER, &program, &user).output().unwrap();
        assert!(crowd.status.success());
    }
    user.run(&["shutdown"]).expect(0);
    assert!(user.wait_for_end().success());
    let log = user.log();
    let lines = log.matches("user 61124 was turned away from").count();
    // As many again for each minute that a busy machine takes.
    let minutes = usize::try_from(start.elapsed().as_secs()).unwrap() / 60 + 1;
    assert!((1..=5 * minutes).contains(&lines), "{lines}: {log}");
    let counted = log
        .lines()
        .filter_map(|line| line.split_once(" more were turned away from"));
    let more: usize = counted
        .map(|(before, _)| before.rsplit(' ').next().unwrap().parse::<usize>().unwrap())
        .sum();
    assert_eq!(lines + more, 120, "none is forgotten: {log}");
}

#[test]
fn root_may_ask_the_server_of_another_user() {
    if !is_root() {
        return;
    }
    let mut user = Pizauth::with_config(CONFIG);
    give_to(user.dir(), OWNER);
    start_as(&mut user, OWNER);
    assert!(ask(&user, "status\n").starts_with("document "));
    open_up(&user);
    let heard = asked_by(STRANGER, &user);
    assert_eq!(
        heard.matches("connected, heard 0 bytes").count(),
        6,
        "{heard}"
    );
    let heard = asked_by(OWNER, &user);
    let answered = heard.contains("connected, heard ") && !heard.contains("heard 0 bytes");
    assert!(answered, "{heard}");
}

/// Not a test, but what the next one runs as the server's own user: it says what it could do.
#[test]
fn the_tracer() {
    let Some(pid) = std::env::var_os(TRACED) else {
        return;
    };
    let pid: i32 = pid.to_str().unwrap().parse().unwrap();
    for file in ["mem", "environ", "maps", "fd"] {
        let path = format!("/proc/{pid}/{file}");
        let opened = match file {
            "fd" => fs::read_dir(path).map(drop),
            _ => fs::read(path).map(drop),
        };
        println!("{file}: {}", describe(opened.err().map(|it| it.kind())));
    }
    // The kernel asks for the same right here as where a debugger attaches.
    let there = [RemoteIoVec { base: 1, len: 1 }];
    let mut byte = [0];
    let here = &mut [IoSliceMut::new(&mut byte)];
    let read = process_vm_readv(Pid::from_raw(pid), here, &there).err();
    println!("memory: {}", describe(read));
}

fn describe(error: Option<impl std::fmt::Debug>) -> String {
    error.map_or("open to all".into(), |error| format!("{error:?}"))
}

#[test]
fn not_even_its_own_user_can_look_into_the_server_or_have_it_dumped() {
    if !is_root() {
        return;
    }
    let mut user = Pizauth::new();
    let helper = Record::new(&user, "helper");
    let command = format!("startup_cmd = {};\n", helper.command("$PPID"));
    user.write_config(&(command + CONFIG));
    give_to(user.dir(), OWNER);
    start_as(&mut user, OWNER);
    open_up(&user);
    let program = stranger(&user);
    let server = user.pid().unwrap();
    let helper = helper.wait_for_lines(1).remove(0);
    for pid in [&server.to_string(), &helper] {
        let mut tracer = being(OWNER, &program, "the_tracer");
        let output = tracer.env(TRACED, pid).output().unwrap();
        let out = String::from_utf8(output.stdout).unwrap();
        assert_eq!(out.matches("PermissionDenied").count(), 4, "{out}");
        assert!(out.contains("memory: EPERM"), "{out}");
    }
    // Not even where somebody takes away the limit that keeps it from being dumped.
    let prlimit = format!("prlimit --pid {server} --core=unlimited");
    let mut shell = Command::new("/bin/sh");
    // Not everywhere may root do so.
    let _ = shell.args(["-c", &prlimit]).stderr(Stdio::null()).status();
    kill(server, Signal::SIGABRT).unwrap();
    let status = user.wait_for_end();
    assert_eq!(status.signal(), Some(Signal::SIGABRT as i32));
    assert!(!status.core_dumped());
}

fn give_to(dir: &Path, uid: u32) {
    chown(dir, Some(uid), Some(uid)).unwrap();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => give_to(&path, uid),
            false => chown(path, Some(uid), Some(uid)).unwrap(),
        }
    }
}

/// A server that is not started, for whoever wants to prepare something for it.
fn not_started() -> Pizauth {
    Pizauth::with_config(CONFIG)
}

#[test]
fn a_runtime_directory_that_is_a_link_is_not_followed() {
    let user = not_started();
    let elsewhere = user.dir().join("home/elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    symlink(&elsewhere, user.runtime_dir().join("pizauth")).unwrap();
    let run = user.run(&["server"]).expect(1);
    assert!(run.err.contains("pizauth"), "{run:?}");
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
    // Nor does a client follow it to whoever listens there.
    let listener = UnixListener::bind(elsewhere.join("pizauth.sock")).unwrap();
    listener.set_nonblocking(true).unwrap();
    fs::remove_file(user.runtime_dir().join("pizauth")).unwrap();
    let run = user.show("a").expect(5);
    assert_eq!(run.out, "");
}

#[test]
fn a_lock_file_that_is_a_link_costs_its_target_nothing() {
    let user = not_started();
    let dir = user.runtime_dir().join("pizauth");
    fs::create_dir(&dir).unwrap();
    let victim = user.dir().join("home/mail");
    fs::write(&victim, "precious").unwrap();
    for target in [victim.clone(), user.dir().join("home/not-there")] {
        let lock = dir.join("pizauth.lock");
        symlink(&target, &lock).unwrap();
        let run = user.run(&["server"]).expect(1);
        assert!(run.err.contains("pizauth.lock"), "{run:?}");
        fs::remove_file(lock).unwrap();
    }
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
    assert!(!user.dir().join("home/not-there").exists());
    user.start_background();
    assert_eq!(user.state("a"), "empty");
}

#[test]
fn a_socket_that_is_a_link_costs_its_target_nothing() {
    let user = not_started();
    let dir = user.runtime_dir().join("pizauth");
    fs::create_dir(&dir).unwrap();
    let victim = user.dir().join("home/mail");
    fs::write(&victim, "precious").unwrap();
    symlink(&victim, user.socket()).unwrap();
    let started = user.run(&["server"]);
    // Whether it refuses, or puts its own socket in the place of the link: the target stays.
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
    if started.code == 0 {
        assert!(!fs::symlink_metadata(user.socket()).unwrap().is_symlink());
        assert_eq!(user.state("a"), "empty");
    } else {
        assert!(started.err.contains("pizauth.sock"), "{started:?}");
    }
}

/// While servers start and end, somebody swaps what is in the runtime directory for links.
#[test]
fn links_that_come_and_go_while_it_starts_lead_it_nowhere() {
    let user = not_started();
    let dir = user.runtime_dir().join("pizauth");
    let victim = user.dir().join("home/mail");
    fs::write(&victim, "precious").unwrap();
    fs::set_permissions(&victim, Permissions::from_mode(0o644)).unwrap();
    let mut random = Random(0x11_4b5);
    for _ in 0..20 {
        let mut starting = user.spawn(&["server", "-d"]);
        let name = random.pick(&["pizauth.lock", "pizauth.sock"]);
        wait_until("something is there to be swapped", || {
            let swapped = fs::remove_file(dir.join(name)).is_ok();
            let _ = symlink(&victim, dir.join(name));
            swapped || starting.try_wait().unwrap().is_some()
        });
        let _ = starting.kill();
        starting.wait().unwrap();
        for name in ["pizauth.lock", "pizauth.sock"] {
            let _ = fs::remove_file(dir.join(name));
        }
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
        let mode = fs::metadata(&victim).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o644);
    }
    user.start_background();
    assert_eq!(user.state("a"), "empty");
}
