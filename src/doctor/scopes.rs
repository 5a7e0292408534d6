//! The scopes that were granted against those that were asked for.
//!
//! Knows how providers spell the same scope in two ways: whoever cries wolf is not believed the
//! next time.

use super::finding::{Area, Finding};
use super::who::Who;
use crate::config::Account;
use crate::shell_word::shell_word;

/// Scopes that say something of the login itself; providers grant them in silence, or under other
/// names (OpenID Connect Core section 5.4 and 11, Google's userinfo scopes).
const OF_THE_LOGIN: [&str; 7] = [
    "openid",
    "profile",
    "email",
    "address",
    "phone",
    "offline_access",
    "offline",
];
/// Stands for whatever the client is registered for (Microsoft).
const DEFAULT: &str = ".default";
/// The end of a list that was too long to be kept.
const CUT: char = '…';

/// What is to be said of the scopes in the configuration, whatever was granted.
pub(super) fn asked(account: &Account, who: Who) -> Vec<Finding> {
    let name = account.name.as_str();
    let mut findings = Vec::new();
    if who != Who::Microsoft {
        return findings;
    }
    let hosts = hosts(&account.authority.scopes);
    if hosts.len() > 1 {
        let text = format!(
            "the scopes are of more than one service ({}), and Microsoft gives tokens for one at a time",
            hosts.join(", ")
        );
        let finding = Finding::problem(Area::Scopes, text).of(name);
        findings.push(finding.advise("make an account for each service"));
    }
    findings
}

/// The hosts that scopes written as URLs name.
fn hosts(scopes: &[String]) -> Vec<&str> {
    let mut hosts: Vec<&str> = Vec::new();
    for scope in scopes {
        let host = scope
            .strip_prefix("https://")
            .and_then(|it| it.split('/').next());
        // An older name of the same service.
        let host = host.map(|host| match host {
            "outlook.office365.com" => "outlook.office.com",
            host => host,
        });
        if let Some(host) = host.filter(|host| !hosts.contains(host)) {
            hosts.push(host);
        }
    }
    hosts
}

/// What is to be said where the provider has named what it granted.
pub(super) fn granted(account: &Account, who: Who, granted: &str) -> Option<Finding> {
    let name = account.name.as_str();
    let asked = &account.authority.scopes;
    if asked.is_empty() || granted.trim().is_empty() || granted.ends_with(CUT) {
        return None;
    }
    let granted: Vec<String> = granted
        .split([' ', ','])
        .map(|scope| bare(scope, who))
        .collect();
    let is_missing = |scope: &&String| {
        !is_silent(scope) && !granted.iter().any(|it| covers(it, &bare(scope, who)))
    };
    let missing: Vec<&str> = asked
        .iter()
        .filter(is_missing)
        .map(String::as_str)
        .collect();
    if missing.is_empty() {
        return Some(Finding::good(Area::Scopes, "all scopes asked for were granted").of(name));
    }
    let text = format!("asked for, but not granted: {}", missing.join(", "));
    let advice = format!(
        "run 'pizauth revoke {0}' and 'pizauth login {0}', and leave every box ticked; if it stays, \
         allow the scopes for the client at the provider",
        shell_word(name)
    );
    Some(Finding::problem(Area::Scopes, text).of(name).advise(advice))
}

fn is_silent(scope: &str) -> bool {
    let scope = scope.to_ascii_lowercase();
    OF_THE_LOGIN.contains(&scope.as_str())
        || scope.ends_with(DEFAULT)
        || scope.contains("/auth/userinfo.")
}

/// A scope as it can be compared. Microsoft names one service by several hosts, and may leave them
/// out of what it grants.
fn bare(scope: &str, who: Who) -> String {
    let bare = match who {
        Who::Microsoft => scope.rsplit('/').next().unwrap_or(scope),
        _ => scope.trim_end_matches('/'),
    };
    bare.to_ascii_lowercase()
}

/// Whether the scope that was granted has in it the one that was asked for: GitHub's `repo` has
/// `repo:status` in it, and `mail:imap_full` is Yandex's for `mail:imap_ro`.
fn covers(granted: &str, asked: &str) -> bool {
    let is_part = || {
        let rest = asked.strip_prefix(granted);
        !granted.is_empty() && rest.is_some_and(|rest| rest.starts_with(':'))
    };
    granted == asked || is_part() || granted == "mail:imap_full" && asked == "mail:imap_ro"
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::super::testing::{assert_one, plain};
    use super::*;

    fn judged(scopes: &str, who: Who, text: &str) -> Vec<Finding> {
        let account = plain(&format!("scopes = [{scopes}];"));
        granted(&account, who, text).into_iter().collect()
    }

    #[test]
    fn what_is_the_same_in_other_words_is_no_problem() {
        let cases = [
            ("\"a\", \"b\"", Who::Other, "b a"),
            ("\"a\", \"b\"", Who::Other, "a c b d"),
            ("\"a\", \"openid\", \"email\"", Who::Other, "a"),
            (
                "\"https://mail.google.com/\", \"email\"",
                Who::Google,
                "https://www.googleapis.com/auth/userinfo.email https://mail.google.com/",
            ),
            (
                "\"https://outlook.office.com/IMAP.AccessAsUser.All\", \"https://outlook.office365.com/SMTP.Send\", \"offline_access\"",
                Who::Microsoft,
                "https://outlook.office.com/imap.accessasuser.all SMTP.Send",
            ),
            (
                "\"https://outlook.office365.com/.default\"",
                Who::Microsoft,
                "https://outlook.office365.com/IMAP.AccessAsApp",
            ),
            (
                "\"repo\", \"repo:status\", \"gist\"",
                Who::GitHub,
                "gist,repo",
            ),
            ("\"mail:imap_ro\"", Who::Yandex, "mail:imap_full"),
        ];
        for (scopes, who, text) in cases {
            assert_one(&judged(scopes, who, text), Verdict::Good, "granted");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let found = judged("\"mail.read\", \"mail.send\"", Who::Other, "mail.read");
        assert_one(&found, Verdict::Problem, "not granted: mail.send");
        assert!(
            found[0]
                .advice
                .as_deref()
                .unwrap()
                .contains("pizauth login a")
        );
        let found = judged("\"a\"", Who::Other, "ab aa");
        assert_one(&found, Verdict::Problem, "not granted: a");
    }

    #[test]
    fn nothing_is_said_where_nothing_is_known() {
        assert!(judged("\"a\"", Who::Other, "").is_empty());
        assert!(judged("\"a\"", Who::Other, "b c…").is_empty());
        assert!(judged("", Who::Other, "b").is_empty());
    }

    #[test]
    fn microsoft_gives_tokens_for_one_service() {
        let account = plain(
            "scopes = [\"https://outlook.office.com/SMTP.Send\", \"https://graph.microsoft.com/Mail.Send\"];",
        );
        assert_one(&asked(&account, Who::Microsoft), Verdict::Problem, "graph");
        assert!(asked(&account, Who::Other).is_empty());
    }
}
