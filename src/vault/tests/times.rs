//! When things happen: refreshes, their retries, reminders, and what a person is told once.

use std::time::Duration;

use crate::clock::Moment;
use crate::oauth::token::{Failure, FailureKind};
use crate::vault::backoff::backoff;
use crate::vault::step;
use crate::vault::test_support::{
    PASSING, access, at, callback, exchanging, failure, grant, login, policy, renewable, request,
    rotating_failure, secs,
};
use crate::vault::token::{Active, Attempt, Policy, Renewal, TokenState};
use crate::vault::transition::{Effect, Input, Probed, Restored, Trouble};

fn active(obtained: i64, expires: i64) -> TokenState {
    TokenState::Active(Active {
        access: access("A", obtained, expires),
        renewal: Some(Renewal::idle(login("R"), at(obtained))),
    })
}

#[test]
fn when_a_token_is_refreshed() {
    // (lifetime, seconds after it was obtained)
    let cases = [
        (3600, 3510),
        (181, 91),
        (180, 90),
        (100, 50),
        (60, 30),
        (2, 1),
        (5490, 5400),
        (5491, 5400),
        (86_400, 5400),
    ];
    for (lifetime, due) in cases {
        let deadline = active(1000, 1000 + lifetime).deadline(&policy());
        assert_eq!(deadline, Some(at(1000 + due)), "{lifetime}");
    }
}

#[test]
fn a_zero_margin_refreshes_at_the_end() {
    let mut policy = policy();
    policy.refresh.before_expiry = Duration::ZERO;
    assert_eq!(active(0, 3600).deadline(&policy), Some(at(3600)));
}

#[test]
fn a_missing_lifetime_is_refresh_at_least() {
    let exchanging = exchanging(None);
    let done = Input::ExchangeDone(Ok(grant("A", None, Some("R"))));
    let (state, _) = step(exchanging, done, at(10), &policy());
    assert_eq!(state.access().unwrap().expires, at(10 + 5400));
    assert_eq!(state.deadline(&policy()), Some(at(10 + 5400 - 90)));
}

#[test]
fn no_lifetime_is_too_long() {
    for refresh in [Some("R"), None] {
        let exchanging = exchanging(None);
        let done = Input::ExchangeDone(Ok(grant("A", Some(u64::MAX), refresh)));
        let (state, _) = step(exchanging, done, at(10), &policy());
        assert_eq!(
            state.access().unwrap().expires,
            Moment::from_millis(i64::MAX)
        );
        let due = state.deadline(&policy()).unwrap();
        assert_eq!(due == at(10 + 5400), refresh.is_some());
    }
}

fn with(retry: u64, spread: u64) -> Policy {
    let mut policy = policy();
    policy.refresh.retry = secs(retry);
    Policy { spread, ..policy }
}

#[test]
fn gaps_double_up_to_an_hour_and_are_shortened_by_at_most_a_quarter() {
    let gaps = [
        (0, 40),
        (1, 40),
        (2, 80),
        (3, 160),
        (7, 2560),
        (8, 3600),
        (40, 3600),
        (u32::MAX, 3600),
    ];
    for (count, longest) in gaps {
        let mut seen = std::collections::HashSet::new();
        for spread in 0..200 {
            let gap = backoff(count, None, at(5), &with(40, spread));
            assert!(gap <= secs(longest), "{count}: {gap:?}");
            assert!(gap >= secs(longest) * 3 / 4, "{count}: {gap:?}");
            seen.insert(gap);
        }
        assert!(
            seen.len() > 50,
            "accounts that failed together stay together"
        );
    }
}

#[test]
fn a_configured_gap_may_be_longer_than_an_hour_and_absurd_ones_do_no_harm() {
    let gap = backoff(9, None, at(5), &with(7200, 1));
    assert!(gap <= secs(7200) && gap >= secs(5400));
    let gap = backoff(u32::MAX, None, at(5), &with(u64::MAX, 1));
    assert!(gap > secs(u64::MAX / 2));
}

