//! The server: whether there is one, whether it is as old as this program, and whether it has the
//! configuration that was looked at.
//!
//! Judges what the server says of itself; asks nobody.

use super::finding::{Area, Finding, names};
use crate::client::ClientError;
use crate::config::Config;
use crate::protocol::{ServerInfo, Status};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Judges what came of asking the server about itself; `config` is where a server has its
/// configuration from unless it is told otherwise.
pub(super) fn judge(info: &Result<ServerInfo, ClientError>, config: &str) -> Vec<Finding> {
    let area = Area::Server;
    let info = match info {
        Ok(info) => info,
        Err(ClientError::NotRunning) => {
            return vec![
                Finding::problem(area, "the server is not running, and so nobody gets a token")
                    .advise("start it with 'pizauth server'; if it runs, it has another runtime directory: compare XDG_RUNTIME_DIR"),
            ];
        }
        // These say themselves what to do, and it is not with the server.
        Err(error @ (ClientError::NobodyAt(_) | ClientError::SocketTooLong(_))) => {
            return vec![Finding::problem(area, error.to_string())];
        }
        Err(error) => {
            return vec![
                Finding::problem(area, error.to_string())
                    .advise("restart the server; its log may say more"),
            ];
        }
    };
    let mut findings = vec![Finding::good(
        area,
        format!(
            "version {} is running, as process {}",
            info.version, info.pid
        ),
    )];
    if info.version != VERSION {
        let text = format!(
            "the server is version {}, and this program is {VERSION}",
            info.version
        );
        let advice = "replace it without losing anything: 'pizauth server --replace', or restart it where systemd runs it";
        findings.push(Finding::note(area, text).advise(advice));
    }
    if info.config != config {
        let text = format!(
            "the server has its configuration from {}, which this report is about; {config} is not used",
            info.config
        );
        findings.push(Finding::note(area, text));
    }
    findings.extend(info.keeping_error.as_deref().map(not_kept));
    findings
}

/// Tokens end with the server, where the user has seen to it that they do not.
fn not_kept(error: &str) -> Finding {
    let advice = match error.starts_with("restore_cmd") {
        true => {
            "run restore_cmd by hand to see why; to have what was kept, restore it before you log \
             in: restore_cmd in a pipe to 'pizauth restore'"
        }
        false => "run persist_cmd by hand to see why: 'pizauth dump' in a pipe to it",
    };
    Finding::problem(Area::Server, error).advise(advice)
}

/// The server answers, but not this.
pub(super) fn no_status() -> Finding {
    Finding::problem(
        Area::Server,
        "the server does not tell how the accounts are",
    )
    .advise("try again; if it stays, restart the server")
}

/// Judges whether the server has the accounts that are in the configuration.
pub(super) fn accounts(config: &Config, status: &Status) -> Option<Finding> {
    let written: Vec<&str> = config.accounts.iter().map(|it| it.name.as_str()).collect();
    let served: Vec<&str> = status
        .accounts
        .iter()
        .map(|it| it.account.as_str())
        .collect();
    let without = |these: &[&str], those: &[&str]| -> Vec<String> {
        let those: std::collections::HashSet<&&str> = those.iter().collect();
        let rest = these.iter().filter(|name| !those.contains(name));
        rest.map(|name| (*name).to_owned()).collect()
    };
    let (new, gone) = (without(&written, &served), without(&served, &written));
    let text = match (new.is_empty(), gone.is_empty()) {
        (true, true) => return None,
        (false, true) => format!("the server does not know {} yet", names(&new)),
        (true, false) => format!(
            "the server still has {}, which the configuration has not",
            names(&gone)
        ),
        (false, false) => format!(
            "the server does not know {} yet, and still has {}",
            names(&new),
            names(&gone)
        ),
    };
    Some(Finding::problem(Area::Server, text).advise("run 'pizauth reload'"))
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict::{Good, Note, Problem};
    use super::super::testing::{assert_one, configured};
    use super::*;

    fn info(version: &str) -> ServerInfo {
        ServerInfo {
            version: version.into(),
            pid: 7,
            config: "/c".into(),
            http_listen: Vec::new(),
            https_listen: Vec::new(),
            https_fingerprint: None,
            accounts: 1,
            started_at: String::new(),
            protections: Vec::new(),
            keeping_error: None,
        }
    }

    #[test]
    fn the_server() {
        assert_one(&judge(&Ok(info(VERSION)), "/c"), Good, "process 7");
        assert_one(&judge(&Ok(info("0.0.9")), "/c")[1..], Note, "--replace");
        assert_one(&judge(&Ok(info(VERSION)), "/d")[1..], Note, "from /c");
        for (error, advice) in [
            ("restore_cmd ended with exit status 3", "before you log in"),
            ("persist_cmd ended with exit status 1", "'pizauth dump'"),
        ] {
            let mut info = info(VERSION);
            info.keeping_error = Some(error.into());
            let found = judge(&Ok(info), "/c");
            assert_one(&found[1..], Problem, error);
            assert!(found[1].advice.as_ref().unwrap().contains(advice));
        }
        let forwarded = judge(&Err(ClientError::NobodyAt("/f".into())), "/c");
        assert_one(&forwarded, Problem, "PIZAUTH_SOCKET");
        let dead = judge(&Err(ClientError::NotRunning), "/c");
        assert_one(&dead, Problem, "pizauth server");
        assert_one(&judge(&Err(ClientError::NoAnswer), "/c"), Problem, "log");
    }

    #[test]
    fn its_accounts() {
        let more = "auth_uri = \"https://e.org/a\"; token_uri = \"https://e.org/t\";";
        let config = configured("", more);
        let served = |names: &[&str]| {
            let accounts: Vec<_> = names
                .iter()
                .map(|it| serde_json::json!({"account": it, "state": "empty", "refreshable": false, "busy": false}))
                .collect();
            serde_json::from_value(serde_json::json!({"accounts": accounts})).unwrap()
        };
        assert_eq!(accounts(&config, &served(&["a"])), None);
        let judge = |names: &[&str]| [accounts(&config, &served(names)).unwrap()];
        assert_one(&judge(&[]), Problem, "does not know 'a' yet");
        assert_one(&judge(&["a", "b"]), Problem, "still has 'b'");
        assert_one(&judge(&["b"]), Problem, "'pizauth reload'");
    }
}
