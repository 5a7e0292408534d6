//! The credential helper, asked by git itself.

#![allow(
    clippy::unwrap_used,
    reason = "a panic is how a test fails, in what its tests share too"
)]

mod support;

use std::io::Write;
use std::process::{Command, Stdio};

use support::pizauth::run;
use support::*;

/// A provider, and a user who is logged in to these accounts there.
fn logged_in(names: &[&str]) -> (Provider, Pizauth) {
    let provider = Provider::start();
    let accounts = names.iter().map(|name| provider.account(name, ""));
    let user = Pizauth::start(&accounts.collect::<String>());
    for name in names {
        log_in(&provider, &user.url(name));
    }
    (provider, user)
}

/// `git credential OPERATION` with this helper, which gets these lines.
fn git(user: &Pizauth, options: &str, operation: &str, lines: &str) -> Run {
    let program = env!("CARGO_BIN_EXE_pizauth");
    let helper = format!("credential.helper=!'{program}' git-credential {options}");
    let mut command = Command::new("git");
    user.set_environment(&mut command);
    command
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_TERMINAL_PROMPT", "0")
        .args(["-c", &helper, "credential", operation]);
    let input = user.dir().join("lines");
    std::fs::File::create(&input)
        .unwrap()
        .write_all(lines.as_bytes())
        .unwrap();
    command.stdin(Stdio::from(std::fs::File::open(input).unwrap()));
    run(&mut command)
}

/// The value of a key that git prints.
fn value(run: &Run, key: &str) -> Option<String> {
    let mut lines = run.out.lines().filter_map(|line| line.split_once('='));
    let found = lines.find(|(found, _)| *found == key);
    found.map(|(_, value)| value.to_owned())
}

#[test]
fn git_gets_the_token_of_the_account_that_it_means() {
    let (_provider, user) = logged_in(&["me", "you@mail.example.com", "git.example.com"]);
    let cases = [
        ("", "host=git.example.com\n", "git.example.com", "oauth2"),
        (
            "",
            "host=git.example.com:8443\n",
            "git.example.com",
            "oauth2",
        ),
        ("", "host=other.example.com\nusername=me\n", "me", "me"),
        (
            "",
            "host=mail.example.com\nusername=you\n",
            "you@mail.example.com",
            "you",
        ),
        ("--account me", "host=any.example.com\n", "me", "oauth2"),
        (
            "--account me",
            "host=git.example.com\nusername=x\n",
            "me",
            "x",
        ),
    ];
    for (options, lines, account, name) in cases {
        let run = git(
            &user,
            options,
            "fill",
            &format!("protocol=https\n{lines}\n"),
        )
        .expect(0);
        assert_eq!(
            value(&run, "password"),
            Some(user.token(account)),
            "{run:?}"
        );
        assert_eq!(value(&run, "username").as_deref(), Some(name), "{run:?}");
        let expires: i64 = value(&run, "password_expiry_utc").unwrap().parse().unwrap();
        let status = user.status(account);
        let expected: jiff::Timestamp = status["expires_at"].as_str().unwrap().parse().unwrap();
        assert!((expected.as_second() - expires).abs() <= 1, "{run:?}");
        assert_eq!(run.err, "");
    }
    let lines = "protocol=smtp\nhost=smtp.example.com:587\nusername=me\n\n";
    let run = git(&user, "", "fill", lines).expect(0);
    assert_eq!(value(&run, "password"), Some(user.token("me")));
}

#[test]
fn what_is_not_pizauth_s_is_left_to_the_next_helper() {
    let (_provider, user) = logged_in(&["me"]);
    for (options, lines) in [
        ("", "protocol=https\nhost=example.com\n"),
        ("", "protocol=https\nhost=example.com\nusername=you\n"),
        ("", "protocol=http\nhost=example.com\nusername=me\n"),
        ("--account me", "protocol=http\nhost=example.com\n"),
    ] {
        let run = user.run_with_input(
            &[&["git-credential"], &*words(options), &["get"]].concat(),
            lines,
        );
        let run = run.expect(0);
        assert_eq!((&*run.out, &*run.err), ("", ""), "{lines}");
        // The shell that git starts gives the operation to the last command.
        let both = format!("{options} get; f() {{ echo username=n; echo password=p; }}; f");
        let run = git(&user, &both, "fill", &format!("{lines}\n")).expect(0);
        assert_eq!(value(&run, "password").as_deref(), Some("p"), "{run:?}");
    }
}

fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

