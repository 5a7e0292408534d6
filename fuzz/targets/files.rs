//! What is read from files and from the user's own commands: the configuration and dumps.

use pizauth::clock::{Moment, Now, Timestamp};
use pizauth::config::{self, Config};
use pizauth::vault::Vault;
use pizauth::vault::snapshot::ReadDump;

use super::{SECRET, assert_line, assert_lines};

/// Before each secret in the configurations of the corpus.
const BEFORE_SECRET: &str = "client_secret = \"";

/// Accounts for dumps to be restored to.
const CONFIG: &str = r#"
    account "work" {
        auth_uri = "https://login.example/authorize";
        token_uri = "https://login.example/token";
        client_id = "id";
        scopes = ["mail"];
    }
    account "robot" {
        token_uri = "https://login.example/token";
        client_id = "id";
        client_secret = "S3CR3T";
        grant = "client_credentials";
    }
"#;

/// A configuration file.
pub(crate) fn configuration(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    let error = match config::parse(text, "pizauth.conf") {
        Ok(config) => return assert_sound(&config),
        Err(error) => error,
    };
    let report = error.render(false);
    assert!(!report.is_empty());
    assert_lines(&report);
    let secrets = text.matches(SECRET).count();
    let secret_option = format!("{BEFORE_SECRET}{SECRET}");
    if text.matches(&secret_option).count() == secrets {
        assert!(!report.contains(SECRET), "{report}");
    }
    let config::ConfigError::Mistakes(mistakes) = &error else {
        panic!("no file was read");
    };
    assert!(mistakes.total() > 0);
    // With colours, it says the same.
    assert_eq!(without_colours(&error.render(true)), report);
}

fn assert_sound(config: &Config) {
    assert!(!config.accounts.is_empty());
    let mut names: Vec<_> = config.accounts.iter().map(|it| &it.name).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), config.accounts.len());
    assert_eq!(Vault::new(config).len(), names.len());
    let shown = format!("{config:?}");
    assert!(
        !shown.contains(&format!("ClientSecret({SECRET}")),
        "{shown}"
    );
}

fn without_colours(text: &str) -> String {
    let mut parts = text.split('\u{1b}');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        plain.push_str(part.split_once('m').map_or("", |(_, rest)| rest));
    }
    plain
}

/// A dump, restored and dumped again.
pub(crate) fn dump(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    let dump = match ReadDump::read(text) {
        Ok(dump) => dump,
        Err(why) => {
            let why = why.to_string();
            assert!(!why.contains(SECRET), "{why}");
            // It names an account, which can be as long as a dump.
            return assert_lines(&why);
        }
    };
    let Ok(config) = config::parse(CONFIG, "pizauth.conf") else {
        panic!("the configuration is wrong");
    };
    let mut vault = Vault::new(&config);
    let (report, _) = vault.restore(dump, now());
    assert_lines(&report.to_string());
    assert!(report.restored <= vault.len());
    assert_eq!(report.restored > 0, vault.holds_tokens());
    let first = written(&vault);
    let Ok(again) = ReadDump::read(&first) else {
        panic!("its own dump is not read: {first}");
    };
    let mut other = Vault::new(&config);
    let (second, _) = other.restore(again, now());
    assert_eq!(second.restored, report.restored);
    assert_eq!(written(&other), first);
    assert_restoring_again_changes_nothing(&mut other, &first);
}

fn assert_restoring_again_changes_nothing(vault: &mut Vault, text: &str) {
    let Ok(dump) = ReadDump::read(text) else {
        panic!("its own dump is not read: {text}");
    };
    let (report, _) = vault.restore(dump, now());
    assert_eq!(report.restored, 0, "{report}");
    assert_eq!(written(vault), text);
    for (_, reason) in report.skipped {
        assert_line(&reason.to_string());
    }
}

fn written(vault: &Vault) -> String {
    let Ok(text) = vault.snapshot(now()).text() else {
        panic!("no dump could be written");
    };
    text.expose().to_owned()
}

/// A day in 2025, on a machine that has run for ten days.
fn now() -> Now {
    Now {
        moment: Moment::from_millis(864_000_000),
        wall: Timestamp::from_second(1_741_609_500).unwrap_or_default(),
    }
}
