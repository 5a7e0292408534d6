//! `pizauth doctor`: what it says of a healthy set-up and of sick ones, with and without a server, a
//! provider and a configuration.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "helpers of tests: a panic is how they report, and they have clocks of their own"
)]

mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::thread;

use rcgen::{DnType, SanType, date_time_ymd};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};
use support::pizauth::SECRET;
use support::*;

/// A provider that answers whoever only looks, as real ones do.
fn provider() -> Provider {
    let provider = Provider::start();
    answer_looks(&provider, |_| Answer::of(400, "text/html", "<p>what?</p>"));
    provider
}

/// Answers GET requests with this, and has the provider answer the others.
fn answer_looks(provider: &Provider, answer: impl Fn(&str) -> Answer + Send + 'static) {
    provider.rule(move |request| {
        let target = request.line.strip_prefix("GET ")?;
        Some(answer(target.split(' ').next().unwrap()))
    });
}

/// A user whose account `a` is logged in.
#[track_caller]
fn logged_in(provider: &Provider, more: &str) -> Pizauth {
    let user = Pizauth::start(&provider.account("a", more));
    assert_eq!(log_in(provider, &user.url("a")).status, 200);
    user.token("a");
    user
}

/// The report as JSON.
#[track_caller]
fn report(user: &Pizauth, arguments: &[&str]) -> Value {
    let run = user.run(&[&["doctor", "--json"], arguments].concat());
    let report: Value = serde_json::from_str(&run.out).unwrap_or_else(|_| panic!("{run:?}"));
    let problems = report["problems"].as_u64().unwrap();
    assert_eq!(run.code, i32::from(problems > 0), "{run:?}");
    assert!(!run.out.contains(SECRET) && !run.err.contains(SECRET));
    report
}

/// The findings of an area with a verdict, as text and advice.
fn found(report: &Value, area: &str, verdict: &str) -> Vec<String> {
    let findings = report["findings"].as_array().unwrap().iter();
    let of = findings.filter(|it| it["area"] == area && it["verdict"] == verdict);
    let text = |it: &Value| {
        let advice = it["advice"].as_str().unwrap_or_default();
        format!("{} -> {advice}", it["text"].as_str().unwrap())
    };
    of.map(text).collect()
}

/// Checks that there is one such finding, with these words in it.
#[track_caller]
fn assert_found(report: &Value, area: &str, verdict: &str, words: &str) {
    let found = found(report, area, verdict);
    let fits = found.len() == 1 && found[0].contains(words);
    assert!(
        fits,
        "'{words}' is not what was found: {found:?} of {report:#}"
    );
}

#[test]
fn nothing_is_wrong_where_nothing_is() {
    let provider = provider();
    let user = logged_in(&provider, "");
    let run = user.run(&["doctor"]).expect(0);
    assert_eq!(run.err, "");
    assert!(run.out.ends_with("\nnothing is wrong\n"), "{run:?}");
    for heading in [
        "configuration\n",
        "\nserver\n",
        "\nproviders\n",
        "\naccount 'a'\n",
    ] {
        assert!(run.out.contains(heading), "{run:?}");
    }
    let address = provider.address();
    assert!(
        run.out.contains(&format!("  ok       {address} answers\n")),
        "{run:?}"
    );
    let report = report(&user, &["a"]);
    assert_eq!(report["problems"], 0);
    assert_found(&report, "login", "good", "good until");
    assert_found(&report, "scopes", "good", "granted");
    assert_found(&report, "redirect_uri", "good", "comes back");
}

#[test]
fn looking_sends_nothing_that_is_anybodys() {
    let provider = provider();
    let more = format!("client_secret = \"{SECRET}\"; client_auth = \"basic\";");
    let user = logged_in(&provider, &more);
    let before = provider.requests().len();
    user.run(&["doctor"]);
    let requests = provider.requests().split_off(before);
    let mut lines: Vec<_> = requests.iter().map(|it| it.line.as_str()).collect();
    lines.sort_unstable();
    assert_eq!(lines, ["GET /authorize HTTP/1.1", "GET /token HTTP/1.1"]);
    for request in requests {
        assert_eq!(request.header("authorization"), None);
        assert!(request.form.is_empty());
    }
}

#[test]
fn without_a_server_the_rest_is_looked_at() {
    let provider = provider();
    let user = Pizauth::with_config(&provider.account("a", ""));
    let report = report(&user, &[]);
    assert_eq!(report["problems"], 1);
    assert_found(&report, "server", "problem", "pizauth server");
    assert_found(&report, "configuration", "good", "account 'a'");
    assert_found(&report, "runtime_dir", "good", "the server makes it");
    assert_found(&report, "network", "good", "answers");
    assert!(!user.runtime_dir().join("pizauth").exists());
}

