//! The command line: exit codes, usage errors, help, and the commands that need no server.

mod support;

use std::os::unix::net::UnixListener;

use serde_json::Value;
use support::*;

/// Every command, with arguments that it takes.
const COMMANDS: [&[&str]; 16] = [
    &["server"],
    &["show", "a"],
    &["refresh", "a"],
    &["login", "a"],
    &["complete"],
    &["git-credential", "get"],
    &["reload"],
    &["status"],
    &["info"],
    &["revoke", "a"],
    &["dump"],
    &["restore"],
    &["check"],
    &["doctor"],
    &["shutdown"],
    &["completions", "bash"],
];

/// An account that nobody logs in to.
const ACCOUNT: &str = "account \"a\" { auth_uri = \"http://localhost:1/auth\"; \
                       token_uri = \"http://localhost:1/token\"; client_id = \"c\"; }\n";

/// Those that ask the server for something.
fn clients() -> impl Iterator<Item = &'static [&'static str]> {
    let alone = ["server", "info", "check", "doctor", "completions"];
    COMMANDS
        .into_iter()
        .filter(move |it| !alone.contains(&it[0]))
}

/// What a command reads before it asks the server.
fn input(arguments: &[&str]) -> &'static str {
    match arguments[0] {
        "complete" => "http://localhost/?state=s&code=c\n",
        "git-credential" => "protocol=https\nhost=a\n\n",
        _ => "a dump",
    }
}

#[test]
fn without_a_server_the_exit_code_is_5() {
    let user = Pizauth::with_config(ACCOUNT);
    let all = clients().chain([
        &["show", "-u", "a"][..],
        &["show", "--wait=10s", "a"],
        &["refresh", "-u", "a"],
        &["status", "--json"],
    ]);
    for arguments in all {
        let run = user.run_with_input(arguments, input(arguments)).expect(5);
        assert_eq!(run.out, "", "{arguments:?}");
        assert_eq!(
            run.err,
            "ERROR - the pizauth server is not running: start it with 'pizauth server'\n"
        );
    }
    // No more does it make anything that was not there.
    assert!(!user.runtime_dir().join("pizauth").exists());
}

#[test]
fn a_dead_servers_socket_is_no_server() {
    let user = Pizauth::with_config(ACCOUNT);
    std::fs::create_dir(user.runtime_dir().join("pizauth")).unwrap();
    drop(UnixListener::bind(user.socket()).unwrap());
    for arguments in clients() {
        user.run_with_input(arguments, input(arguments)).expect(5);
    }
    assert!(user.run(&["info"]).expect(0).out.contains("not running"));
}

#[test]
fn a_server_that_hangs_up_is_no_server() {
    let user = Pizauth::with_config(ACCOUNT);
    std::fs::create_dir(user.runtime_dir().join("pizauth")).unwrap();
    let listener = UnixListener::bind(user.socket()).unwrap();
    std::thread::Builder::new()
        .spawn(move || listener.incoming().for_each(drop))
        .unwrap();
    for arguments in clients() {
        let run = user.run_with_input(arguments, input(arguments)).expect(5);
        assert!(run.err.starts_with("ERROR - "), "{run:?}");
        assert_eq!(run.out, "");
    }
}

#[test]
fn wrong_usage_is_2() {
    let user = Pizauth::with_config(ACCOUNT);
    for arguments in [
        &["frobnicate"][..],
        &["show"],
        &["show", "a", "b"],
        &["show", "--frobnicate", "a"],
        &["show", ""],
        &["show", "a\nb"],
        &["show", "--wait=soon", "a"],
        &["show", "--min-valid=1y", "a"],
        &["show", "--format=xoauth2", "a"],
        &["show", "--user=me", "a"],
        &["login"],
        &["login", "--paste", "--device", "a"],
        &["complete", "http://localhost:1/?state=s&code=c"],
        &["complete", "a", "http://localhost:1/?state=s&code=c"],
        &["git-credential"],
        &["refresh"],
        &["revoke"],
        &["reload", "now"],
        &["server", "extra"],
        &["server", "-c"],
        &["status", "-x"],
        &["completions"],
        &["completions", "tcsh"],
        &["--frobnicate"],
        &[],
    ] {
        let run = user.run(arguments).expect(2);
        assert_eq!(run.out, "", "{arguments:?}");
        assert!(!run.err.is_empty(), "{arguments:?}");
    }
}

