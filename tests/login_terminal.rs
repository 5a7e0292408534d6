//! `login` and `complete` as a person meets them: in a terminal, with a server that follows a
//! script.

#![allow(
    clippy::unwrap_used,
    reason = "a panic is how a test fails, in what its tests share too"
)]

mod support;

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use ::pizauth::protocol::{Reply, Request};
use ::pizauth::secret::SecretText;
use ::pizauth::sys::is_ignored;
use nix::sys::signal::Signal;
use support::pizauth::write_program;
use support::scripted::{Scripted, Told};
use support::terminal::Terminal;
use support::*;

/// What everybody is sent to.
const URL: &str = "https://example.com/authorize?client_id=c&state=s";
/// Where the browser ends.
const BACK: &str = "http://localhost:1420/?state=s&code=CODE";
const PROMPT: &str = "address (not shown), then enter: ";

fn document(text: &str) -> Reply {
    Reply::Document(SecretText::new(text.to_owned()))
}

fn offer(more: &str) -> Reply {
    document(&format!(
        r#"{{"account": "work", "login": 7, "url": "{URL}", "redirect_port": 1420, {more}
            "device_is_possible": false}}"#
    ))
}

fn code() -> Reply {
    document(
        r#"{"account": "work", "login": 8, "url": "https://example.com/device",
            "user_code": "WDJB-MJHT", "code_expires_at": "2125-03-10T12:25:00Z",
            "device_is_possible": true}"#,
    )
}

