//! Every state x every input: the whole table is in `tests/data/state-table.txt`, but for the
//! pairs where nothing changes and nothing is to be done.

use std::fmt::Write as _;

use crate::oauth::token::FailureKind::{InvalidGrant, Misconfigured};
use crate::vault::step;
use crate::vault::test_support::{
    PASSING, access, at, callback, failure, grant, policy, refresh_token, refusal, request,
    rotating_failure,
};
use crate::vault::token::{
    Access, Active, Attempt, Effect, Exchanging, Failures, Input, Pending, Probed, Renewal,
    Restored, TokenState,
};

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
        refresh_token: refresh_token("R"),
        obtained: at(NOW),
        attempt,
    }
}

fn pending(carried: Option<Access>) -> TokenState {
    TokenState::Pending(Pending {
        request: request("s"),
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
    let exchanging = |carried| TokenState::Exchanging(Exchanging { carried });
    let mut states = vec![
        ("empty".to_owned(), TokenState::Empty),
        ("pending".into(), pending(None)),
        ("pending, carrying".into(), pending(Some(token()))),
        ("exchanging".into(), exchanging(None)),
        ("exchanging, carrying".into(), exchanging(Some(token()))),
        ("active".into(), active(None)),
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
    use Input::{Authorize, Callback, ExchangeDone, ProbeDone, RefreshDone, Restore};
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
                Some(refresh_token("T")),
            )),
        ),
        (
            "restore, no refresh token",
            Restore(Restored::Active(access("D", 500, 3000), None)),
        ),
        (
            "restore, expired",
            Restore(Restored::Expired(refresh_token("T"), at(500))),
        ),
        ("reconfigured", Input::Reconfigured),
        ("listener moved", Input::ListenerMoved),
    ]
}

/// A state in a few words, secrets included.
fn told(state: &TokenState) -> String {
    let access = |access: &Access| {
        format!(
            "{} until {}",
            access.token.expose(),
            access.expires.as_millis() / 1000
        )
    };
    let carrying =
        |carried: &Option<Access>| carried.as_ref().map_or(String::new(), |a| access(a) + " ");
    match state {
        TokenState::Empty => "empty".into(),
        TokenState::Pending(pending) => format!(
            "pending {}{}",
            carrying(&pending.carried),
            pending.request.state.expose()
        ),
        TokenState::Exchanging(exchanging) => {
            format!("exchanging {}", carrying(&exchanging.carried))
                .trim_end()
                .into()
        }
        TokenState::Active(active) => {
            let renewal = active.renewal.as_ref().map_or(String::new(), told_renewal);
            format!("active {}{renewal}", access(&active.access))
        }
        TokenState::Expired(renewal) => format!("expired{}", told_renewal(renewal)),
    }
}

fn told_renewal(renewal: &Renewal) -> String {
    let counted = |failures: Failures| {
        let probing = if failures.probing { " probing" } else { "" };
        let over = if failures.streak < failures.count {
            " over"
        } else {
            ""
        };
        format!("failures {}{over}{probing}", failures.count)
    };
    let attempt = match renewal.attempt {
        Attempt::Idle => "idle".into(),
        Attempt::InFlight(failures) => format!("in flight, {}", counted(failures)),
        Attempt::Backoff {
            until, failures, ..
        } => {
            let until = until.as_millis() / 1000;
            format!("backoff until {until}, {}", counted(failures))
        }
        Attempt::Halted => "halted".into(),
    };
    format!(" ({} {attempt})", renewal.refresh_token.expose())
}

fn told_effect(effect: &Effect) -> String {
    match effect {
        Effect::Exchange(exchange) => format!(
            "exchange '{}' with '{}'",
            exchange.code.expose(),
            exchange.verifier.expose()
        ),
        effect => format!("{effect:?}").to_lowercase(),
    }
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
    for carrier in ["pending, carrying", "exchanging, carrying", "active"] {
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
