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