#[test]
fn a_server_that_makes_no_sense_is_a_problem() {
    let user = Pizauth::new();
    fs::create_dir(user.runtime_dir().join("pizauth")).unwrap();
    let listener = UnixListener::bind(user.socket()).unwrap();
    let hang_up = move || listener.incoming().for_each(drop);
    thread::Builder::new().spawn(hang_up).unwrap();
    let report = report(&user, &[]);
    assert_found(&report, "server", "problem", "log");
    assert_found(&report, "configuration", "problem", "does not exist");
}

#[test]
fn a_broken_configuration_is_shown_and_the_rest_is_looked_at() {
    let provider = provider();
    let user = logged_in(&provider, "");
    user.write_config("account \"a\" { client_secret = \"SECRET\"; colour = 1; }");
    let run = user.run(&["doctor"]).expect(1);
    assert!(run.err.contains("colour"), "{run:?}");
    assert!(run.out.contains("'pizauth check'"), "{run:?}");
    assert!(run.out.contains("good until"), "{run:?}");
    assert!(!run.out.contains(SECRET) && !run.err.contains(SECRET));
    let report = report(&user, &["a"]);
    assert_found(&report, "configuration", "problem", "has mistakes");
    assert_found(&report, "configuration", "note", "chmod 600");
    user.run(&["doctor", "b"]).expect(1);
}

#[test]
fn a_secret_that_others_can_read_is_a_problem() {
    let provider = provider();
    let user = Pizauth::with_config(&provider.account("a", "client_secret = \"SECRET\";"));
    let set_mode = |mode| {
        fs::set_permissions(user.config_file(), fs::Permissions::from_mode(mode)).unwrap();
    };
    set_mode(0o600);
    assert!(found(&report(&user, &[]), "configuration", "problem").is_empty());
    set_mode(0o640);
    assert_found(&report(&user, &[]), "configuration", "problem", "chmod 600");
    user.write_config(&provider.account("a", "client_secret_cmd = \"touch ran; echo SECRET\";"));
    set_mode(0o644);
    assert!(found(&report(&user, &[]), "configuration", "problem").is_empty());
    set_mode(0o606);
    assert_found(
        &report(&user, &[]),
        "configuration",
        "problem",
        "other users",
    );
    assert!(!user.dir().join("ran").exists(), "a command was run");
}

#[test]
fn the_runtime_directory_is_looked_at() {
    let user = Pizauth::with_config("");
    let dir = user.runtime_dir().join("pizauth");
    fs::create_dir(&dir).unwrap();
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
    assert_found(&report(&user, &[]), "runtime_dir", "problem", "chmod 700");
    fs::remove_dir(&dir).unwrap();
    symlink("/", &dir).unwrap();
    assert_found(
        &report(&user, &[]),
        "runtime_dir",
        "problem",
        "symbolic link",
    );
    fs::remove_file(&dir).unwrap();
    let run = support::pizauth::run(
        user.command(&["doctor", "--json"])
            .env("XDG_RUNTIME_DIR", "run"),
    );
    let report: Value = serde_json::from_str(&run.out).unwrap();
    assert_found(&report, "runtime_dir", "note", "absolute");
}

#[test]
fn an_account_that_is_not_there_is_an_error() {
    let provider = provider();
    let user = Pizauth::with_config(&provider.account("a", ""));
    let run = user.run(&["doctor", "--json", "b"]).expect(1);
    assert_eq!(run.out, "");
    assert!(
        run.err.starts_with("ERROR - there is no account 'b' in "),
        "{run:?}"
    );
    assert!(provider.requests().is_empty());
}

#[test]
fn one_account_is_looked_at_alone() {
    let (provider, other) = (provider(), provider());
    let config = provider.account("a", "") + &other.account("b", "");
    let user = Pizauth::start(&config);
    let report = report(&user, &["a"]);
    assert!(!provider.requests().is_empty());
    assert!(other.requests().is_empty());
    assert_found(&report, "login", "note", "pizauth login a");
    let findings = report["findings"].as_array().unwrap();
    assert!(findings.iter().all(|it| it["account"] != "b"), "{report:#}");
}

#[test]
fn many_accounts_at_one_provider_ask_once() {
    let provider = provider();
    let config: String = (0..1000)
        .map(|n| provider.account(&format!("a{n}"), ""))
        .collect();
    let user = Pizauth::start(&config);
    let report = report(&user, &[]);
    assert_eq!(provider.requests().len(), 2);
    assert_eq!(found(&report, "login", "note").len(), 1000);
    assert_eq!(found(&report, "network", "good").len(), 1);
}

