//! What the server has given up, and the helper that does it in its place.

#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    reason = "tests and their helpers report by panicking"
)]

mod support;

use std::fs;
use std::path::Path;

use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, mkfifo};
use support::pizauth::is_zombie;
use support::provider::quoted;
use support::*;

/// A number or a word in /proc/PID/status.
#[track_caller]
fn vital(pid: Pid, name: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().to_owned()
}

fn is_gone(pid: Pid) -> bool {
    kill(pid, None).is_err() || is_zombie(pid)
}

/// A server whose helper has told its id.
fn start(provider: &Provider, more: &str, account: &str) -> (Pizauth, Pid) {
    let mut user = Pizauth::new();
    let started = Record::new(&user, "helper");
    user.write_config(&format!(
        "startup_cmd = {};\n{more}\n{}",
        quoted(&started.script("$PPID")),
        provider.account("a", account)
    ));
    user.start_foreground();
    let helper = started.wait_for_lines(1)[0].parse().unwrap();
    (user, Pid::from_raw(helper))
}

/// A command that says that it has begun, and then waits for a file.
fn waiting(user_dir: &Path, name: &str) -> String {
    let path = |what: &str| {
        user_dir
            .join(format!("{name}-{what}"))
            .display()
            .to_string()
    };
    quoted(&format!(
        "cat >/dev/null; echo $$ >'{0}.new'; mv '{0}.new' '{0}'; \
         while ! test -e '{1}'; do sleep 0.05; done; echo done; echo done >'{2}'",
        path("begun"),
        path("go"),
        path("done")
    ))
}

#[track_caller]
fn begun(user: &Pizauth, name: &str) -> Pid {
    let path = user.dir().join(format!("{name}-begun"));
    wait_until("the command has begun", || path.exists());
    let pid = fs::read_to_string(path).unwrap();
    Pid::from_raw(pid.trim().parse().unwrap())
}

#[test]
fn the_server_can_start_nothing_and_its_helper_can() {
    let provider = Provider::start();
    let (user, helper) = start(&provider, "", "");
    let server = user.pid().unwrap();
    assert_eq!(vital(server, "NoNewPrivs:"), "1");
    assert_eq!(vital(server, "Seccomp:"), "2");
    assert_eq!(vital(helper, "NoNewPrivs:"), "0");
    // What it costs is the server's affair, and not that of the user's commands.
    let huge_pages = |pid| vital(pid, "THP_enabled:");
    assert_eq!(huge_pages(server), "0");
    assert_eq!(huge_pages(helper), huge_pages(Pid::this()));
    assert_eq!(vital(helper, "Name:"), "pizauth-helper");
    // All threads, since it is they who run.
    for task in fs::read_dir(format!("/proc/{server}/task")).unwrap() {
        let task = task.unwrap().file_name().into_string().unwrap();
        let task = Pid::from_raw(task.parse().unwrap());
        assert_eq!(vital(task, "Seccomp:"), "2");
    }
    let protections = user.info()["protections"].as_array().unwrap().clone();
    let names: Vec<&str> = protections
        .iter()
        .filter(|it| it["in_force"] == true)
        .map(|it| it["name"].as_str().unwrap())
        .collect();
    for name in ["no new privileges", "system calls (seccomp)"] {
        assert!(names.contains(&name), "{protections:?}");
    }
    let told = user.run(&["info"]).expect(0);
    assert!(told.out.contains("protected by:"), "{told:?}");
}

#[test]
fn a_reload_may_name_files_and_commands_that_were_not_there() {
    let provider = Provider::start();
    let (user, _) = start(&provider, "", "");
    let certificate = user.dir().join("home/ca.pem");
    fs::write(&certificate, provider_certificate()).unwrap();
    let told = Record::new(&user, "told");
    let reload = |rest: &str| {
        user.write_config(&format!(
            "token_event_cmd = {};\n{}\n{rest}",
            quoted(&told.script("$PIZAUTH_EVENT")),
            provider.account("a", "ca_file = \"~/ca.pem\";")
        ));
        user.run(&["reload"])
    };
    // What is wrong elsewhere must not look as if the file could not be read.
    let run = reload("nothing = 1;").expect(1);
    assert!(run.err.contains("nothing"), "{run:?}");
    assert!(!run.err.contains("ca.pem"), "{run:?}");
    // What is wrong in the file itself is found although it was not named before.
    fs::write(&certificate, "rubbish").unwrap();
    let run = reload("").expect(1);
    assert!(run.err.contains("ca.pem"), "{run:?}");
    fs::write(&certificate, provider_certificate()).unwrap();
    reload("").expect(0);
    log_in(&provider, &user.url("a"));
    assert_eq!(told.wait_for_lines(1), ["token_new"]);
    fs::write(&certificate, "rubbish").unwrap();
    let run = reload("").expect(1);
    assert!(run.err.contains("ca.pem"), "{run:?}");
}