fn logged_in() -> Reply {
    document(r#"{"account": "work", "expires_at": "2125-03-10T12:25:00Z", "refreshable": true}"#)
}

/// A server that offers this login, knows where the browser ends, and leaves others waiting.
fn server(user: &Pizauth, offered: impl Fn() -> Reply + Send + Sync + 'static) -> Scripted {
    Scripted::start(&user.socket(), move |request| match request {
        Request::Login(..) => Told::Reply(offered()),
        Request::Complete(_, url) if url.expose() == BACK => Told::Reply(logged_in()),
        Request::Complete(..) => Told::Reply(Reply::Error("that is no login's state".into())),
        Request::Status => Told::Reply(document(r#"{"accounts": []}"#)),
        Request::Info => Told::Reply(document("{}")),
        _ => Told::Wait,
    })
}

fn login(user: &Pizauth, arguments: &[&str], columns: u16) -> Terminal {
    login_in(user, arguments, columns, &[("SSH_TTY", "/dev/pts/0")])
}

fn login_in(
    user: &Pizauth,
    arguments: &[&str],
    columns: u16,
    environment: &[(&str, &str)],
) -> Terminal {
    let mut command = user.command(arguments);
    command
        .env("TERM", "xterm-256color")
        .env("LC_ALL", "C.UTF-8")
        .envs(environment.iter().copied());
    Terminal::start(&mut command, columns)
}

#[test]
fn an_address_is_pasted_unseen() {
    let user = Pizauth::new();
    let server = server(&user, || offer(""));
    let ssh = ("SSH_CONNECTION", "192.0.2.1 5 192.0.2.2 22");
    let mut terminal = login_in(&user, &["login", "work"], 80, &[ssh]);
    terminal.wait_for(PROMPT);
    for part in [
        "over ssh",
        URL,
        "\n    ssh -L 1420:localhost:1420 192.0.2.2\n",
    ] {
        assert!(terminal.text().contains(part), "no '{part}'");
    }
    assert!(!terminal.is_ordinary());
    terminal.type_in("\n");
    terminal.wait_for_times(PROMPT, 2);
    terminal.type_in("not a URL\r");
    terminal.wait_for_times(PROMPT, 3);
    assert!(terminal.text().contains("ERROR - that is no URL"));
    terminal.type_in("http://localhost:1420/?state=old&code=CODE\r");
    terminal.wait_for_times(PROMPT, 4);
    assert!(terminal.text().contains("ERROR - that is no login's state"));
    terminal.type_in(
        "mistake\x15\x1b[200~ <http://localhost:1420/?sta\rte=s&code=CODEX\x7f>\x1b[201~\r",
    );
    assert!(terminal.wait_for_end().success());
    terminal.wait_for("account 'work' is logged in; its token is good until 2125-");
    assert!(!terminal.text().contains("CODE"), "a code is shown");
    assert!(terminal.is_ordinary());
    let requests = server.requests();
    assert_eq!(requests[0], "login\twork\tconfigured\n");
    let await_end = |it: &&String| it.starts_with("await\twork\t7\t");
    assert_eq!(requests.iter().filter(await_end).count(), 1);
    let last = format!("complete\t{}\twork\n{BACK}", BACK.len());
    assert_eq!(requests.last(), Some(&last));
}

/// Longer than a terminal's own lines, and in as many pieces as it takes.
#[test]
fn a_long_code_is_not_cut() {
    let user = Pizauth::new();
    let server = server(&user, || offer(""));
    let mut terminal = login(&user, &["login", "--paste", "work"], 80);
    terminal.wait_for(PROMPT);
    let url = format!("http://localhost/?state=s&code={}", "x".repeat(12_000));
    for piece in url.as_bytes().chunks(1000) {
        terminal.type_in(std::str::from_utf8(piece).unwrap());
    }
    terminal.type_in("\r");
    terminal.wait_for("no login's state");
    assert!(server.requests().last().unwrap().ends_with(&url));
    terminal.wait_for_times(PROMPT, 2);
    for _ in 0..20 {
        terminal.type_in(&"y".repeat(1000));
    }
    terminal.type_in("\r");
    terminal.wait_for("16384");
}

#[test]
fn the_browser_may_come_back_by_itself() {
    let user = Pizauth::new();
    let server = server(&user, || offer(""));
    let mut terminal = login(&user, &["login", "--paste", "work"], 80);
    terminal.wait_for(PROMPT);
    wait_until("it waits", || server.waiting() == 1);
    server.answer_waiting(&logged_in());
    assert!(terminal.wait_for_end().success());
    assert!(terminal.is_ordinary());
}

#[test]
fn a_login_that_fails_is_an_error() {
    let user = Pizauth::new();
    let server = server(&user, || offer(""));
    let mut terminal = login(&user, &["login", "--paste", "work"], 80);
    wait_until("it waits", || server.waiting() == 1);
    terminal.wait_for(PROMPT);
    server.answer_waiting(&Reply::Error("access_denied".into()));
    assert_eq!(terminal.wait_for_end().code(), Some(1));
    terminal.wait_for("\nERROR - access_denied\n");
    assert!(terminal.is_ordinary());
}

#[test]
fn whatever_ends_it_the_terminal_is_as_it_was() {
    let signals = [
        Signal::SIGINT,
        Signal::SIGTERM,
        Signal::SIGHUP,
        Signal::SIGQUIT,
    ];
    let user = Pizauth::new();
    let _server = server(&user, || offer(""));
    for signal in signals.into_iter().filter(|&it| !is_ignored(it)) {
        for arguments in [&["login", "--paste", "work"][..], &["complete", "work"]] {
            let mut terminal = login(&user, arguments, 80);
            terminal.wait_for(PROMPT);
            assert!(!terminal.is_ordinary());
            terminal.signal(signal);
            let status = terminal.wait_for_end();
            assert_eq!(status.signal(), Some(signal as i32), "{status}");
            assert!(terminal.is_ordinary(), "{signal}");
            terminal.wait_for("\nthe login stays open: 'pizauth complete work' finishes it\n");
        }
    }
    // Who started the tests may have them ignore it.
    let interrupt = (!is_ignored(Signal::SIGINT)).then_some(Signal::SIGINT as i32);
    for (keys, signal, code) in [
        ("abc\x03", interrupt, interrupt.is_none().then_some(3)),
        ("\x04", None, Some(3)),
    ] {
        let mut terminal = login(&user, &["login", "--paste", "work"], 80);
        terminal.wait_for(PROMPT);
        terminal.type_in(keys);
        let status = terminal.wait_for_end();
        assert_eq!((status.signal(), status.code()), (signal, code));
        assert!(terminal.is_ordinary());
    }
}

#[test]
fn what_was_ignored_goes_on_to_be() {
    let user = Pizauth::new();
    let server = server(&user, || offer(""));
    let mut command = Command::new("sh");
    let pizauth = user.command(&["login", "--paste", "work"]);
    command
        .args(["-c", "trap '' HUP INT; exec \"$@\"", "sh"])
        .arg(pizauth.get_program())
        .args(pizauth.get_args())
        .envs(
            pizauth
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .env("SSH_TTY", "/dev/pts/0");
    let mut terminal = Terminal::start(&mut command, 80);
    terminal.wait_for(PROMPT);
    terminal.signal(Signal::SIGHUP);
    terminal.signal(Signal::SIGINT);
    terminal.type_in(&format!("{BACK}\r"));
    assert!(terminal.wait_for_end().success());
    assert!(server.requests().last().unwrap().ends_with(BACK));
}

#[test]
fn who_stops_for_a_while_goes_on_unseen() {
    let user = Pizauth::new();
    let _server = server(&user, || offer(""));
    let mut terminal = login(&user, &["login", "--paste", "work"], 80);
    terminal.wait_for(PROMPT);
    terminal.type_in("\x1a");
    wait_until("it goes on", || {
        // It may not have stopped yet.
        terminal.signal(Signal::SIGCONT);
        terminal.text().matches(PROMPT).count() == 2
    });
    assert!(!terminal.is_ordinary());
    terminal.type_in(&format!("{BACK}\r"));
    assert!(terminal.wait_for_end().success());
    assert!(!terminal.text().contains("CODE"));
    assert!(terminal.is_ordinary());
}

#[test]
fn complete_asks_for_the_address_and_reads_it_from_a_pipe() {
    let user = Pizauth::new();
    let server = server(&user, || offer(""));
    let mut terminal = login(&user, &["complete"], 80);
    terminal.wait_for(PROMPT);
    terminal.type_in(&format!("{BACK}\r"));
    assert!(terminal.wait_for_end().success());
    terminal.wait_for("is logged in");
    assert!(!terminal.text().contains("CODE"));
    let sent = |account: &str| format!("complete\t{}\t{account}\n{BACK}", BACK.len());
    assert_eq!(server.requests(), ["info\n", &sent("")]);
    let input = format!("'{BACK}'\r\n");
    let run = user.run_with_input(&["complete", "work"], &input).expect(0);
    assert!(
        run.err.starts_with("account 'work' is logged in"),
        "{run:?}"
    );
    assert_eq!(run.out, "");
    assert_eq!(server.requests()[2], sent("work"));
    let wrong = "?state=x&code=CODE";
    let run = user.run_with_input(&["complete"], wrong).expect(1);
    assert_eq!(run.err, "ERROR - that is no login's state\n");
    let run = user.run_with_input(&["complete"], "CODE").expect(1);
    assert!(run.err.starts_with("ERROR - that is no URL"), "{run:?}");
    assert!(!run.err.contains("CODE"), "{run:?}");
    user.run(&["complete"]).expect(3);
}

#[test]
fn nobody_is_asked_where_there_is_no_server() {
    let user = Pizauth::new();
    let mut terminal = login(&user, &["complete"], 80);
    assert_eq!(terminal.wait_for_end().code(), Some(5));
    terminal.wait_for("ERROR - the pizauth server is not running");
    assert!(!terminal.text().contains(PROMPT));
    assert!(terminal.is_ordinary());
}

#[test]
fn a_code_is_shown_with_a_picture_where_there_is_room() {
    let user = Pizauth::new();
    let server = server(&user, code);
    for (columns, locale, picture) in [
        (80, "C.UTF-8", true),
        (20, "C.UTF-8", false),
        (80, "C", false),
    ] {
        let locale = ("LC_ALL", locale);
        let mut terminal = login_in(&user, &["login", "--device", "work"], columns, &[locale]);
        terminal.wait_for("waiting for the login");
        let text = terminal.text();
        assert!(
            text.contains("\n    https://example.com/device\n"),
            "{text}"
        );
        assert!(text.contains("WDJB-MJHT"), "{text}");
        assert!(text.contains("good until 2125-03-10"), "{text}");
        assert_eq!(text.contains('\u{2580}'), picture, "{text}");
        assert!(terminal.is_ordinary());
        wait_until("it waits", || server.waiting() == 1);
        server.answer_waiting(&logged_in());
        assert!(terminal.wait_for_end().success());
    }
    assert_eq!(server.requests()[0], "login\twork\tdevice\n");
}

#[test]
fn over_ssh_a_code_is_asked_for_where_there_can_be_one() {
    let user = Pizauth::new();
    let possible = r#"{"account": "work", "login": 7, "url": "https://example.com/",
        "redirect_port": 1420, "device_is_possible": true}"#;
    let server = Scripted::start(&user.socket(), move |request| match request {
        Request::Login(_, method) => Told::Reply(match method {
            ::pizauth::protocol::LoginMethod::Device => code(),
            _ => document(possible),
        }),
        _ => Told::Wait,
    });
    let mut terminal = login(&user, &["login", "work"], 80);
    terminal.wait_for("WDJB-MJHT");
    wait_until("it waits", || server.waiting() == 1);
    server.answer_waiting(&logged_in());
    assert!(terminal.wait_for_end().success());
    let requests = server.requests();
    assert_eq!(requests[1], "login\twork\tdevice\n");
    assert!(requests[2].starts_with("await\twork\t8\t"));
}

#[test]
fn without_a_terminal_there_are_plain_lines() {
    let user = Pizauth::new();
    let server = server(&user, || offer(""));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            wait_until("it waits", || server.waiting() == 1);
            server.answer_waiting(&logged_in());
        });
        let run = user.run(&["login", "--no-browser", "work"]).expect(0);
        assert_eq!(run.out, "");
        assert!(run.err.contains(&format!("\n    {URL}\n")), "{run:?}");
        assert!(!run.err.contains('\x1b'), "{run:?}");
    });
}

