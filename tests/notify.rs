//! The user's commands: when they are run, what they get, and what they cannot do to the server.

mod support;

use std::fs;
use std::process::Command;
use std::time::Duration;

use nix::unistd::Pid;
use support::pizauth::write_program;
use support::provider::quoted;
use support::*;

/// A server whose configuration is made with the user's directory at hand.
fn start(config: impl FnOnce(&Pizauth) -> String) -> Pizauth {
    let mut user = Pizauth::new();
    user.write_config(&config(&user));
    user.start_foreground();
    user
}

#[test]
fn the_user_is_reminded_at_once_and_every_interval() {
    let provider = Provider::start();
    let mut asked = None;
    let user = start(|user| {
        let record = Record::new(user, "asked");
        let command = record.command("$PIZAUTH_ACCOUNT $PIZAUTH_URL");
        asked = Some(record);
        format!(
            "auth_notify_cmd = {command}; auth_notify_interval = 1s;\n{}",
            provider.account("a", "")
        )
    });
    let asked = asked.unwrap();
    let start = now();
    let url = user.url("a");
    let line = format!("a {url}");
    assert_eq!(asked.wait_for_lines(1)[0], line);
    for _ in 0..5 {
        // Asking again is no reason to tell the user again.
        user.url("a");
        user.run(&["refresh", "a"]).expect(3);
    }
    asked.wait_for_lines(3);
    assert!(
        start.elapsed() >= Duration::from_millis(1900),
        "{:?}",
        start.elapsed()
    );
    log_in(&provider, &url);
    // A reminder may have been on its way; once that is through, there is none any more.
    user.run(&["refresh", "a"]).expect(0);
    let so_far = asked.lines().len();
    let limit = start.elapsed().as_secs() as usize + 2;
    assert!(
        so_far <= limit,
        "{so_far} reminders, at most {limit} were due"
    );
    let status = user.status("a");
    assert!(status.get("url").is_none(), "{status}");
    assert!(asked.lines().iter().all(|it| *it == line));
}

#[test]
fn events_are_told_in_order() {
    let provider = Provider::start();
    let mut events = None;
    let user = start(|user| {
        let record = Record::new(user, "events");
        // Slow enough for several to wait.
        let script = format!(
            "sleep 0.05; {}; exit 3",
            record.script("$PIZAUTH_EVENT $PIZAUTH_ACCOUNT")
        );
        events = Some(record);
        format!(
            "token_event_cmd = {};\n{}",
            quoted(&script),
            provider.account("it's \"a\" $b `c`", "")
        )
    });
    let name = "it's \"a\" $b `c`";
    log_in(&provider, &user.url(name));
    for _ in 0..10 {
        user.run(&["refresh", name]).expect(0);
    }
    user.run(&["revoke", name]).expect(0);
    log_in(&provider, &user.url(name));
    let mut expected = vec![format!("token_new {name}")];
    expected.extend(vec![format!("token_refreshed {name}"); 10]);
    expected.push(format!("token_revoked {name}"));
    expected.push(format!("token_new {name}"));
    assert_eq!(events.unwrap().wait_for_lines(13), expected);
}

#[test]
fn errors_are_told_under_both_names_of_the_option() {
    for option in ["auth_error_cmd", "error_notify_cmd"] {
        let provider = Provider::start();
        let mut errors = None;
        let user = start(|user| {
            let record = Record::new(user, "errors");
            let command = record.command("$PIZAUTH_ACCOUNT: $PIZAUTH_MSG");
            errors = Some(record);
            format!("{option} = {command};\n{}", provider.account("a", ""))
        });
        let url = user.url("a");
        provider.script(Answer::error(400, "invalid_grant", "too late"));
        log_in(&provider, &url);
        let line = errors.unwrap().wait_for_lines(1)[0].clone();
        assert!(line.starts_with("a: "), "{line}");
        assert!(line.contains("invalid_grant: too late"), "{line}");
        assert!(!line.contains(&url), "{line}");
    }
}

