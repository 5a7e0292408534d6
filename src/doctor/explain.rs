//! What a provider's or a network's words mean, and what to do about them: a table for people.
//!
//! Reads reasons that were written for a log. Nothing but words may ever follow from what is found
//! here: providers change their numbers and texts without a word.

mod microsoft;
mod words;

use super::who::Who;

/// What a reason means. `ACCOUNT` in the advice stands for the account's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Meaning {
    pub(super) meaning: &'static str,
    pub(super) advice: &'static str,
}

/// What `reason` means, where that is known; `who` said it, or could not be asked.
pub(super) fn explain(reason: &str, who: Who) -> Option<Meaning> {
    microsoft::explain(reason)
        .or_else(|| words::special_to(who, reason))
        .or_else(|| words::explain(reason))
}

/// Whether `word` stands in `text` with nothing beside it that would make it another word.
fn has_word(text: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_says(reason: &str, who: Who, words: &str) {
        let found = explain(reason, who).unwrap_or_else(|| panic!("unknown: {reason}"));
        let said = format!("{}; {}", found.meaning, found.advice);
        assert!(said.contains(words), "'{words}' is not in '{said}'");
    }

    #[test]
    fn what_microsoft_says() {
        let cases = [
            (
                "invalid_request: AADSTS50011: The redirect URI ...",
                "not registered",
            ),
            (
                "invalid_grant: AADSTS700082: The refresh token ...",
                "not used",
            ),
            (
                "invalid_client: AADSTS7000215: Invalid client secret",
                "not its id",
            ),
            (
                "invalid_client: AADSTS7000218: The request body ...",
                "public client",
            ),
            (
                "invalid_grant: AADSTS50076: Due to a configuration",
                "second factor",
            ),
            ("unauthorized_client: AADSTS700016: Application", "tenant"),
            ("invalid_grant: AADSTS65001: The user or admin", "agreed"),
            (
                "invalid_grant: AADSTS70000: user account in service abuse mode",
                "locked",
            ),
        ];
        for (reason, words) in cases {
            assert_says(reason, Who::Microsoft, words);
        }
    }

    #[test]
    fn a_longer_number_is_another_one() {
        assert_says(
            "invalid_grant: AADSTS700082: expired",
            Who::Microsoft,
            "not used",
        );
        // Nobody knows this one, so that the code of OAuth2 counts.
        assert_says(
            "invalid_client: AADSTS500119: ?",
            Who::Microsoft,
            "'client_id'",
        );
    }

    #[test]
    fn what_google_says() {
        let cases = [
            (
                "invalid_grant: Token has been expired or revoked.",
                "Testing",
            ),
            ("invalid_grant: Bad Request", "Testing"),
            ("admin_policy_enforced", "Workspace"),
            ("org_internal: ...", "organisation"),
            ("deleted_client: The OAuth client was deleted.", "deleted"),
            ("disallowed_useragent", "browser"),
            ("redirect_uri_mismatch", "Desktop"),
            ("access_denied", "test user"),
        ];
        for (reason, words) in cases {
            assert_says(reason, Who::Google, words);
        }
    }

    #[test]
    fn what_any_provider_says() {
        let cases = [
            ("invalid_grant", "pizauth login ACCOUNT"),
            ("HTTP 401: invalid_client: no", "client_secret"),
            ("unauthorized_client", "client"),
            ("invalid_scope: mail", "'scopes'"),
            ("redirect_uri_mismatch", "redirect_uri"),
            ("access_denied: the user said no", "refused"),
            ("invalid_target", "'resource'"),
            ("expired_token", "code"),
            ("unsupported_grant_type", "'grant'"),
            ("server_error", "provider's side"),
            ("HTTP 503", "provider's side"),
            ("HTTP 429 (too many requests)", "too often"),
            ("HTTP 404 (is token_uri right?)", "nothing there"),
            ("HTTP 407 (the proxy wants a login)", "proxy"),
            (
                "HTTP 200 with a web page instead of a token (a captive portal or proxy?)",
                "portal",
            ),
        ];
        for (reason, words) in cases {
            assert_says(reason, Who::Other, words);
        }
    }

    #[test]
    fn what_the_network_says() {
        let cases = [
            ("example.com cannot be found: is the network up?", "name"),
            ("no connection to example.com within 10 s", "firewall"),
            ("example.com did not answer within 30 s", "slow"),
            ("example.com refuses the connection", "port"),
            (
                "the certificate of example.com is not accepted: it has expired, or the clock of this machine is wrong",
                "clock",
            ),
            (
                "the certificate of example.com is not accepted: nobody trusted has issued it (a private CA belongs into 'ca_file')",
                "ca_file",
            ),
            (
                "the certificate of example.com is not accepted: it is for another name",
                "name",
            ),
            ("client_secret_cmd ended with exit status 1", "by hand"),
        ];
        for (reason, words) in cases {
            assert_says(reason, Who::Other, words);
        }
    }

    #[test]
    fn what_nobody_knows_is_not_explained() {
        assert_eq!(explain("", Who::Other), None);
        assert_eq!(explain("not_invalid_grant_at_all: x", Who::Other), None);
        assert_eq!(explain("AADSTS", Who::Microsoft), None);
        assert_eq!(explain("the moon is full", Who::Google), None);
    }
}
