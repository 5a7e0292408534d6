//! Reading the configuration again: what changes, what stays, and that a bad file changes nothing.

mod support;

use std::net::{TcpListener, TcpStream};

use nix::sys::signal::Signal;
use support::browser::field;
use support::*;

#[track_caller]
fn reload(user: &Pizauth, config: &str) {
    user.write_config(config);
    let run = user.run(&["reload"]).expect(0);
    assert_eq!((run.out.as_str(), run.err.as_str()), ("", ""));
}

#[test]
fn a_bad_file_changes_nothing_and_is_told_in_full() {
    let provider = Provider::start();
    let good = provider.account("a", "") + &provider.account("b", "");
    let user = Pizauth::start(&good);
    log_in(&provider, &user.url("a"));
    let token = user.token("a");
    let pending = user.url("b");
    user.write_config("acount \"a\" {}\nhttp_listen = \"nowhere\";\n");
    let run = user.run(&["reload"]).expect(1);
    assert_eq!(run.out, "");
    for part in ["pizauth.conf:1:1", "http_listen", "ERROR - "] {
        assert!(run.err.contains(part), "no '{part}' in {run:?}");
    }
    let check = user.run(&["check"]).expect(1);
    assert!(run.err.starts_with(&check.err), "{run:?} {check:?}");
    assert_eq!(user.token("a"), token);
    assert_eq!(user.url("b"), pending);
    std::fs::remove_file(user.config_file()).unwrap();
    user.run(&["reload"]).expect(1);
    assert_eq!(user.token("a"), token);
    reload(&user, &good);
    assert_eq!(user.token("a"), token);
    assert_eq!(user.url("b"), pending);
    assert_eq!(log_in(&provider, &pending).status, 200);
}

#[test]
fn what_is_not_about_authority_keeps_the_token() {
    let provider = Provider::start();
    let user = Pizauth::start(&(provider.account("a", "") + &provider.account("b", "")));
    log_in(&provider, &user.url("a"));
    let token = user.token("a");
    let pending = user.url("b");
    for more in [
        "refresh_retry = 7s;",
        "refresh_at_least = 7m;",
        "refresh_before_expiry = 7s;",
        "transient_error_if_cmd = \"true\";",
    ] {
        // The order of accounts is of no importance either.
        let config = provider.account("b", more) + &provider.account("a", more);
        reload(&user, &format!("auth_notify_interval = 9m;\n{config}"));
        assert_eq!(user.token("a"), token, "{more}");
        assert_eq!(user.url("b"), pending, "{more}");
    }
    assert_eq!(log_in(&provider, &pending).status, 200);
}

#[test]
fn another_refresh_policy_is_in_force_at_once() {
    let provider = Provider::start();
    let user = Pizauth::start(&provider.account("a", ""));
    log_in(&provider, &user.url("a"));
    reload(&user, &provider.account("a", "refresh_at_least = 1s;"));
    provider.wait_for_refreshes(1);
}

