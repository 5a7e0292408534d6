//! The client id: whether it is still the one that stands in the examples for the user's own.
//!
//! The provider would only say that it does not know the client, and that in the browser.

use super::finding::{Area, Finding};
use crate::config::Account;

/// How the client ids begin that README, the manual and the examples have.
const IN_EXAMPLES: [&str; 2] = ["your-client-id", "your-application-id"];

/// Judges an account's client id; nothing comes back for one that may be real.
pub(super) fn judge(account: &Account) -> Option<Finding> {
    let client_id = account.authority.client_id.to_ascii_lowercase();
    if !IN_EXAMPLES.iter().any(|it| client_id.starts_with(it)) {
        return None;
    }
    let text = format!(
        "'client_id' is \"{}\", as in an example: the provider does not know it",
        account.authority.client_id
    );
    let finding = Finding::problem(Area::Configuration, text).advise(
        "register a client at the provider, write its id there, and run 'pizauth reload': the \
         example files and README say how",
    );
    Some(finding.of(account.name.as_str()))
}

#[cfg(test)]
mod tests {
    use super::super::testing::plain;
    use super::*;

    #[test]
    fn the_examples_client_is_nobody_s() {
        assert_eq!(judge(&plain("")), None);
        for id in [
            "YOUR-APPLICATION-ID",
            "your-client-id",
            "YOUR-CLIENT-ID.apps.googleusercontent.com",
        ] {
            let source =
                format!("account \"a\" {{ client_id = \"{id}\"; provider = \"google\"; }}");
            let config = crate::config::parse(&source, "pizauth.conf").unwrap();
            let finding = judge(&config.accounts[0]).unwrap();
            assert!(finding.text.contains(id), "{finding:?}");
            assert_eq!(finding.account.as_deref(), Some("a"));
        }
    }
}