#[test]
fn a_provider_that_is_down_is_a_problem() {
    let provider = provider();
    let user = logged_in(&provider, "");
    provider.go_down();
    let report = report(&user, &[]);
    assert_found(
        &report,
        "network",
        "problem",
        "refuses the connection (needed by 'a')",
    );
}

#[test]
fn a_provider_with_trouble_is_told_of() {
    let provider = provider();
    let user = logged_in(&provider, "");
    answer_looks(&provider, |_| Answer::json(503, "{}"));
    let report = report(&user, &[]);
    assert_eq!(report["problems"], 0);
    assert_found(&report, "network", "note", "HTTP 503");
}

#[test]
fn a_wrong_clock_is_a_problem() {
    let provider = provider();
    let user = logged_in(&provider, "");
    answer_looks(&provider, |_| {
        Answer::json(400, "{}").header("Date", "Wed, 01 Jan 2020 00:00:00 GMT")
    });
    assert_found(&report(&user, &[]), "clock", "problem", "days ahead");
    // A cache between repeats an old date; the other endpoint has the right one.
    answer_looks(&provider, |target| match target {
        "/token" => Answer::json(400, "{}").header("Date", &http_date()),
        _ => Answer::json(400, "{}").header("Date", "Wed, 01 Jan 2020 00:00:00 GMT"),
    });
    assert_found(&report(&user, &[]), "clock", "good", "agrees");
    answer_looks(&provider, |_| {
        Answer::json(400, "{}").header("Date", "soon\t")
    });
    assert!(found(&report(&user, &[]), "clock", "problem").is_empty());
}