#[test]
fn without_the_option_errors_are_logged() {
    let provider = Provider::start();
    let user = Pizauth::start(&provider.account("a", ""));
    provider.script(Answer::error(400, "invalid_grant", "too late"));
    log_in(&provider, &user.url("a"));
    wait_until("it is logged", || {
        user.log()
            .lines()
            .any(|line| line.contains("error: ") && line.contains("too late"))
    });
}

#[test]
fn repeated_failures_are_told_once_the_token_is_gone() {
    let provider = Provider::start();
    provider.set_lifetime(Some(1));
    let mut errors = None;
    let user = start(|user| {
        let record = Record::new(user, "errors");
        let command = record.command("$PIZAUTH_MSG");
        errors = Some(record);
        let account = provider.account("a", "refresh_retry = 1s;");
        format!("error_notify_cmd = {command};\n{account}")
    });
    let url = user.url("a");
    provider.rule(|it| {
        it.field("refresh_token")
            .map(|_| Answer::of(500, "text/plain", ""))
    });
    log_in(&provider, &url);
    let errors = errors.unwrap();
    let told = errors.wait_for_lines(1);
    assert!(
        told[0].contains("'a'") && told[0].contains("500"),
        "{told:?}"
    );
    let count = provider.refreshes().len();
    provider.wait_for_refreshes(count + 1);
    assert_eq!(errors.lines().len(), 1, "{:?}", errors.lines());
    provider.behave();
    wait_until("a token", || user.show("a").code == 0);
}

#[test]
fn a_command_has_a_clean_start() {
    let provider = Provider::start();
    let mut user = Pizauth::new();
    let done = Record::new(&user, "done");
    let at = |name: &str| user.dir().join(name).display().to_string();
    let script = format!(
        "env >'{}'; ls /proc/self/fd >'{}'; cat /proc/self/status >'{}'; cat; echo noise; \
         echo noise >&2; {}",
        at("env"),
        at("fds"),
        at("signals"),
        done.script("$PIZAUTH_EVENT")
    );
    user.write_config(&format!(
        "token_event_cmd = {};\n{}",
        quoted(&script),
        provider.account("a", "client_secret = \"SECRET-client\";")
    ));
    // The server itself has been given descriptors that are none of its business.
    user.start_foreground_with(|command| {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", "exec 7</dev/null 8<&1 9<&2; exec \"$@\"", "sh"]);
        shell.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            shell.env(name, value.unwrap());
        }
        let log = fs::OpenOptions::new()
            .append(true)
            .open(command.get_current_dir().unwrap().join("log"));
        shell.stderr(log.unwrap());
        *command = shell;
    });
    log_in(&provider, &user.url("a"));
    assert_eq!(done.wait_for_lines(1), ["token_new"]);
    let read = |name: &str| fs::read_to_string(user.dir().join(name)).unwrap();
    let env = read("env");
    assert!(!env.contains("SECRET"), "{env}");
    let ours: Vec<_> = env.lines().filter(|it| it.starts_with("PIZAUTH")).collect();
    assert_eq!(ours.len(), 2, "{ours:?}");
    assert!(ours.contains(&"PIZAUTH_ACCOUNT=a") && ours.contains(&"PIZAUTH_EVENT=token_new"));
    if cfg!(target_os = "linux") {
        // The last one is the directory itself.
        let fds: Vec<_> = read("fds").lines().map(str::to_owned).collect();
        assert_eq!(fds, ["0", "1", "2", "3"]);
        let signals = read("signals");
        let mask = |name: &str| {
            let line = signals.lines().find(|it| it.starts_with(name)).unwrap();
            u64::from_str_radix(line.split_whitespace().nth(1).unwrap(), 16).unwrap()
        };
        assert_eq!(mask("SigBlk"), 0, "signals are blocked");
        assert_eq!(mask("SigIgn") & (1 << (13 - 1)), 0, "SIGPIPE is ignored");
    }
    assert!(!user.log().contains("noise"), "{}", user.log());
}