#[test]
fn another_authority_drops_the_token() {
    let provider = Provider::start();
    let plain = provider.account("a", "");
    let mut user = Pizauth::new();
    let events = Record::new(&user, "events");
    let events_cmd = format!(
        "token_event_cmd = {};\n",
        events.command("$PIZAUTH_ACCOUNT $PIZAUTH_EVENT")
    );
    user.write_config(&format!("{events_cmd}{plain}"));
    user.start_foreground();
    let changed = [
        provider.account("a", "client_secret = \"SECRET\";"),
        provider.account("a", "resource = \"https://mail.example/\";"),
        provider.account("a", "login_hint = \"me\";"),
        provider.account("a", "auth_uri_fields = {\"prompt\": \"login\"};"),
        provider.account("a", "redirect_uri = \"http://127.0.0.1/\";"),
        plain.replace("client_id = \"mail\"", "client_id = \"other\""),
        plain.replace("\"mail.read\", ", ""),
        plain.replace("/token\"", "/token?x\""),
        plain.replace("/authorize\"", "/login\""),
    ];
    for (number, config) in changed.iter().enumerate() {
        assert_eq!(log_in(&provider, &user.url("a")).status, 200);
        user.token("a");
        reload(&user, &format!("{events_cmd}{config}"));
        assert_eq!(user.state("a"), "empty", "{config}");
        let url = user.url("a");
        let lines = events.wait_for_lines(2 * number + 2);
        assert_eq!(lines[2 * number..], ["a token_new", "a token_invalidated"]);
        // A login that waits is of no use with another authority either.
        reload(&user, &format!("{events_cmd}{plain}"));
        assert_ne!(user.url("a"), url);
        assert_eq!(
            visit(&format!(
                "{}?code=x&state={}",
                field(&url, "redirect_uri").unwrap(),
                field(&url, "state").unwrap()
            ))
            .status,
            400
        );
    }
    let dump = user.run(&["dump"]).expect(0).out;
    assert!(!dump.contains("SECRET"), "{dump}");
}

#[test]
fn an_answer_for_the_old_authority_is_dropped() {
    let provider = Provider::start();
    let plain = provider.account("a", "");
    let user = Pizauth::start(&plain);
    log_in(&provider, &user.url("a"));
    let gate = provider.gate();
    provider.script(Answer::own().after(&gate));
    let mut refresh = user.spawn(&["refresh", "-u", "a"]);
    provider.wait_for_refreshes(1);
    reload(&user, &provider.account("a", "login_hint = \"me\";"));
    assert_eq!(
        refresh.wait().unwrap().code(),
        Some(3),
        "whoever waits is told"
    );
    let before = provider.last_token();
    gate.open();
    wait_until("it is answered", || provider.last_token() != before);
    let url = user.url("a");
    log_in(&provider, &url);
    let token = user.token("a");
    assert_eq!(token, provider.last_token());
}

#[test]
fn an_answer_for_the_same_authority_is_taken_in() {
    let provider = Provider::start();
    provider.rotate();
    let plain = provider.account("a", "");
    let user = Pizauth::start(&plain);
    log_in(&provider, &user.url("a"));
    let gate = provider.gate();
    provider.script(Answer::own().after(&gate));
    let mut refresh = user.spawn(&["refresh", "a"]);
    provider.wait_for_refreshes(1);
    reload(&user, &provider.account("a", "refresh_retry = 9s;"));
    gate.open();
    assert!(refresh.wait().unwrap().success());
    assert_eq!(user.token("a"), provider.last_token());
    user.run(&["refresh", "a"]).expect(0);
}

#[test]
fn accounts_come_and_go() {
    let provider = Provider::start();
    let (a, b) = (provider.account("a", ""), provider.account("b", ""));
    let user = Pizauth::start(&a);
    log_in(&provider, &user.url("a"));
    let token = user.token("a");
    user.show("b").expect(1);
    reload(&user, &format!("{b}{a}"));
    assert_eq!(user.token("a"), token);
    let url = user.url("b");
    let names = |user: &Pizauth| -> Vec<String> {
        let run = user.run(&["status"]).expect(0);
        let lines = run.out.lines().filter(|line| !line.starts_with(' '));
        lines.map(|line| line[..1].to_owned()).collect()
    };
    assert_eq!(names(&user), ["b", "a"]);
    reload(&user, &b);
    let run = user.show("a").expect(1);
    assert!(run.err.contains("no account 'a'"), "{run:?}");
    assert_eq!(user.url("b"), url);
    assert_eq!(names(&user), ["b"]);
    assert!(!user.run(&["dump"]).expect(0).out.contains("SECRET"));
    // Coming back, it is a new one.
    reload(&user, &format!("{a}{b}"));
    user.url("a");
}