#[test]
fn retry_after_is_a_lower_bound() {
    let after = |seconds| backoff(1, Some(secs(seconds)), at(5), &with(40, 1));
    assert_eq!(after(500), secs(500));
    assert!(after(3) >= secs(30));
}

/// An account in the course of its life: what it is told, and what it does.
struct Life {
    state: TokenState,
    policy: Policy,
}

impl Life {
    fn goes_on(&mut self, input: Input, now: Moment) -> Vec<Effect> {
        let state = std::mem::replace(&mut self.state, TokenState::Empty);
        let (state, effects) = step(state, input, now, &self.policy);
        self.state = state;
        effects
    }

    /// Lets the next refresh fall due and fail; what a person is told, and when it was.
    fn fails(&mut self, failure: Failure) -> (usize, Moment) {
        let now = self.state.deadline(&self.policy).unwrap();
        let mut effects = self.goes_on(Input::Tick, now);
        effects.extend(self.goes_on(Input::RefreshDone(Err(failure)), now));
        (still_failing(&effects), now)
    }
}

fn still_failing(effects: &[Effect]) -> usize {
    let told = |effect: &&Effect| matches!(effect, Effect::Report(Trouble::StillFailing));
    effects.iter().filter(told).count()
}

fn life(state: TokenState) -> Life {
    Life {
        state,
        policy: policy(),
    }
}

#[test]
fn lasting_failure_is_told_once_when_the_token_has_expired() {
    let mut life = life(active(0, 3600));
    let mut told = 0;
    for _ in 0..20 {
        let (now_told, when) = life.fails(failure(PASSING));
        assert!(now_told == 0 || when >= at(3600), "told too early");
        told += now_told;
    }
    assert_eq!(told, 1);
}

#[test]
fn one_failure_after_sleep_is_not_worth_telling() {
    let mut life = life(active(0, 3600));
    let mut effects = life.goes_on(Input::Tick, at(90_000));
    effects.extend(life.goes_on(Input::RefreshDone(Err(failure(PASSING))), at(90_001)));
    assert_eq!(still_failing(&effects), 0);
    assert_eq!(life.fails(failure(PASSING)).0, 1);
}

#[test]
fn an_answer_after_expiry_is_told_only_as_what_it_is() {
    let answers = [
        Ok(grant("B", Some(3600), None)),
        Err(failure(FailureKind::InvalidGrant)),
        Err(failure(FailureKind::Misconfigured)),
    ];
    for answer in answers {
        let mut life = life(active(0, 3600));
        life.fails(failure(PASSING));
        life.fails(failure(PASSING));
        life.goes_on(Input::RefreshAsked, at(3590));
        let effects = life.goes_on(Input::RefreshDone(answer), at(3700));
        assert_eq!(still_failing(&effects), 0);
    }
}

#[test]
fn success_and_the_user_start_the_retries_over() {
    let mut life = life(active(0, 3600));
    for _ in 0..6 {
        life.fails(failure(PASSING));
    }
    life.goes_on(Input::RefreshAsked, at(9000));
    life.goes_on(Input::RefreshDone(Err(failure(PASSING))), at(9000));
    assert!(life.state.deadline(&life.policy) <= Some(at(9040)));
}

#[test]
fn a_rotated_token_replaces_the_old_one_at_once_even_in_a_failure() {
    for kind in [PASSING, FailureKind::Misconfigured] {
        let mut life = life(active(0, 3600));
        let (_, when) = life.fails(rotating_failure(kind, "S"));
        let renewal = life.state.renewal().unwrap();
        assert_eq!(renewal.refresh_token().unwrap().expose(), "S");
        assert_eq!(renewal.obtained, when);
    }
}

#[test]
fn a_refused_configuration_halts_until_it_is_read_again_or_the_user_asks() {
    for way_out in [Input::Reconfigured, Input::RefreshAsked] {
        let mut life = life(active(0, 3600));
        life.fails(failure(FailureKind::Misconfigured));
        assert_eq!(life.state.deadline(&life.policy), Some(at(3600)));
        assert!(life.goes_on(Input::Tick, at(100_000)).is_empty());
        assert_eq!(life.state.renewal().unwrap().attempt, Attempt::Halted);
        let mut effects = life.goes_on(way_out, at(200_000));
        effects.extend(life.goes_on(Input::Tick, at(200_000)));
        let refreshes = effects.iter().filter(|e| matches!(e, Effect::Refresh));
        assert_eq!(refreshes.count(), 1);
    }
}

