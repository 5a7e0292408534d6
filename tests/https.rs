//! Logins that come back over https: with pizauth's own certificate and with the user's, across
//! reloads and replacements.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "helpers of tests: a panic is how they report, and they have clocks of their own"
)]

mod support;

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;

use support::browser::field;
use support::provider::quoted;
use support::*;

const REDIRECT: &str = "redirect_uri = \"https://localhost/\";";

/// A provider, and a user whose account `s` comes back over https, and `p` does not.
fn set_up() -> (Provider, Pizauth) {
    let provider = Provider::start();
    let user = Pizauth::start(&accounts(&provider));
    (provider, user)
}

fn accounts(provider: &Provider) -> String {
    provider.account("s", REDIRECT) + &provider.account("p", "")
}

/// Goes to the provider at `url`, consents, and comes back over https.
#[track_caller]
fn log_in_securely(provider: &Provider, user: &Pizauth, url: &str) -> Page {
    tls::visit(user, &provider.consent(url))
}

#[track_caller]
fn reload(user: &Pizauth, config: &str) {
    user.write_config(config);
    let run = user.run(&["reload"]).expect(0);
    assert_eq!((run.out.as_str(), run.err.as_str()), ("", ""));
}

fn port_of(address: &str) -> &str {
    address.rsplit_once(':').unwrap().1
}

/// The URL with another scheme and port.
fn at(url: &str, scheme: &str, address: &str) -> String {
    let rest = url.split_once("://localhost:").unwrap().1;
    let path = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    format!("{scheme}://localhost:{}{path}", port_of(address))
}

#[test]
fn a_login_comes_back_over_https() {
    let (provider, user) = set_up();
    let url = user.url("s");
    let listeners = user.secure_listeners();
    let port = port_of(&listeners[0]);
    let redirect = format!("https://localhost:{port}/");
    assert_eq!(field(&url, "redirect_uri"), Some(redirect));
    let page = log_in_securely(&provider, &user, &url);
    assert_eq!(page.status, 200, "{page:?}");
    assert_eq!(user.token("s"), provider.last_token());
    assert!(page.text.contains("You are logged in"));
    // The port is another program's after this one.
    assert_eq!(page.header("strict-transport-security"), None);
    assert_eq!(page.header("cache-control"), Some("no-store"));
    if let Some(other) = listeners.get(1) {
        assert_eq!(*other, format!("[::1]:{port}"));
        let page = tls::visit(&user, &format!("https://[::1]:{port}/"));
        assert_eq!(page.status, 200);
    }
    // The other account goes on as ever.
    assert_eq!(log_in(&provider, &user.url("p")).status, 200);
    let info = user.run(&["info"]).expect(0).out;
    assert!(info.contains(&user.fingerprint()), "{info}");
}

#[test]
fn without_an_https_redirect_there_is_no_such_listener() {
    let provider = Provider::start();
    let user = Pizauth::start(&provider.account("p", ""));
    assert!(user.secure_listeners().is_empty());
    assert!(user.info().get("https_fingerprint").is_none());
}

#[test]
fn the_other_scheme_is_another_redirect_uri() {
    let (provider, user) = set_up();
    let (http, https) = (
        user.listeners().swap_remove(0),
        user.secure_listeners().swap_remove(0),
    );
    let back = provider.consent(&user.url("s"));
    let page = visit(&at(&back, "http", &http));
    assert_eq!(page.status, 400, "{page:?}");
    assert_eq!(user.state("s"), "pending");
    assert_eq!(tls::visit(&user, &back).status, 200);
    let back = provider.consent(&user.url("p"));
    let page = tls::visit(&user, &at(&back, "https", &https));
    assert_eq!(page.status, 400, "{page:?}");
    assert_eq!(visit(&back).status, 200);
}

/// A configuration with certificates of the user's, which are in files beside it.
fn with_files(user: &Pizauth, provider: &Provider) -> String {
    let path = |name: &str| quoted(&user.dir().join(name).display().to_string());
    format!(
        "https_cert = {};\nhttps_key = {};\n{}",
        path("cert.pem"),
        path("key.pem"),
        accounts(provider)
    )
}

/// Puts a new certificate into the files, and says what its fingerprint is.
fn renew(user: &Pizauth) -> String {
    let (cert, key, fingerprint) = tls::pem_pair();
    fs::write(user.dir().join("cert.pem"), cert).unwrap();
    let file = user.dir().join("key.pem");
    fs::write(&file, key).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
    fingerprint
}

#[test]
fn the_user_s_own_certificate_is_used_and_read_again() {
    let provider = Provider::start();
    let mut user = Pizauth::new();
    let config = with_files(&user, &provider);
    let first = renew(&user);
    user.write_config(&config);
    user.start_foreground();
    assert_eq!(user.fingerprint(), first);
    let listeners = user.secure_listeners();
    let url = user.url("s");
    let second = renew(&user);
    reload(&user, &config);
    assert_eq!(user.fingerprint(), second);
    assert_eq!(user.secure_listeners(), listeners);
    // The login from before comes back to the new one.
    assert_eq!(user.url("s"), url);
    let back = provider.consent(&url);
    // What is of no use changes nothing.
    fs::write(user.dir().join("key.pem"), tls::pem_pair().1).unwrap();
    user.write_config(&config.replace("\"p\"", "\"q\""));
    let run = user.run(&["reload"]).expect(1);
    assert!(run.err.contains("https_key"), "{run:?}");
    user.show("q").expect(1);
    assert_eq!(user.fingerprint(), second);
    assert_eq!(tls::visit(&user, &back).status, 200);
    // And no server starts with it.
    user.run(&["shutdown"]).expect(0);
    assert!(user.wait_for_end().success());
    let run = user.run(&["server"]).expect(1);
    assert!(run.err.contains("https_key"), "{run:?}");
    // A key that others can read is warned of, and used.
    let third = renew(&user);
    let open = fs::Permissions::from_mode(0o644);
    fs::set_permissions(user.dir().join("key.pem"), open).unwrap();
    let run = user.run(&["server"]).expect(0);
    assert!(run.err.contains("chmod 600"), "{run:?}");
    assert_eq!(user.fingerprint(), third);
}