/// It could not be read twice: by the server, and by the process that runs its commands.
#[test]
fn a_configuration_that_is_no_file_is_not_read_again() {
    let provider = Provider::start();
    let (user, _) = start(&provider, "", "");
    fs::remove_file(user.config_file()).unwrap();
    mkfifo(&user.config_file(), Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
    let protections = user.info()["protections"].to_string();
    if protections.contains("{\"in_force\":true,\"name\":\"files (landlock)\"}") {
        let run = user.run(&["reload"]).expect(1);
        assert!(run.err.contains("not a regular file"), "{run:?}");
        user.show("a").expect(3);
    }
}

#[test]
fn the_helper_ends_with_the_server() {
    let provider = Provider::start();
    let (mut user, helper) = start(&provider, "", "");
    user.run(&["shutdown"]).expect(0);
    user.wait_for_end();
    wait_until("the helper has ended", || is_gone(helper));

    let (user, helper) = start(&provider, "", "");
    user.signal(Signal::SIGKILL);
    wait_until("the helper has ended", || is_gone(helper));
}

#[test]
fn what_ends_the_server_does_not_end_the_helper() {
    let provider = Provider::start();
    let (user, helper) = start(&provider, "", "");
    // A service manager tells all of a service's processes to end.
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        kill(helper, signal).unwrap();
    }
    let told = Record::new(&user, "told");
    user.write_config(&format!(
        "token_event_cmd = {};\n{}",
        quoted(&told.script("$PIZAUTH_EVENT")),
        provider.account("a", "")
    ));
    user.run(&["reload"]).expect(0);
    log_in(&provider, &user.url("a"));
    assert_eq!(told.wait_for_lines(1), ["token_new"]);
}

#[test]
fn what_tells_and_what_keeps_goes_on_when_the_server_was_killed_and_the_rest_does_not() {
    let provider = Provider::start();
    let user = Pizauth::new();
    let event = waiting(user.dir(), "event");
    let persist = waiting(user.dir(), "persist");
    let secret = waiting(user.dir(), "secret");
    let account = provider.account("a", "");
    user.write_config(&format!(
        "token_event_cmd = {event}; persist_cmd = {persist};\n{account}\
         account \"b\" {{ grant = \"client_credentials\"; token_uri = \"http://localhost:1/\"; \
         client_id = \"c\"; client_secret_cmd = {secret}; }}\n"
    ));
    user.start_background();
    log_in(&provider, &user.url("a"));
    user.show("b").expect(4);
    let (event, secret) = (begun(&user, "event"), begun(&user, "secret"));
    // It has read the whole dump.
    let persist = begun(&user, "persist");
    user.signal(Signal::SIGKILL);
    wait_until("client_secret_cmd was killed", || is_gone(secret));
    assert!(!is_gone(event) && !is_gone(persist));
    let file = |name: &str, what| user.dir().join(format!("{name}-{what}"));
    for name in ["event", "persist"] {
        fs::write(file(name, "go"), "").unwrap();
    }
    for name in ["event", "persist"] {
        wait_until("it is done", || file(name, "done").exists());
    }
    assert!(!user.dir().join("secret-done").exists());
}

#[test]
fn a_server_without_its_helper_goes_on_and_says_so() {
    let provider = Provider::start();
    let (user, helper) = start(&provider, "token_event_cmd = \"true\";", "");
    kill(helper, Signal::SIGKILL).unwrap();
    log_in(&provider, &user.url("a"));
    user.token("a");
    wait_until("it is told", || {
        user.log().contains("token_event_cmd could not be run")
    });
    assert!(
        user.log().contains("pizauth server --replace"),
        "{}",
        user.log()
    );
    user.run(&["refresh", "a"]).expect(0);
    let protections = user.info()["protections"].to_string();
    if protections.contains("{\"in_force\":true,\"name\":\"files (landlock)\"}") {
        // The server itself may not open it any more.
        let run = user.run(&["reload"]).expect(1);
        assert!(run.err.contains("--replace"), "{run:?}");
    }
    // A new server has a new helper.
    let old = user.pid().unwrap();
    user.run(&["server", "--replace"]).expect(0);
    assert_ne!(user.pid().unwrap(), old);
    user.run(&["reload"]).expect(0);
    user.token("a");
}

/// Any well-formed one.
fn provider_certificate() -> &'static str {
    "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"
}
