//! How an account is doing: whether there is a token, until when, and what went wrong last.
//!
//! Judges what the server says of the account; asks nobody.

use super::explain::explain;
use super::finding::{Area, Finding};
use super::who::Who;
use crate::client::time::Clock;
use crate::config::{Account, GrantType};
use crate::protocol::{AccountState, AccountStatus};
use crate::shell_word::shell_word;

/// Judges an account's state; without `account` its configuration is not known.
pub(super) fn judge(status: &AccountStatus, account: Option<&Account>, clock: &Clock) -> Finding {
    let who = account.map_or(Who::Other, Who::of);
    let finding = match &status.last_error {
        Some(error) => failing(status, error, who, clock),
        None => well(status, account, who, clock),
    };
    finding.of(&status.account)
}

/// Something went wrong since the last success.
fn failing(status: &AccountStatus, error: &str, who: Who, clock: &Clock) -> Finding {
    let state = match status.state {
        AccountState::Active => format!(
            "the token is good{}, but it cannot be refreshed",
            until(status, clock)
        ),
        AccountState::Expired => "the token has expired, and cannot be refreshed".to_owned(),
        _ => "there is no token".to_owned(),
    };
    let when = status.last_error_at.as_ref();
    let when = when.map_or_else(String::new, |time| format!(" at {}", clock.tell(time)));
    let next = status.next_refresh_at.as_ref();
    let next = next.map_or_else(String::new, |time| {
        format!("; the next try is at {}", clock.tell(time))
    });
    let meaning = explain(error, who);
    let means = meaning.map_or_else(String::new, |it| format!(", which means: {}", it.meaning));
    let text = format!("{state}: the last error{when} was '{error}'{means}{next}");
    let name = shell_word(&status.account);
    let advice = match meaning {
        Some(it) => it.advice.replace("ACCOUNT", &name),
        None => match status.state {
            AccountState::Active | AccountState::Expired => format!(
                "wait, or try at once with 'pizauth refresh {name}'; if it stays, 'pizauth login {name}'"
            ),
            _ => format!("run 'pizauth login {name}'"),
        },
    };
    Finding::problem(Area::Login, text).advise(advice)
}

/// Nothing went wrong.
fn well(status: &AccountStatus, account: Option<&Account>, who: Who, clock: &Clock) -> Finding {
    let area = Area::Login;
    let name = shell_word(&status.account);
    let grant = account.map(|account| account.authority.grant);
    let is_own = grant == Some(GrantType::ClientCredentials);
    match status.state {
        AccountState::Active if status.refreshable || is_own => {
            let next = status.next_refresh_at.as_ref();
            let next = next.map_or_else(String::new, |time| {
                format!("; the next refresh is at {}", clock.tell(time))
            });
            Finding::good(
                area,
                format!("the token is good{}{next}", until(status, clock)),
            )
        }
        AccountState::Active => Finding::note(
            area,
            format!(
                "the token is good{}, but there is no refresh token: a login is wanted again then",
                until(status, clock)
            ),
        )
        .advise(refresh_token_advice(who, &name)),
        AccountState::Empty if is_own => Finding::good(
            area,
            "there is no token yet: it is asked for when somebody wants it",
        ),
        AccountState::Empty => Finding::note(area, "nobody has logged in yet")
            .advise(format!("run 'pizauth login {name}'")),
        AccountState::Pending => Finding::note(area, "a login was begun, and is not finished")
            .advise(format!("run 'pizauth login {name}'")),
        AccountState::Preparing | AccountState::Exchanging => {
            Finding::good(area, "is just being logged in")
        }
        AccountState::Obtaining => Finding::good(area, "a token is just being asked for"),
        AccountState::Expired => {
            Finding::note(area, "the token has expired, and is being refreshed")
                .advise(format!("'pizauth show --wait {name}' waits for it"))
        }
    }
}