#[test]
fn every_command_has_help_and_a_version() {
    let user = Pizauth::new();
    let version = format!("pizauth {}\n", env!("CARGO_PKG_VERSION"));
    for flag in ["--version", "-V"] {
        assert_eq!(user.run(&[flag]).expect(0).out, version);
    }
    let general = user.run(&["--help"]).expect(0);
    assert_eq!(general.err, "");
    for command in COMMANDS.map(|it| it[0]) {
        assert!(general.out.contains(command), "{command}");
        for flag in ["--help", "-h"] {
            let run = user.run(&[command, flag]).expect(0);
            assert!(
                run.out.contains(&format!("Usage: pizauth {command}")),
                "{run:?}"
            );
            assert_eq!(run.err, "");
        }
        assert_eq!(user.run(&[command, "--version"]).expect(0).out, version);
    }
}

#[test]
fn check_finds_every_mistake_without_a_server() {
    let user = Pizauth::with_config(ACCOUNT);
    let run = user.run(&["check"]).expect(0);
    assert_eq!((run.out.as_str(), run.err.as_str()), ("", ""));
    let bad = user.dir().join("bad.conf");
    std::fs::write(
        &bad,
        "account \"a\" { cliend_id = \"x\"; }\nhttp_listen = \"x\";\n",
    )
    .unwrap();
    for path in [bad.to_str().unwrap(), "bad.conf"] {
        let run = user.run(&["check", "-c", path]).expect(1);
        for part in [
            "client_id",
            "cliend_id",
            "auth_uri",
            "token_uri",
            "http_listen",
        ] {
            assert!(run.err.contains(part), "no '{part}' in {run:?}");
        }
        assert_eq!(run.out, "");
    }
    let run = user.run(&["check", "-c", "/nonexistent"]).expect(1);
    assert!(run.err.starts_with("ERROR - /nonexistent"), "{run:?}");
    std::fs::remove_file(user.config_file()).unwrap();
    let run = user.run(&["check"]).expect(1);
    assert!(run.err.contains("pizauth.conf"), "{run:?}");
    assert!(!user.runtime_dir().join("pizauth").exists());
}