#[test]
fn a_browser_is_opened_with_the_url_and_nothing_of_the_terminal() {
    let user = Pizauth::new();
    let server = server(&user, || offer(""));
    let browser = user.dir().join("bin/my browser");
    let seen = user.dir().join("seen");
    let script = format!(
        "#!/bin/sh\nprintf '%s\\n' \"$@\" >'{0}.new'\nmv '{0}.new' '{0}'\n",
        seen.display()
    );
    write_program(&browser, &script);
    let browsers = format!("/nonexistent/browser:'{}' --new %s", browser.display());
    let mut terminal = login_in(&user, &["login", "work"], 80, &[("BROWSER", &browsers)]);
    terminal.wait_for("waiting for the login");
    let shown = wait_for("the browser is there", || fs::read_to_string(&seen).ok());
    assert_eq!(shown, format!("--new\n{URL}\n"));
    wait_until("it waits", || server.waiting() == 1);
    server.answer_waiting(&logged_in());
    assert!(terminal.wait_for_end().success());
    assert!(terminal.text().contains(URL));
}

#[test]
fn a_browser_that_fails_is_told() {
    let user = Pizauth::new();
    let _server = server(&user, || offer(""));
    let terminal = login_in(&user, &["login", "work"], 80, &[("BROWSER", "false")]);
    terminal.wait_for("'false' failed");
    let terminal = login_in(&user, &["login", "work"], 80, &[("BROWSER", "/no/such")]);
    terminal.wait_for("no browser can be started ('/no/such': no such file");
    terminal.wait_for("waiting for the login");
}

#[test]
fn who_is_logged_in_is_told_until_when() {
    let user = Pizauth::new();
    let _server = server(&user, || {
        offer(r#""logged_in_until": "2125-03-10T12:25:00Z","#)
    });
    let run = user.run(&["login", "work"]).expect(0);
    assert!(run.err.contains("is logged in already"), "{run:?}");
    assert!(run.err.contains("until 2125-03-10"), "{run:?}");
    assert!(run.err.contains("'pizauth revoke work'"), "{run:?}");
}

#[test]
fn a_refusal_has_the_exit_code_of_its_kind() {
    for (reply, code) in [
        (Reply::Error("there is no account 'work'".into()), 1),
        (Reply::TryLater("the provider does not answer".into()), 4),
    ] {
        let user = Pizauth::new();
        let text = format!("{reply:?}");
        let reply = std::sync::Mutex::new(Some(reply));
        let _server = server(&user, move || reply.lock().unwrap().take().unwrap());
        let run = user.run(&["login", "work"]).expect(code);
        assert!(run.err.starts_with("ERROR - "), "{run:?} {text}");
    }
}