#[test]
fn the_users_command_is_asked_from_the_second_failure_on_and_once_at_a_time() {
    let probes = |effects: &[Effect]| effects.iter().any(|e| matches!(e, Effect::Probe));
    let mut life = life(active(0, 3600));
    let fails = |life: &mut Life| {
        let now = life.state.deadline(&life.policy).unwrap();
        life.goes_on(Input::Tick, now);
        probes(&life.goes_on(Input::RefreshDone(Err(failure(PASSING))), now))
    };
    assert!(!fails(&mut life));
    assert!(fails(&mut life));
    assert!(!fails(&mut life), "it is still deciding");
    life.goes_on(Input::ProbeDone(Probed::Passing), at(3600));
    // A second verdict from nowhere does not count.
    life.goes_on(Input::ProbeDone(Probed::Gone), at(3600));
    assert!(life.state.renewal().is_some());
    assert!(fails(&mut life));
    life.goes_on(Input::ProbeDone(Probed::Gone), at(3601));
    assert!(matches!(life.state, TokenState::Empty));
}

#[test]
fn reminders_come_at_the_interval_and_never_earlier() {
    let mut life = life(TokenState::Empty);
    let reminds = |effects: &[Effect]| effects.iter().any(|e| matches!(e, Effect::Remind));
    assert!(reminds(
        &life.goes_on(Input::Authorize(request("s")), at(0))
    ));
    assert!(!reminds(
        &life.goes_on(Input::Authorize(request("t")), at(1))
    ));
    assert!(!reminds(&life.goes_on(Input::Tick, at(899))));
    assert!(reminds(&life.goes_on(Input::Tick, at(900))));
    assert!(!reminds(&life.goes_on(Input::Tick, at(1799))));
    // A long sleep is made up for once.
    assert!(reminds(&life.goes_on(Input::Tick, at(90_000))));
    assert!(!reminds(&life.goes_on(Input::Tick, at(90_001))));
    // Another interval counts from the last time, whether it is longer or shorter.
    life.policy.remind_every = Some(secs(1000));
    life.goes_on(Input::Reconfigured, at(90_002));
    assert_eq!(life.state.deadline(&life.policy), Some(at(91_000)));
    life.policy.remind_every = Some(secs(10));
    assert_eq!(life.state.deadline(&life.policy), Some(at(90_010)));
    life.policy.remind_every = None;
    assert_eq!(life.state.deadline(&life.policy), None);
    assert!(!reminds(&life.goes_on(Input::Tick, at(200_000))));
}

#[test]
fn a_token_that_is_carried_along_survives_a_login_that_fails() {
    let active = TokenState::Active(Active {
        access: access("A", 0, 3600),
        renewal: None,
    });
    let mut life = life(active);
    life.goes_on(Input::Authorize(request("s")), at(10));
    life.goes_on(Input::Callback(callback("s")), at(20));
    let failed = Err(rotating_failure(PASSING, "S"));
    life.goes_on(Input::ExchangeDone(failed), at(30));
    assert_eq!(life.state.access().unwrap().token.expose(), "A");
    assert_eq!(
        life.state
            .renewal()
            .unwrap()
            .refresh_token()
            .unwrap()
            .expose(),
        "S"
    );
}

#[test]
fn an_expired_token_from_a_dump_is_refreshed_at_once() {
    let mut life = life(TokenState::Empty);
    let restored = Restored::Expired(renewable("R"), at(-500));
    life.goes_on(Input::Restore(restored), at(10));
    assert!(life.state.deadline(&life.policy) <= Some(at(10)));
    let effects = life.goes_on(Input::Tick, at(10));
    assert!(matches!(effects[..], [Effect::Refresh]));
}