#[test]
fn info_needs_neither_server_nor_configuration() {
    let user = Pizauth::new();
    let run = user.run(&["info"]).expect(0);
    assert_eq!(run.err, "");
    for part in [
        env!("CARGO_PKG_VERSION"),
        "not running",
        user.socket().to_str().unwrap(),
    ] {
        assert!(run.out.contains(part), "no '{part}' in {run:?}");
    }
    let run = user.run(&["info", "-j"]).expect(0);
    let info: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(info["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(info["socket"], user.socket().to_str().unwrap());
    assert_eq!(info["config"], user.config_file().to_str().unwrap());
    assert_eq!(info["server"], Value::Null);
}

#[test]
fn info_tells_of_the_server() {
    let user = Pizauth::start(ACCOUNT);
    let info = user.info();
    assert_eq!(info["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(info["pid"], user.pid().unwrap().as_raw());
    assert_eq!(info["accounts"], 1);
    let text = user.run(&["info"]).expect(0).out;
    for listener in user.listeners() {
        assert!(text.contains(&listener), "{text}");
    }
}

#[test]
fn completions_are_scripts() {
    let user = Pizauth::new();
    for shell in ["bash", "zsh", "fish"] {
        let run = user.run(&["completions", shell]).expect(0);
        assert!(
            run.out.contains("pizauth") && run.out.contains("refresh"),
            "{shell}"
        );
        assert_eq!(run.err, "");
        // What share/completions/_pizauth looks for.
        let zsh = run.out.contains("\n_pizauth_commands() {");
        assert_eq!(zsh, shell == "zsh");
    }
}

#[test]
fn status_tells_people_how_things_are() {
    let provider = Provider::start();
    let names = ["work", "home", "dead", "un\u{f6}d"];
    let config: String = names
        .iter()
        .map(|name| provider.account(name, ""))
        .collect();
    let user = Pizauth::start(&config);
    log_in(&provider, &user.url("work"));
    let url = user.url("home");
    log_in(&provider, &user.url("dead"));
    provider.script(Answer::of(503, "text/plain", ""));
    user.run(&["refresh", "dead"]).expect(4);
    let run = user.run(&["status"]).expect(0);
    assert_eq!(run.err, "");
    let line = |name: &str| run.out.lines().find(|line| line.starts_with(name)).unwrap();
    assert!(line("work").contains("active"), "{run:?}");
    assert!(line("home").contains("login needed"), "{run:?}");
    assert!(line("un\u{f6}d").contains("no token"), "{run:?}");
    assert!(run.out.contains(&url), "{run:?}");
    assert!(run.out.contains("503"), "{run:?}");
    assert!(!run.out.contains("SECRET"), "{run:?}");
    let json = user.run(&["status", "--json"]).expect(0).out;
    assert!(!json.contains("SECRET"), "{json}");
    let status: Value = serde_json::from_str(&json).unwrap();
    let found = status["accounts"].as_array().unwrap().iter();
    let found: Vec<_> = found.map(|it| it["account"].as_str().unwrap()).collect();
    assert_eq!(found, names);
}

#[test]
fn a_token_that_cannot_be_printed_is_no_success() {
    let provider = Provider::start();
    let user = Pizauth::start(&provider.account("a", ""));
    log_in(&provider, &user.url("a"));
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let run = user.command(&["show", "a"]).stdout(full).output().unwrap();
    assert_eq!(run.status.code(), Some(1));
    // Where there is nobody to talk to, the token is printed all the same.
    let mut shell = std::process::Command::new("/bin/sh");
    user.set_environment(&mut shell);
    shell.args(["-c", "\"$0\" show a 2>&- <&-"]);
    let run = support::pizauth::run(shell.arg(env!("CARGO_BIN_EXE_pizauth"))).expect(0);
    assert_eq!(run.out, format!("{}\n", provider.last_token()));
    // What is written nowhere is no success; what writes nothing needs no standard output.
    for (command, code) in [("show a", 1), ("dump", 1), ("reload", 0)] {
        let mut shell = std::process::Command::new("/bin/sh");
        user.set_environment(&mut shell);
        shell.args(["-c", &format!("\"$0\" {command} >&-")]);
        let run = support::pizauth::run(shell.arg(env!("CARGO_BIN_EXE_pizauth"))).expect(code);
        assert_eq!(run.err.contains("it is closed"), code == 1, "{run:?}");
    }
}

/// What `base64 -d` makes of it, without its own program.
#[expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
fn decoded(text: &str) -> String {
    use base64::Engine;
    let plain = base64::engine::general_purpose::STANDARD.decode(text.strip_suffix('\n').unwrap());
    String::from_utf8(plain.unwrap()).unwrap()
}

#[test]
fn a_token_is_printed_as_other_programs_want_it() {
    let provider = Provider::start();
    let user = Pizauth::start(&provider.account("a", ""));
    let url = support::pizauth::url_in(&user.run(&["show", "--format=header", "a"]));
    log_in(&provider, &url);
    let token = provider.last_token();
    let show = |arguments: &[&str]| {
        let run = user.run(&[&["show", "a"], arguments].concat()).expect(0);
        assert_eq!(run.err, "");
        run.out
    };
    assert_eq!(show(&["--format=token"]), format!("{token}\n"));
    let header = format!("Authorization: Bearer {token}\n");
    assert_eq!(show(&["--format=header"]), header);
    let user_name = "--user=you@example.com";
    assert_eq!(
        decoded(&show(&["--format=xoauth2", user_name])),
        format!("user=you@example.com\x01auth=Bearer {token}\x01\x01")
    );
    assert_eq!(
        decoded(&show(&["--format=oauthbearer", user_name])),
        format!("n,a=you@example.com,\x01auth=Bearer {token}\x01\x01")
    );
}

#[test]
fn names_are_taken_as_they_are() {
    let names = [
        "-dash",
        "--help",
        "a b",
        "\u{1f600}",
        "a'b\"c\\d",
        &"long".repeat(500),
    ];
    let provider = Provider::start();
    let config: String = names
        .iter()
        .map(|name| provider.account(name, ""))
        .collect();
    let user = Pizauth::start(&config);
    for name in names {
        let ask = |command| user.run(&[command, "--", name]);
        log_in(&provider, &support::pizauth::url_in(&ask("show")));
        assert_eq!(
            ask("show").expect(0).out,
            format!("{}\n", provider.last_token())
        );
        ask("refresh").expect(0);
        ask("revoke").expect(0);
    }
    let run = user.run(&["show", "nobo\u{202e}dy"]).expect(1);
    assert!(!run.err.contains('\u{202e}'), "{run:?}");
}