#[test]
fn a_login_that_is_needed_is_told_and_git_goes_on() {
    let provider = Provider::start();
    let user = Pizauth::start(&provider.account("me", ""));
    let lines = "protocol=https\nhost=example.com\nusername=me\n\n";
    let run = git(&user, "", "fill", lines);
    assert_ne!(run.code, 0, "{run:?}");
    assert!(
        run.err.contains("until authorised with URL http"),
        "{run:?}"
    );
    assert_eq!(run.out, "");
    let run = user
        .run_with_input(&["git-credential", "get"], lines)
        .expect(3);
    assert_eq!(run.out, "");
}

#[test]
fn a_token_that_was_refused_is_refreshed_and_never_forgotten() {
    let (provider, user) = logged_in(&["me"]);
    let before = user.token("me");
    let said = |password: &str| {
        format!("protocol=https\nhost=example.com\nusername=me\npassword={password}\n\n")
    };
    git(&user, "", "approve", &said(&before)).expect(0);
    git(&user, "", "reject", &said("another one")).expect(0);
    git(
        &user,
        "",
        "reject",
        "protocol=https\nhost=example.com\nusername=me\n\n",
    )
    .expect(0);
    assert_eq!(provider.refreshes().len(), 0);
    assert_eq!(user.token("me"), before);
    git(&user, "", "reject", &said(&before)).expect(0);
    assert_eq!(provider.refreshes().len(), 1);
    assert_ne!(user.token("me"), before);
    // What is refused again is the old one: it is not in force any more.
    git(&user, "", "reject", &said(&before)).expect(0);
    assert_eq!(provider.refreshes().len(), 1);
}

#[test]
fn what_cannot_be_refreshed_is_kept_and_told() {
    let provider = Provider::start();
    let user = Pizauth::start(&provider.account("me", ""));
    let answer = r#"{"access_token": "SECRET-only", "token_type": "bearer", "expires_in": 3600}"#;
    provider.script(Answer::of(200, "application/json", answer));
    log_in(&provider, &user.url("me"));
    let lines = "protocol=https\nhost=example.com\nusername=me\npassword=SECRET-only\n\n";
    let run = git(&user, "", "reject", lines);
    assert!(run.err.contains("'pizauth login me'"), "{run:?}");
    assert_eq!(user.token("me"), "SECRET-only");
}

/// The README's configuration, as git reads it.
#[test]
fn what_the_readme_says_works() {
    let (_provider, user) = logged_in(&["gmail", "gitlab"]);
    let readme = include_str!("../README.md");
    let (_, rest) = readme.split_once("```gitconfig\n").unwrap();
    let (config, _) = rest.split_once("```").unwrap();
    std::fs::write(user.dir().join("home/.gitconfig"), config).unwrap();
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_pizauth"));
    let mut path = program.parent().unwrap().as_os_str().to_owned();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap());
    let ask = |lines: &str| {
        std::fs::write(user.dir().join("lines"), lines).unwrap();
        let mut command = Command::new("git");
        user.set_environment(&mut command);
        command
            .env("PATH", &path)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env_remove("XDG_CONFIG_HOME")
            .args(["credential", "fill"])
            .stdin(std::fs::File::open(user.dir().join("lines")).unwrap());
        run(&mut command)
    };
    let lines = "protocol=smtp\nhost=smtp.gmail.com:587\nusername=you@gmail.com\n\n";
    let mail = ask(lines).expect(0);
    assert_eq!(value(&mail, "password"), Some(user.token("gmail")));
    let https = ask("protocol=https\nhost=gitlab.com\n\n").expect(0);
    assert_eq!(value(&https, "password"), Some(user.token("gitlab")));
    assert_ne!(ask("protocol=https\nhost=example.com\n\n").code, 0);
}

#[test]
fn what_git_would_not_send_is_refused() {
    let (_provider, user) = logged_in(&["me"]);
    let long = format!(
        "protocol=https\nusername=me\npath={}\n",
        "x".repeat(1 << 20)
    );
    for lines in [
        "protocol=https\nusername=me\0\n",
        "protocol=https\nusername=me\r\n",
        "username\n",
        &long,
    ] {
        let run = user
            .run_with_input(&["git-credential", "get"], lines)
            .expect(1);
        assert!(run.err.starts_with("ERROR - git sent"), "{run:?}");
        assert_eq!(run.out, "");
    }
    for operation in ["store", "capability", "approve"] {
        let run = user
            .run_with_input(&["git-credential", operation], "x")
            .expect(0);
        assert_eq!((&*run.out, &*run.err), ("", ""));
    }
}