fn until(status: &AccountStatus, clock: &Clock) -> String {
    let time = status.expires_at.as_ref();
    time.map_or_else(String::new, |time| format!(" until {}", clock.tell(time)))
}

/// What makes a provider grant a refresh token.
fn refresh_token_advice(who: Who, name: &str) -> String {
    let what = match who {
        Who::Google => {
            "set auth_uri_fields = {\"access_type\": \"offline\", \"prompt\": \"consent\"}"
        }
        Who::GitHub => {
            "with a GitHub app, let its tokens expire; those of an OAuth app need no refresh"
        }
        _ => "ask for one with the scope \"offline_access\" if the provider knows that",
    };
    format!("{what}; then run 'pizauth reload' and 'pizauth login {name}'")
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::super::finding::Verdict::{Good, Note, Problem};
    use super::super::testing::{OWN, account, assert_one};
    use super::*;

    fn clock() -> Clock {
        Clock {
            now: "2025-03-10T12:10:00Z".parse().unwrap(),
            zone: TimeZone::UTC,
        }
    }

    fn status(state: AccountState) -> AccountStatus {
        AccountStatus {
            account: "a b".into(),
            state,
            expires_at: Some("2025-03-10T13:02:00Z".into()),
            obtained_at: None,
            refreshable: true,
            busy: false,
            next_refresh_at: Some("2025-03-10T12:50:00Z".into()),
            granted_scope: None,
            url: None,
            user_code: None,
            last_error: None,
            last_error_at: None,
        }
    }

    fn judged(status: &AccountStatus) -> [Finding; 1] {
        [judge(status, None, &clock())]
    }

    #[test]
    fn accounts_that_are_well() {
        use AccountState::*;
        let found = judged(&status(Active));
        assert_one(
            &found,
            Good,
            "good until 13:02 (in 52m); the next refresh is at 12:50",
        );
        assert_eq!(found[0].account.as_deref(), Some("a b"));
        assert_one(&judged(&status(Empty)), Note, "pizauth login 'a b'");
        assert_one(&judged(&status(Pending)), Note, "pizauth login 'a b'");
        assert_one(&judged(&status(Exchanging)), Good, "being logged in");
        assert_one(&judged(&status(Preparing)), Good, "being logged in");
        assert_one(&judged(&status(Obtaining)), Good, "being asked for");
        assert_one(&judged(&status(Expired)), Note, "being refreshed");
    }

    #[test]
    fn a_token_that_cannot_be_refreshed() {
        let status = AccountStatus {
            refreshable: false,
            ..status(AccountState::Active)
        };
        assert_one(&judged(&status), Note, "offline_access");
        let google = account("provider = \"google\"; client_secret = \"x\";");
        let found = [judge(&status, Some(&google), &clock())];
        assert_one(&found, Note, "access_type");
        let own = account(OWN);
        assert_one(&[judge(&status, Some(&own), &clock())], Good, "until");
    }

    #[test]
    fn accounts_that_fail() {
        use AccountState::*;
        let failed = |state, error: &str| AccountStatus {
            last_error: Some(error.into()),
            last_error_at: Some("2025-03-10T12:00:00Z".into()),
            ..status(state)
        };
        let found = judged(&failed(
            Expired,
            "example.com cannot be found: is the network up?",
        ));
        assert_one(
            &found,
            Problem,
            "at 12:00 (10m ago) was 'example.com cannot",
        );
        assert_one(&found, Problem, "the next try is at 12:50 (in 40m)");
        let found = judged(&failed(Empty, "invalid_grant: gone"));
        assert_one(&found, Problem, "there is no token");
        assert_one(&found, Problem, "pizauth login 'a b'");
        let found = judged(&failed(Active, "the moon is full"));
        assert_one(&found, Problem, "pizauth refresh 'a b'");
        let found = judged(&failed(Pending, "the moon is full"));
        assert_one(&found, Problem, "pizauth login 'a b'");
    }
}