fn http_date() -> String {
    let now = jiff::Timestamp::now();
    now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

#[test]
fn the_last_error_is_explained() {
    let provider = provider();
    let user = Pizauth::start(&provider.account("a", ""));
    let url = user.url("a");
    let why = "AADSTS7000215: Invalid client secret provided.";
    provider.script(Answer::error(401, "invalid_client", why));
    log_in(&provider, &url);
    wait_until("the login has failed", || {
        !user.status("a")["last_error"].is_null()
    });
    let report = report(&user, &["a"]);
    assert_found(
        &report,
        "login",
        "problem",
        "which means: the client secret is wrong",
    );
}

#[test]
fn scopes_that_were_not_granted_are_named() {
    let provider = provider();
    let user = Pizauth::start(&provider.account("a", ""));
    let granted = json!({"access_token": "SECRET", "token_type": "Bearer", "expires_in": 3600,
                         "scope": "mail.read"});
    let url = user.url("a");
    provider.script(Answer::json(200, &granted.to_string()));
    log_in(&provider, &url);
    user.token("a");
    let report = report(&user, &[]);
    assert_found(&report, "scopes", "problem", "not granted: mail.send");
    assert_found(&report, "login", "note", "no refresh token");
}

#[test]
fn a_redirect_to_nobody_is_a_problem() {
    let provider = provider();
    let config = provider.account("a", "redirect_uri = \"http://localhost:9/\";");
    let user = Pizauth::start(&config);
    let report = report(&user, &[]);
    assert_found(
        &report,
        "redirect_uri",
        "problem",
        "http_listen = \"127.0.0.1:9\"",
    );
}

#[test]
fn what_another_program_listens_at_is_told() {
    let Some((listener, port)) = alone_on_ipv6() else {
        return; // There is no IPv6 on this machine.
    };
    let provider = provider();
    let config = format!(
        "http_listen = \"127.0.0.1:{port}\"; {}",
        provider.account("a", "")
    );
    let user = Pizauth::start(&config);
    let report = report(&user, &[]);
    let words = format!("another program listens at [::1]:{port}");
    assert_found(&report, "listeners", "problem", &words);
    drop(listener);
}

/// A port that somebody else has on ::1 and nobody on 127.0.0.1.
fn alone_on_ipv6() -> Option<(TcpListener, u16)> {
    let port = free_port();
    Some((TcpListener::bind(("::1", port)).ok()?, port))
}

#[test]
fn accounts_that_the_server_does_not_know_are_named() {
    let provider = provider();
    let user = logged_in(&provider, "");
    user.write_config(&(provider.account("a", "") + &provider.account("b", "")));
    let report = report(&user, &[]);
    assert_found(
        &report,
        "server",
        "problem",
        "does not know 'b' yet -> run 'pizauth reload'",
    );
}

#[test]
fn the_servers_own_configuration_is_looked_at() {
    let provider = provider();
    let mut user = Pizauth::new();
    fs::write(user.dir().join("own.conf"), provider.account("a", "")).unwrap();
    user.start_foreground_with(|command| {
        command.args(["-c", "own.conf"]);
    });
    let report = report(&user, &["a"]);
    assert_found(&report, "server", "note", "own.conf");
    assert_found(&report, "configuration", "good", "own.conf");
}

/// An account whose endpoints its issuer knows.
fn issued(provider: &Provider, more: &str) -> String {
    format!(
        "account \"a\" {{ issuer = \"http://{}\"; client_id = \"mail\"; {more} }}",
        provider.address()
    )
}

/// Has the provider publish metadata of this issuer.
fn publish(provider: &Provider, issuer: &str) {
    let metadata = json!({
        "issuer": issuer,
        "authorization_endpoint": provider.auth_uri(),
        "token_endpoint": provider.token_uri(),
        "code_challenge_methods_supported": ["S256"],
    });
    answer_looks(provider, move |target| match target {
        "/.well-known/openid-configuration" => Answer::json(200, &metadata.to_string()),
        _ => Answer::json(404, "{}"),
    });
}

#[test]
fn what_an_issuer_publishes_is_held_against_the_configuration() {
    let provider = provider();
    let issuer = format!("http://{}", provider.address());
    publish(&provider, &issuer);
    let user = Pizauth::with_config(&issued(&provider, ""));
    let good = report(&user, &[]);
    assert_found(&good, "discovery", "good", &issuer);
    let lines: Vec<_> = provider.requests().into_iter().map(|it| it.line).collect();
    assert!(
        lines.iter().any(|it| it.starts_with("GET /token ")),
        "{lines:?}"
    );

    let old = format!("token_uri = \"{issuer}/old\";");
    user.write_config(&issued(&provider, &old));
    assert_found(&report(&user, &[]), "discovery", "note", "'token_uri' is");

    publish(&provider, "https://else.example");
    assert_found(
        &report(&user, &[]),
        "discovery",
        "problem",
        "https://else.example",
    );
    answer_looks(&provider, |_| Answer::json(404, "{}"));
    assert_found(&report(&user, &[]), "discovery", "problem", "no metadata");
}

/// Answers any request over TLS with this certificate, for as long as the test runs.
fn secure_provider(cert: &str, key: &str) -> u16 {
    let chain = CertificateDer::pem_slice_iter(cert.as_bytes()).map(Result::unwrap);
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain.collect(), key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let serve = move || {
        for stream in listener.incoming().filter_map(Result::ok) {
            serve_securely(&config, stream);
        }
    };
    thread::Builder::new().spawn(serve).unwrap();
    port
}

fn serve_securely(config: &Arc<ServerConfig>, stream: TcpStream) {
    let session = ServerConnection::new(Arc::clone(config)).unwrap();
    let mut stream = StreamOwned::new(session, stream);
    // Who does not trust the certificate hangs up.
    if stream.read(&mut [0; 4096]).is_ok() {
        let _ =
            stream.write_all(b"HTTP/1.1 400 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        stream.conn.send_close_notify();
        let _ = stream.flush();
    }
}

/// What is said of the provider with this certificate, where that of `trusted` is in `ca_file`.
fn report_of(pair: &(String, String, String), trusted: &str) -> Value {
    let port = secure_provider(&pair.0, &pair.1);
    let user = Pizauth::new();
    fs::write(user.dir().join("config/ca.pem"), trusted).unwrap();
    user.write_config(&format!(
        "account \"a\" {{ auth_uri = \"https://localhost:{port}/a\"; client_id = \"c\"; \
         token_uri = \"https://localhost:{port}/t\"; ca_file = \"ca.pem\"; }}"
    ));
    report(&user, &[])
}

#[test]
fn certificates_that_are_not_accepted_are_explained() {
    let good = tls::pem_pair();
    let report = report_of(&good, &good.0);
    assert_found(&report, "network", "good", "its certificate is accepted");
    let stranger = tls::pem_pair_with(|it| {
        it.distinguished_name.push(DnType::CommonName, "stranger");
    });
    let report = report_of(&good, &stranger.0);
    assert_found(
        &report,
        "network",
        "problem",
        "nobody trusted has issued it",
    );
    let expired = tls::pem_pair_with(|it| it.not_after = date_time_ymd(2020, 1, 1));
    let report = report_of(&expired, &expired.0);
    assert_found(&report, "network", "problem", "it has expired");
    let early = tls::pem_pair_with(|it| it.not_before = date_time_ymd(4000, 1, 1));
    let report = report_of(&early, &early.0);
    assert_found(&report, "network", "problem", "not valid yet");
    let other = tls::pem_pair_with(|it| {
        it.subject_alt_names = vec![SanType::DnsName("else.example".try_into().unwrap())];
    });
    let report = report_of(&other, &other.0);
    assert_found(&report, "network", "problem", "for another name");
}
