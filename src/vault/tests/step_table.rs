//! Every state x every input: the whole table is in `tests/data/state-table.txt`, but for the
//! pairs where nothing changes and nothing is to be done.

use std::fmt::Write as _;

use crate::config::GrantType;
use crate::oauth::device::PollFailure;
use crate::oauth::token::FailureKind::{InvalidGrant, Misconfigured};
use crate::vault::device::login::{DeviceLogin, Poll};
use crate::vault::step;
use crate::vault::test_support::{
    PASSING, access, at, callback, device_authorization, exchanging, failure, grant, login, policy,
    refusal, renewable, request, rotating_failure,
};
use crate::vault::tests::told::{told, told_effect};
use crate::vault::token::{
    Access, Active, Attempt, Failures, Login, Means, Pending, Preparing, Renewal, TokenState,
};
use crate::vault::transition::{Effect, Input, Prepared, Probed, Restored};

const NOW: i64 = 1000;
/// When the states' access tokens expire.
const EXPIRY: i64 = 2000;

const TABLE: &str = include_str!("../../../tests/data/state-table.txt");

fn failures(count: u32, probing: bool) -> Failures {
    Failures {
        count,
        streak: count,
        probing,
    }
}

fn attempts() -> [(&'static str, Attempt); 5] {
    let backoff = |failures| Attempt::Backoff {
        until: at(NOW + 30),
        not_before: at(NOW + 10),
        failures,
    };
    [
        ("idle", Attempt::Idle),
        ("in flight", Attempt::InFlight(failures(1, false))),
        ("backoff", backoff(failures(1, false))),
        ("probed", backoff(failures(2, true))),
        ("halted", Attempt::Halted),
    ]
}

fn renewal(attempt: Attempt) -> Renewal {
    Renewal {
        means: login("R"),
        obtained: at(NOW),
        attempt,
    }
}

fn pending(carried: Option<Access>) -> TokenState {
    TokenState::Pending(Pending {
        login: Login::Browser(request("s")),
        told: at(NOW),
        carried,
    })
}

fn device(poll: Poll, carried: Option<Access>) -> TokenState {
    let login = DeviceLogin {
        poll,
        ..DeviceLogin::new(device_authorization("d"), at(NOW))
    };
    TokenState::Pending(Pending {
        login: Login::Device(login),
        told: at(NOW),
        carried,
    })
}

/// Every shape of a state, by name.
fn states() -> Vec<(String, TokenState)> {
    let token = || access("A", NOW, EXPIRY);
    let active = |renewal| {
        TokenState::Active(Active {
            access: token(),
            renewal,
        })
    };
    let preparing = |grant, carried| TokenState::Preparing(Preparing { grant, carried });
    let next = |at_, failures| Poll::Next {
        at: at(at_),
        failures,
    };
    let in_flight = Poll::InFlight { failures: 1 };
    let own = |attempt| Renewal {
        means: Means::ClientCredentials,
        ..renewal(attempt)
    };
    let mut states = vec![
        ("empty".to_owned(), TokenState::Empty),
        ("pending".into(), pending(None)),
        ("pending, carrying".into(), pending(Some(token()))),
        ("exchanging".into(), exchanging(None)),
        ("exchanging, carrying".into(), exchanging(Some(token()))),
        ("active".into(), active(None)),
        (
            "preparing a browser".into(),
            preparing(GrantType::AuthorizationCode, None),
        ),
        (
            "preparing a code, carrying".into(),
            preparing(GrantType::DeviceCode, Some(token())),
        ),
        ("code, not due".into(), device(next(NOW + 5, 0), None)),
        ("code, due".into(), device(next(NOW, 2), None)),
        ("code, asked".into(), device(in_flight, None)),
        (
            "code, asked, carrying".into(),
            device(in_flight, Some(token())),
        ),
        (
            "own, in flight".into(),
            TokenState::Expired(own(Attempt::InFlight(failures(1, false)))),
        ),
        ("own, active".into(), active(Some(own(Attempt::Idle)))),
    ];
    for (name, attempt) in attempts() {
        states.push((format!("active, {name}"), active(Some(renewal(attempt)))));
    }
    for (name, attempt) in attempts() {
        let state = TokenState::Expired(renewal(attempt));
        states.push((format!("expired, {name}"), state));
    }
    states
}

/// Every shape of an input, by name.
fn inputs() -> Vec<(&'static str, Input)> {
    use Input::{Authorize, Callback, ExchangeDone, Polled, ProbeDone, RefreshDone, Restore};
    let prepared = Input::Prepared;
    vec![
        ("authorize", Authorize(request("new"))),
        ("callback", Callback(callback("s"))),
        ("callback, refused", Callback(refusal("s"))),
        ("callback, wrong", Callback(callback("t"))),
        ("callback, wrong refused", Callback(refusal("t"))),
        (
            "exchanged",
            ExchangeDone(Ok(grant("B", Some(3600), Some("S")))),
        ),
        (
            "exchanged, no refresh token",
            ExchangeDone(Ok(grant("B", None, None))),
        ),
        (
            "exchange failed, passing",
            ExchangeDone(Err(failure(PASSING))),
        ),
        (
            "exchange failed, for good",
            ExchangeDone(Err(failure(InvalidGrant))),
        ),
        (
            "exchange failed, refresh token",
            ExchangeDone(Err(rotating_failure(PASSING, "S"))),
        ),
        ("refresh asked", Input::RefreshAsked),
        ("fresher wanted", Input::FresherWanted),
        ("way clear", Input::WayClear),
        (
            "refreshed",
            RefreshDone(Ok(grant("B", Some(3600), Some("S")))),
        ),
        (
            "refreshed, no refresh token",
            RefreshDone(Ok(grant("B", None, None))),
        ),
        (
            "refresh failed, passing",
            RefreshDone(Err(failure(PASSING))),
        ),
        (
            "refresh failed, invalid_grant",
            RefreshDone(Err(failure(InvalidGrant))),
        ),
        (
            "refresh failed, misconfigured",
            RefreshDone(Err(failure(Misconfigured))),
        ),
        (
            "refresh failed, passing rotated",
            RefreshDone(Err(rotating_failure(PASSING, "S"))),
        ),
        (
            "refresh failed, misconfigured rotated",
            RefreshDone(Err(rotating_failure(Misconfigured, "S"))),
        ),
        ("probed passing", ProbeDone(Probed::Passing)),
        ("probed gone", ProbeDone(Probed::Gone)),
        ("tick", Input::Tick),
        ("revoke", Input::Revoke),
        (
            "restore",
            Restore(Restored::Active(
                access("D", 500, 3000),
                Some(renewable("T")),
            )),
        ),
        (
            "restore, no refresh token",
            Restore(Restored::Active(access("D", 500, 3000), None)),
        ),
        (
            "restore, expired",
            Restore(Restored::Expired(renewable("T"), at(500))),
        ),
        ("reconfigured", Input::Reconfigured),
        ("listener moved", Input::ListenerMoved),
        (
            "prepare a browser",
            Input::Prepare(GrantType::AuthorizationCode),
        ),
        ("prepare a code", Input::Prepare(GrantType::DeviceCode)),
        (
            "prepared a browser",
            prepared(Ok(Prepared::Browser(request("new")))),
        ),
        (
            "prepared a code",
            prepared(Ok(Prepared::Device(device_authorization("new")))),
        ),
        ("prepare failed, passing", prepared(Err(failure(PASSING)))),
        (
            "prepare failed, misconfigured",
            prepared(Err(failure(Misconfigured))),
        ),
        ("obtain", Input::Obtain),
        (
            "code typed in",
            Polled(Ok(grant("B", Some(3600), Some("S")))),
        ),
        ("code pending", Polled(Err(PollFailure::Pending))),
        ("code, slow down", Polled(Err(PollFailure::SlowDown))),
        ("code expired", Polled(Err(PollFailure::Expired))),
        (
            "code refused",
            Polled(Err(PollFailure::Refused("no".into()))),
        ),
        (
            "code failed, passing",
            Polled(Err(PollFailure::Failed(failure(PASSING)))),
        ),
        (
            "code failed, for good",
            Polled(Err(PollFailure::Failed(failure(InvalidGrant)))),
        ),
        (
            "code failed, refresh token",
            Polled(Err(PollFailure::Failed(rotating_failure(PASSING, "S")))),
        ),
    ]
}

fn table(now: i64) -> String {
    let mut table = String::new();
    for (nth, (name, state)) in states().into_iter().enumerate() {
        let before = told(&state);
        let _ = writeln!(table, "[{name}] {before}");
        for (input_nth, (input_name, _)) in inputs().into_iter().enumerate() {
            let (_, state) = states().swap_remove(nth);
            let (_, input) = inputs().swap_remove(input_nth);
            let (after, effects) = step(state, input, at(now), &policy());
            let after = told(&after);
            if after == before && effects.is_empty() {
                continue;
            }
            let _ = write!(table, "  {input_name}: ");
            table.push_str(if after == before { "=" } else { &after });
            for effect in &effects {
                let _ = write!(table, "; {}", told_effect(effect));
            }
            table.push('\n');
        }
    }
    table
}

#[test]
fn every_state_and_every_input() {
    let table = table(NOW + 1);
    if table != TABLE {
        println!("{table}");
    }
    assert!(table == TABLE, "the table has changed: see above");
}

#[test]
fn time_is_settled_whatever_happens() {
    for (name, _) in states() {
        for (input_name, _) in inputs() {
            let (_, state) = states().into_iter().find(|(n, _)| *n == name).unwrap();
            let (_, input) = inputs()
                .into_iter()
                .find(|(n, _)| *n == input_name)
                .unwrap();
            let (after, _) = step(state, input, at(EXPIRY), &policy());
            let stale = after
                .access()
                .is_some_and(|access| access.token.expose() == "A");
            assert!(!stale, "{name}, {input_name}");
        }
    }
}

#[test]
fn what_expires_without_a_refresh_token_is_announced_once() {
    for carrier in [
        "pending, carrying",
        "preparing a code, carrying",
        "code, asked, carrying",
        "exchanging, carrying",
        "active",
    ] {
        let (_, state) = states().into_iter().find(|(n, _)| n == carrier).unwrap();
        let (state, effects) = step(state, Input::Tick, at(EXPIRY), &policy());
        let announced = |effects: &[Effect]| {
            effects
                .iter()
                .filter(|effect| told_effect(effect) == "announce(invalidated)")
                .count()
        };
        assert_eq!(announced(&effects), 1, "{carrier}");
        let (_, effects) = step(state, Input::Tick, at(EXPIRY + 1), &policy());
        assert_eq!(announced(&effects), 0, "{carrier}");
    }
}