#[test]
fn the_shell_is_the_users() {
    for shell in [None, Some(""), Some("own")] {
        let provider = Provider::start();
        let mut user = Pizauth::new();
        let record = Record::new(&user, "events");
        let command = record.command("$PIZAUTH_EVENT $OWN_SHELL");
        user.write_config(&format!(
            "token_event_cmd = {command};\n{}",
            provider.account("a", "")
        ));
        let own = user.dir().join("bin/shell");
        write_program(&own, "#!/bin/sh\nOWN_SHELL=own exec /bin/sh \"$@\"\n");
        user.start_foreground_with(|command| {
            match shell {
                None => command.env_remove("SHELL"),
                Some("") => command.env("SHELL", ""),
                Some(_) => command.env("SHELL", &own),
            };
        });
        log_in(&provider, &user.url("a"));
        let line = record.wait_for_lines(1).remove(0);
        let expected = format!("token_new {}", shell.unwrap_or_default());
        assert_eq!(line.trim_end(), expected.trim_end());
    }
}

#[test]
fn a_command_that_hangs_delays_nobody_and_is_killed_with_all_it_started() {
    let provider = Provider::start();
    let mut user = Pizauth::new();
    let (started, later) = (Record::new(&user, "started"), Record::new(&user, "later"));
    // A child that ignores what it can, in the background, and one in the foreground.
    let script = format!(
        "if mkdir '{0}' 2>/dev/null; then \
         (trap '' TERM HUP INT; sleep 600 & echo $! >'{0}/pid'; wait) & \
         while ! test -s '{0}/pid'; do :; done; {1}; sleep 600; else {2}; fi",
        user.dir().join("first").display(),
        started.script("$PIZAUTH_EVENT"),
        later.script("$PIZAUTH_EVENT")
    );
    user.write_config(&format!(
        "token_event_cmd = {};\n{}",
        quoted(&script),
        provider.account("a", "")
    ));
    user.start_foreground();
    let start = now();
    log_in(&provider, &user.url("a"));
    started.wait_for_lines(1);
    let pid = fs::read_to_string(user.dir().join("first/pid")).unwrap();
    let pid = Pid::from_raw(pid.trim().parse().unwrap());
    user.run(&["refresh", "a"]).expect(0);
    user.token("a");
    user.run(&["status"]).expect(0);
    user.run(&["reload"]).expect(0);
    assert!(later.lines().is_empty(), "one at a time");
    assert!(
        start.elapsed() < Duration::from_secs(9),
        "too slow a machine"
    );
    assert_eq!(later.wait_for_lines(1), ["token_refreshed"]);
    assert!(
        start.elapsed() >= Duration::from_secs(10),
        "{:?}",
        start.elapsed()
    );
    wait_until("its children are dead", || {
        nix::sys::signal::kill(pid, None).is_err() || support::pizauth::is_zombie(pid)
    });
    assert!(
        user.log().contains("token_event_cmd was killed"),
        "{}",
        user.log()
    );
}

#[test]
fn a_reload_changes_the_commands() {
    let provider = Provider::start();
    let mut user = Pizauth::new();
    let (old, new) = (Record::new(&user, "old"), Record::new(&user, "new"));
    let config = |record: &Record| {
        let command = record.command("$PIZAUTH_EVENT");
        format!(
            "token_event_cmd = {command};\n{}",
            provider.account("a", "")
        )
    };
    user.write_config(&config(&old));
    user.start_foreground();
    log_in(&provider, &user.url("a"));
    old.wait_for_lines(1);
    user.write_config(&config(&new));
    user.run(&["reload"]).expect(0);
    user.run(&["refresh", "a"]).expect(0);
    assert_eq!(new.wait_for_lines(1), ["token_refreshed"]);
    assert_eq!(old.lines(), ["token_new"]);
    // A command that cannot be run is no disaster.
    let broken = "token_event_cmd = \"/nonexistent/program\";\n".to_owned();
    user.write_config(&(broken + &provider.account("a", "")));
    user.run(&["reload"]).expect(0);
    user.run(&["refresh", "a"]).expect(0);
    wait_until("it is logged", || user.log().contains("exit status 127"));
    user.token("a");
}