#[test]
fn the_user_s_own_certificate_may_be_named_later() {
    let (provider, user) = set_up();
    let first = renew(&user);
    reload(&user, &with_files(&user, &provider));
    assert_eq!(user.fingerprint(), first);
    // And be elsewhere another time.
    for name in ["cert", "key"] {
        let path = |extension| user.dir().join(name).with_extension(extension);
        fs::rename(path("pem"), path("elsewhere")).unwrap();
    }
    let elsewhere = with_files(&user, &provider).replace(".pem", ".elsewhere");
    reload(&user, &elsewhere);
    assert_eq!(user.fingerprint(), first);
    // One that is not there changes nothing.
    user.write_config(&with_files(&user, &provider));
    let run = user.run(&["reload"]).expect(1);
    assert!(run.err.contains("cert.pem"), "{run:?}");
    let second = renew(&user);
    reload(&user, &elsewhere);
    assert_eq!(user.fingerprint(), first);
    reload(&user, &with_files(&user, &provider));
    assert_eq!(user.fingerprint(), second);
}

#[test]
fn a_reload_keeps_what_it_can() {
    let (provider, user) = set_up();
    let config = accounts(&provider);
    let (fingerprint, listeners) = (user.fingerprint(), user.secure_listeners());
    let (secure, plain) = (user.url("s"), user.url("p"));
    reload(&user, &config);
    assert_eq!(user.fingerprint(), fingerprint);
    assert_eq!(user.secure_listeners(), listeners);
    assert_eq!(
        (user.url("s"), user.url("p")),
        (secure.clone(), plain.clone())
    );
    // Only what came back to where nobody listens any more is begun anew.
    let port = free_port();
    reload(
        &user,
        &format!("https_listen = \"127.0.0.1:{port}\";\n{config}"),
    );
    assert!(TcpStream::connect(&listeners[0]).is_err());
    assert_eq!(user.fingerprint(), fingerprint);
    assert_eq!(user.url("p"), plain);
    let moved = user.url("s");
    assert_ne!(moved, secure);
    reload(
        &user,
        &format!(
            "http_listen = \"127.0.0.1:{}\";\nhttps_listen = \"127.0.0.1:{port}\";\n{config}",
            free_port()
        ),
    );
    assert_eq!(user.url("s"), moved);
    assert_ne!(user.url("p"), plain);
    assert_eq!(log_in_securely(&provider, &user, &moved).status, 200);
    assert_eq!(log_in(&provider, &user.url("p")).status, 200);
    // Where it is no longer wanted, it goes.
    reload(&user, &provider.account("p", ""));
    assert!(user.secure_listeners().is_empty());
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    reload(&user, &config);
    assert_eq!(
        log_in_securely(&provider, &user, &user.url("s")).status,
        200
    );
}

#[test]
fn the_two_can_change_places() {
    let provider = Provider::start();
    let (one, other) = (free_port(), free_port());
    let config = |http, https| {
        format!(
            "http_listen = \"127.0.0.1:{http}\";\nhttps_listen = \"127.0.0.1:{https}\";\n{}",
            accounts(&provider)
        )
    };
    let user = Pizauth::start(&config(one, other));
    let (secure, plain) = (user.url("s"), user.url("p"));
    reload(&user, &config(other, one));
    assert_ne!(user.url("s"), secure);
    assert_ne!(user.url("p"), plain);
    assert_eq!(
        log_in_securely(&provider, &user, &user.url("s")).status,
        200
    );
    assert_eq!(log_in(&provider, &user.url("p")).status, 200);
}

#[test]
fn a_replacement_keeps_listener_certificate_and_logins() {
    let provider = Provider::start();
    let user = Pizauth::with_config(&accounts(&provider));
    user.start_background();
    let (fingerprint, listeners) = (user.fingerprint(), user.secure_listeners());
    let (url, plain) = (user.url("s"), user.url("p"));
    let back = provider.consent(&url);
    for _ in 0..2 {
        let before = user.pid();
        user.run(&["server", "--replace"]).expect(0);
        assert_ne!(user.pid(), before);
        assert_eq!(user.fingerprint(), fingerprint);
        assert_eq!(user.secure_listeners(), listeners);
        assert_eq!(user.url("s"), url);
    }
    assert_eq!(tls::visit_with(&fingerprint, &back).status, 200);
    assert_eq!(log_in(&provider, &plain).status, 200);
    assert_eq!(user.token("s").is_empty(), user.token("p").is_empty());
    // One that is to listen elsewhere does so, with the same certificate.
    let port = free_port();
    user.write_config(&format!(
        "https_listen = \"127.0.0.1:{port}\";\n{}",
        accounts(&provider)
    ));
    user.run(&["server", "--replace"]).expect(0);
    assert_eq!(user.secure_listeners()[0], format!("127.0.0.1:{port}"));
    assert_eq!(user.fingerprint(), fingerprint);
    wait_until("the old one listens no more", || {
        TcpStream::connect(&listeners[0]).is_err()
    });
    user.run(&["revoke", "s"]).expect(0);
    assert_eq!(
        log_in_securely(&provider, &user, &user.url("s")).status,
        200
    );
}
