//! `login` and `complete` with the real server: offered, waited for, and brought to their end.

#![allow(
    clippy::unwrap_used,
    reason = "a panic is how a test fails, in what its tests share too"
)]

mod support;

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use support::terminal::Terminal;
use support::*;

/// A provider, and a user who is not logged in to the account `a` there.
fn set_up(more: &str) -> (Provider, Pizauth) {
    let provider = Provider::start();
    let user = Pizauth::start(&provider.account("a", more));
    (provider, user)
}

/// `login` in the background, and the URL that it prints.
fn begun(user: &Pizauth, arguments: &[&str]) -> (Child, String) {
    let mut command = user.command(arguments);
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap());
    let mut lines = lines.lines().map_while(Result::ok);
    let url = lines.find_map(|line| line.strip_prefix("    http").map(|it| format!("http{it}")));
    let rest = move || lines.for_each(drop);
    std::thread::Builder::new().spawn(rest).unwrap();
    (child, url.unwrap())
}

fn code_of(mut child: Child) -> Option<i32> {
    wait_for("it ends", || child.try_wait().unwrap()).code()
}

#[test]
fn a_login_is_waited_for_to_its_end() {
    let (provider, user) = set_up("");
    let (child, url) = begun(&user, &["login", "--no-browser", "a"]);
    log_in(&provider, &url);
    assert_eq!(code_of(child), Some(0));
    assert_eq!(user.token("a"), provider.last_token());
    let run = user.run(&["login", "a"]).expect(0);
    assert!(run.err.contains("is logged in already"), "{run:?}");
    user.run(&["revoke", "a"]).expect(0);
    let (child, url) = begun(&user, &["login", "--no-browser", "a"]);
    visit(&format!(
        "{}&error=access_denied",
        support::browser::back(
            &url,
            &format!("state={}", support::browser::field(&url, "state").unwrap())
        )
    ));
    assert_eq!(code_of(child), Some(1));
}

#[test]
fn an_address_that_was_pasted_logs_in() {
    let (provider, user) = set_up("redirect_uri = \"http://localhost/back/here\";");
    let mut command = user.command(&["login", "--paste", "a"]);
    let mut terminal = Terminal::start(&mut command, 200);
    terminal.wait_for("then enter: ");
    let text = terminal.text();
    let url = text.lines().find_map(|line| line.strip_prefix("    http"));
    let url = format!("http{}", url.unwrap());
    let port = user.listeners()[0].rsplit_once(':').unwrap().1.to_owned();
    assert!(
        text.contains(&format!("ssh -L {port}:localhost:{port} ")),
        "{text}"
    );
    let back = provider.consent(&url);
    terminal.type_in("http://localhost/back/here?state=x&code=y\r");
    terminal.wait_for_times("then enter: ", 2);
    terminal.type_in(&format!("{back}\r"));
    assert!(terminal.wait_for_end().success());
    terminal.wait_for("account 'a' is logged in; its token is good until ");
    assert_eq!(user.token("a"), provider.last_token());
}

#[test]
fn complete_finishes_a_login_that_show_began() {
    for (name, bare) in [(Some("a"), false), (None, true)] {
        let (provider, user) = set_up("redirect_uri = \"http://localhost/back\";");
        let back = provider.consent(&user.url("a"));
        let query = back.split_once('?').unwrap().1;
        let input = if bare { query } else { &back };
        let arguments: Vec<&str> = ["complete"].into_iter().chain(name).collect();
        let run = user.run_with_input(&arguments, input).expect(0);
        assert!(run.err.starts_with("account 'a' is logged in"), "{run:?}");
        assert_eq!(user.token("a"), provider.last_token());
        let run = user.run_with_input(&arguments, input).expect(1);
        assert!(run.err.starts_with("ERROR - "), "{run:?}");
    }
}

#[test]
fn what_cannot_be_is_refused() {
    let (_provider, user) = set_up("");
    let run = user.run(&["login", "b"]).expect(1);
    assert!(run.err.contains("'b'"), "{run:?}");
    let run = user.run(&["login", "--device", "a"]).expect(1);
    assert!(run.err.starts_with("ERROR - account 'a'"), "{run:?}");
    let run = user
        .run_with_input(&["complete", "b"], "state=s&code=c")
        .expect(1);
    assert!(run.err.contains("'b'"), "{run:?}");
}

/// A provider with codes: the first two questions come too early, and the code is worth a token
/// or nothing.
fn with_codes(provider: &Provider, end: &'static str) -> String {
    let asked = std::sync::atomic::AtomicU32::new(0);
    provider.rule(move |request| {
        if request.line.contains("/device") {
            return Some(Answer::json(
                200,
                r#"{"device_code": "SECRET-d", "user_code": "WDJB-MJHT", "interval": 1,
                    "verification_uri": "https://example.com/device", "expires_in": 600}"#,
            ));
        }
        if request.field("device_code") != Some("SECRET-d") {
            return None;
        }
        Some(
            match asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
                0 => Answer::error(400, "authorization_pending", "not yet"),
                _ if end.starts_with('{') => Answer::json(200, end),
                _ => Answer::error(400, end, "so it is"),
            },
        )
    });
    format!("device_uri = \"http://{}/device\";", provider.address())
}

#[test]
fn a_code_logs_in_where_there_is_no_browser() {
    let good = r#"{"access_token": "SECRET-t", "token_type": "Bearer", "expires_in": 3600,
        "refresh_token": "SECRET-r"}"#;
    for (arguments, end, exit) in [
        (&["login", "a"][..], good, 0),
        (&["login", "--device", "a"], good, 0),
        (&["login", "--device", "a"], "access_denied", 1),
    ] {
        let provider = Provider::start();
        let more = with_codes(&provider, end);
        let user = Pizauth::start(&provider.account("a", &more));
        let mut command = user.command(arguments);
        command.env("SSH_TTY", "/dev/pts/0");
        let run = support::pizauth::run(&mut command).expect(exit);
        assert!(
            run.err.contains("\n    https://example.com/device\n"),
            "{run:?}"
        );
        assert!(run.err.contains("\n    WDJB-MJHT\n"), "{run:?}");
        assert!(run.err.contains("the code is good until "), "{run:?}");
        let said = if exit == 0 {
            "'a' is logged in; "
        } else {
            "access_denied"
        };
        assert!(run.err.contains(said), "{run:?}");
        if exit == 0 {
            assert_eq!(user.token("a"), "SECRET-t");
        }
    }
}

#[test]
fn show_and_status_tell_the_code() {
    let provider = Provider::start();
    let more = with_codes(&provider, "authorization_pending");
    let account = provider.account("a", &format!("{more} grant = \"device_code\";"));
    let user = Pizauth::start(&account);
    let told = wait_for("there is a code", || {
        let run = user.show("a");
        run.err.contains("with URL").then_some(run)
    });
    assert_eq!(
        told.err,
        "ERROR - Token unavailable until authorised with URL https://example.com/device \
         and code WDJB-MJHT\n"
    );
    let run = user.run(&["status"]).expect(0);
    let line = "log in at https://example.com/device with the code WDJB-MJHT\n";
    assert!(run.out.contains(line), "{run:?}");
}

#[test]
fn who_waits_outlives_the_server() {
    let (provider, user) = set_up("");
    let (child, url) = begun(&user, &["login", "--no-browser", "a"]);
    user.run(&["server", "--replace"]).expect(0);
    log_in(&provider, &url);
    assert_eq!(code_of(child), Some(0));
    assert_eq!(user.token("a"), provider.last_token());
}