#[test]
fn the_listener_moves() {
    let provider = Provider::start();
    let account = provider.account("a", "") + &provider.account("b", "");
    let at = |port| format!("http_listen = \"127.0.0.1:{port}\";\n{account}");
    let (first, second) = (free_port(), free_port());
    let user = Pizauth::start(&at(first));
    log_in(&provider, &user.url("b"));
    let token = user.token("b");
    let old = user.url("a");
    assert!(
        field(&old, "redirect_uri")
            .unwrap()
            .contains(&format!(":{first}/"))
    );
    reload(&user, &at(second));
    assert_eq!(user.listeners()[0], format!("127.0.0.1:{second}"));
    assert!(
        TcpStream::connect(("127.0.0.1", first)).is_err(),
        "it listens there still"
    );
    assert_eq!(
        user.token("b"),
        token,
        "where the browser comes back to is no authority"
    );
    let new = user.url("a");
    assert_ne!(new, old);
    assert!(
        field(&new, "redirect_uri")
            .unwrap()
            .contains(&format!(":{second}/"))
    );
    // Naming the port that it has already moves nothing.
    reload(&user, &account);
    let free = user.listeners()[0].clone();
    let url = user.url("a");
    reload(&user, &format!("http_listen = \"{free}\";\n{account}"));
    assert_eq!(user.url("a"), url);
    assert_eq!(log_in(&provider, &url).status, 200);
}

#[test]
fn a_port_that_is_taken_changes_nothing() {
    let provider = Provider::start();
    let account = provider.account("a", "");
    let user = Pizauth::start(&account);
    let url = user.url("a");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let other = provider.account("other", "");
    user.write_config(&format!("http_listen = \"{address}\";\n{other}"));
    let run = user.run(&["reload"]).expect(1);
    assert!(run.err.contains(&address.to_string()), "{run:?}");
    user.show("other").expect(1);
    assert_eq!(log_in(&provider, &url).status, 200);
}

#[test]
fn a_login_that_lost_its_listener_is_asked_for_anew() {
    let provider = Provider::start();
    let mut user = Pizauth::new();
    let asked = Record::new(&user, "asked");
    let config = format!("auth_notify_cmd = {};\n", asked.command("$PIZAUTH_URL"))
        + &provider.account("a", "");
    user.write_config(&config);
    user.start_foreground();
    let old = user.url("a");
    assert_eq!(asked.wait_for_lines(1)[0], old);
    reload(
        &user,
        &format!("http_listen = \"127.0.0.1:{}\";\n{config}", free_port()),
    );
    let told = asked.wait_for_lines(2);
    assert_ne!(told[1], old);
    assert_eq!(user.url("a"), told[1]);
}

#[test]
fn hup_reads_the_configuration_too() {
    let provider = Provider::start();
    let user = Pizauth::start(&provider.account("a", ""));
    let url = user.url("a");
    user.write_config("bad");
    user.signal(Signal::SIGHUP);
    wait_until("it is told", || {
        user.log().contains("configuration not read again")
    });
    assert_eq!(user.url("a"), url);
    user.write_config(&(provider.account("a", "") + &provider.account("b", "")));
    user.signal(Signal::SIGHUP);
    wait_until("the new account", || user.show("b").code == 3);
    assert_eq!(user.url("a"), url);
}

#[test]
fn many_reloads_at_once_end_in_one_configuration() {
    let provider = Provider::start();
    let account = provider.account("a", "");
    let user = Pizauth::start(&account);
    let ports = [free_port(), free_port(), free_port()];
    for _ in 0..5 {
        let reloading: Vec<_> = ports
            .iter()
            .map(|port| {
                user.write_config(&format!("http_listen = \"127.0.0.1:{port}\";\n{account}"));
                user.spawn(&["reload"])
            })
            .collect();
        for mut child in reloading {
            assert!(child.wait().unwrap().success());
        }
        // What it says is where it is.
        assert_eq!(user.listeners()[0], format!("127.0.0.1:{}", ports[2]));
        assert_eq!(log_in(&provider, &user.url("a")).status, 200);
        user.run(&["revoke", "a"]).expect(0);
    }
}
