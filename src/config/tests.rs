//! Whole files: what good ones mean, and what cannot be read.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::*;

mod accounts;
mod noise;
mod presets;

const DATA: &str = "tests/data/config";

/// Everything that may be inside an account, so that one option can be tried out in it.
fn account(options: &str) -> String {
    format!(
        "account \"mail\" {{ auth_uri = \"https://example.com/a\"; \
         token_uri = \"https://example.com/t\"; client_id = \"id\"; {options} }}"
    )
}

fn good(source: &str) -> Config {
    parse(source, "pizauth.conf").unwrap_or_else(|error| panic!("{error}"))
}

fn bad(source: &str) -> String {
    match parse(source, "pizauth.conf") {
        Ok(config) => panic!("accepted as {config:?}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn everything_is_read_as_written() {
    let config = load(&Path::new(DATA).join("good-everything.conf")).unwrap();
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(
        config.auth_notify_cmd,
        text(r#"notify-send "$PIZAUTH_ACCOUNT" '// no comment' \"#)
    );
    assert_eq!(config.auth_notify_interval, Duration::from_secs(20 * 60));
    assert_eq!(config.error_notify_cmd, text("logger error"));
    assert_eq!(config.token_event_cmd, None);
    assert_eq!(config.startup_cmd, text("true"));
    assert_eq!(
        config.http_listen,
        Listen::At("[::1]:8080".parse().unwrap())
    );

    let [office, public, ..] = &config.accounts[..] else {
        panic!("three accounts");
    };
    assert_eq!(office.name.as_str(), "büro \"1\"");
    let authority = &office.authority;
    assert_eq!(
        authority.auth_uri.as_ref().unwrap().as_str(),
        "https://example.com/authorize?tenant=x"
    );
    assert_eq!(
        authority.token_uri.as_ref().unwrap().as_str(),
        "http://localhost:8081/token"
    );
    assert_eq!(authority.client_id, "id");
    let ClientAuth::Basic(SecretSource::Written(secret)) = &authority.client_auth else {
        panic!("basic");
    };
    assert_eq!(secret.expose(), "hunter2");
    assert_eq!(
        authority.scopes,
        ["mail.read", "https://example.com/mail.send"]
    );
    assert_eq!(authority.resource.as_deref(), Some("https://Example.com"));
    assert_eq!(
        authority.redirect_uri.with_port(1),
        "http://127.0.0.1:7000/back"
    );
    let fields: Vec<(&str, &str)> = authority
        .auth_uri_fields
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    let expected = [
        ("login_hint", "me@example.com"),
        ("prompt", "consent"),
        ("x", "1"),
        ("x", "2"),
        ("response_mode", "query"),
    ];
    assert_eq!(fields, expected);
    let policy = RefreshPolicy {
        before_expiry: Duration::from_secs(120),
        at_least: Duration::from_secs(3 * 3600),
        retry: Duration::from_secs(3),
    };
    assert_eq!(office.refresh, policy);
    assert_eq!(office.transient_error_if_cmd, None);
    assert_eq!(office.ca_file, None);

    assert_eq!(public.authority.client_auth, ClientAuth::None);
    assert_eq!(
        public.authority.redirect_uri.with_port(1),
        "http://localhost:1/"
    );
    let inherited = RefreshPolicy {
        before_expiry: Duration::ZERO,
        at_least: Duration::from_secs(24 * 3600),
        retry: Duration::from_secs(10),
    };
    assert_eq!(public.refresh, inherited);
    assert_eq!(
        public.transient_error_if_cmd,
        text("! ping -c 1 example.com")
    );
    let certificates = std::path::absolute(Path::new(DATA).join("ca.pem")).unwrap();
    assert_eq!(public.ca_file, Some(certificates));
}

#[test]
fn what_is_not_set_has_its_default() {
    let config = load(&Path::new(DATA).join("good-minimal.conf")).unwrap();
    assert_eq!(config.auth_notify_interval, Duration::from_secs(15 * 60));
    assert_eq!(config.http_listen, Listen::FreePort);
    let [account] = &config.accounts[..] else {
        panic!("one account");
    };
    let policy = RefreshPolicy {
        before_expiry: Duration::from_secs(90),
        at_least: Duration::from_secs(90 * 60),
        retry: Duration::from_secs(40),
    };
    assert_eq!(account.refresh, policy);
    assert_eq!(account.authority.client_auth, ClientAuth::None);
    assert_eq!(
        account.authority.redirect_uri.with_port(80),
        "http://localhost:80/"
    );
    assert!(account.authority.scopes.is_empty() && account.authority.auth_uri_fields.is_empty());
}

#[test]
fn a_secret_is_sent_in_the_body_unless_told_otherwise() {
    let method = |options: &str| {
        let config = good(&account(options));
        match &config.accounts[0].authority.client_auth {
            ClientAuth::None => "none",
            ClientAuth::Post(_) => "post",
            ClientAuth::Basic(_) => "basic",
        }
    };
    assert_eq!(method(""), "none");
    assert_eq!(method(r#"client_auth = "none";"#), "none");
    assert_eq!(method(r#"client_secret = none;"#), "none");
    assert_eq!(method(r#"client_secret = "s";"#), "post");
    assert_eq!(
        method(r#"client_secret = "s"; client_auth = "post";"#),
        "post"
    );
    assert_eq!(
        method(r#"client_secret = "s"; client_auth = "basic";"#),
        "basic"
    );
}

#[test]
fn strings_and_comments_do_not_mix() {
    let hint = |written: &str| {
        let config = good(&account(&format!("login_hint = {written};")));
        config.accounts[0].authority.auth_uri_fields[0].1.clone()
    };
    assert_eq!(hint(r#""a // b""#), "a // b");
    assert_eq!(hint(r#""a # b""#), "a # b");
    assert_eq!(hint("// \"no\"\n\"yes\"// \"no\"\n"), "yes");
    assert_eq!(hint(r#""\"\\\"""#), "\"\\\"");
    assert_eq!(hint("\"a\tb; } ]\""), "a\tb; } ]");
}

#[test]
fn one_mistake_gives_one_message() {
    let sources = [
        account("client_secret = \"hunter2\" refresh_retry = 5s;"),
        account("refresh_retry 5s;"),
        account("refresh_retry = ;"),
        account("scopes = [\"a\" \"b\"];"),
        account("login_hint = \"open;\n"),
        account("login_hint = 'x';"),
        account("login_hint = x;"),
        account("refresh_retry = 5 m;"),
        account(";"),
        account("}"),
        account("").replace('}', ""),
        account("").replace('{', ""),
        account("").replacen(';', "", 1),
        account("").replacen('=', "", 1),
        account("").replacen("\"mail\"", "", 1),
        account("").replacen("\"mail\"", "mail", 1),
        account("").replacen("account", "", 1),
        account("").replacen("client_id", "client_di", 1),
        format!("{};", account("")),
        format!("}} {}", account("")),
        format!("client_id = \"id\"; {}", account("")),
    ];
    for source in sources {
        let said = bad(&source);
        assert_eq!(said.matches("error: ").count(), 1, "{source}\n{said}");
    }
}

/// A directory of its own for one test, removed at its end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("pizauth-config-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, content).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn files_that_cannot_be_read() {
    let scratch = Scratch::new("unreadable");
    let said = |path: &Path| {
        let error = load(path).unwrap_err().to_string();
        let (name, problem) = error.split_once(' ').unwrap();
        assert_eq!(name, path.to_str().unwrap());
        problem.to_owned()
    };
    let missing = said(&scratch.0.join("none.conf"));
    assert!(missing.starts_with("does not exist: "), "{missing}");
    assert_eq!(
        said(&scratch.0),
        "is a directory: name a file with '-c FILE'"
    );
    let latin = scratch.file("latin.conf", b"// \xc3\xa9\n// caf\xe9\n");
    assert_eq!(
        said(&latin),
        "is not UTF-8 text (line 2, column 7): save it as UTF-8"
    );
    let huge = scratch.file("huge.conf", "");
    fs::File::options()
        .write(true)
        .open(&huge)
        .unwrap()
        .set_len(16 * 1024 * 1024 + 1)
        .unwrap();
    assert!(said(&huge).starts_with("is larger than 16 MiB"));
    assert!(said(Path::new("/dev/zero")).starts_with("is larger than 16 MiB"));
    let closed = scratch.file("closed.conf", account(""));
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
    // Root may read it all the same.
    if fs::File::open(&closed).is_err() {
        assert!(said(&closed).starts_with("cannot be read: permission denied: "));
    }
    let below_file = latin.join("x");
    assert_eq!(said(&below_file), "cannot be read: not a directory");
}

#[test]
fn paths_start_at_the_configuration_or_at_home() {
    let scratch = Scratch::new("paths");
    fs::copy(Path::new(DATA).join("ca.pem"), scratch.0.join("ca.pem")).unwrap();
    let read = |written: &str| {
        let source = account(&format!("ca_file = \"{written}\";"));
        let directories = check::Directories {
            base: scratch.0.clone(),
            home: Some(scratch.0.join(".")),
        };
        let config = load::parse_in(&source, "pizauth.conf", &directories);
        config.unwrap_or_else(|error| panic!("{error}")).accounts[0]
            .ca_file
            .clone()
    };
    assert_eq!(read("ca.pem"), Some(scratch.0.join("ca.pem")));
    assert_eq!(read("~/ca.pem"), Some(scratch.0.join("ca.pem")));
    let full = scratch.0.join("ca.pem");
    assert_eq!(read(full.to_str().unwrap()), Some(full));
}

#[test]
fn messages_are_counted_beyond_the_first_fifty() {
    let said = bad(&account(&"banana = 1;\n".repeat(53)));
    assert_eq!(said.matches("error: ").count(), 50);
    assert!(
        said.ends_with("\nand 3 more\n\n53 mistakes in pizauth.conf"),
        "{said}"
    );
}

/// Or nobody would find what is wrong.
#[test]
fn what_nobody_sees_is_shown() {
    for invisible in ['\u{feff}', '\u{200b}', '\u{202e}', '\u{ad}'] {
        let text = format!("x {invisible}= 1;");
        let report = parse(&text, "pizauth.conf").unwrap_err().to_string();
        assert!(report.contains("x \u{fffd}= 1;"), "{report}");
        assert!(!report.contains(invisible), "{report}");
    }
}

#[test]
fn colours_change_nothing_but_the_colour() {
    let error = parse("x = 1;", "pizauth.conf").unwrap_err();
    let coloured = error.render(true);
    assert!(coloured.contains("\u{1b}[") && !error.render(false).contains('\u{1b}'));
}
