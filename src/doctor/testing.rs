//! What the tests of this room have in common.

use std::sync::Arc;

use super::finding::{Finding, Verdict};
use crate::config::{self, Account, Config};

/// An account without a user.
pub(super) const OWN: &str = "grant = \"client_credentials\"; client_secret = \"x\"; \
                              token_uri = \"https://example.com/token\";";

/// A configuration with an account `a` that has this in it, after these settings.
pub(super) fn configured(globals: &str, more: &str) -> Config {
    let source = format!("{globals} account \"a\" {{ client_id = \"c\"; {more} }}");
    config::parse(&source, "pizauth.conf").unwrap_or_else(|error| panic!("{error}"))
}

/// An account `a` that has this in it.
pub(super) fn account(more: &str) -> Arc<Account> {
    configured("", more).accounts.remove(0)
}

/// An account at nobody in particular.
pub(super) fn plain(more: &str) -> Arc<Account> {
    account(&format!(
        "auth_uri = \"https://example.com/auth\"; token_uri = \"https://example.com/token\"; {more}"
    ))
}

/// The verdicts with the texts.
pub(super) fn told(findings: &[Finding]) -> Vec<(Verdict, &str)> {
    findings
        .iter()
        .map(|it| (it.verdict, it.text.as_str()))
        .collect()
}

/// Checks that there is one finding, of this verdict, with these words in its text or advice.
#[track_caller]
pub(super) fn assert_one(findings: &[Finding], verdict: Verdict, words: &str) {
    let [finding] = findings else {
        panic!("not one: {findings:?}");
    };
    assert_eq!(finding.verdict, verdict, "{finding:?}");
    let advice = finding.advice.as_deref().unwrap_or_default();
    let has = finding.text.contains(words) || advice.contains(words);
    assert!(has, "'{words}' is not in {finding:?}");
}
