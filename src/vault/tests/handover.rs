//! Handing everything to another process.

use crate::config::Config;
use crate::oauth::token::FailureKind;
use crate::vault::Vault;
use crate::vault::answer::{Returned, Shown};
use crate::vault::entry::LastError;
use crate::vault::handover::Busy;
use crate::vault::order::{Order, Outcome, Task};
use crate::vault::test_support::{
    PASSING, access, account, at, callback, config, exchanging, failure, grant, login, read,
    request, secs, set_to,
};
use crate::vault::token::{Active, Attempt, Failures, Login, Pending, Renewal, TokenState};
use crate::vault::transition::Event;

fn one() -> Config {
    config([account("a")])
}

fn with(state: TokenState) -> Vault {
    let mut vault = Vault::new(&one());
    let entry = vault.entries.get_mut("a").unwrap();
    entry.state = state;
    let login = entry.login();
    login.map(|digest| vault.logins.insert(digest, entry.account.name.clone()));
    vault
}

/// What another process with this configuration makes of what `vault` hands over.
fn taken(vault: &Vault, config: &Config, moved: bool, now: i64) -> (Vault, Vec<Order>) {
    let text = vault.hand_over().unwrap();
    let mut next = Vault::new(config);
    let orders = next.take_over(text.expose(), moved, at(now)).unwrap();
    (next, orders)
}

fn state(vault: &Vault) -> String {
    format!("{:?}", vault.entries["a"].state)
}

fn renewal(attempt: Attempt) -> Renewal {
    Renewal {
        means: login("r1"),
        obtained: at(100),
        attempt,
    }
}

fn active(attempt: Attempt) -> TokenState {
    let mut access = access("a1", 100, 3700);
    access.scope = Some("mail \"quoted\" \\ ünïcode".into());
    TokenState::Active(Active {
        access,
        renewal: Some(renewal(attempt)),
    })
}

fn backoff() -> Attempt {
    Attempt::Backoff {
        until: at(5000),
        not_before: at(4000),
        failures: Failures {
            count: 7,
            streak: 3,
            probing: false,
        },
    }
}

fn pending(carried: bool) -> TokenState {
    TokenState::Pending(Pending {
        login: Login::Browser(request("the state")),
        told: at(150),
        carried: carried.then(|| access("a1", 100, 3700)),
    })
}

#[test]
fn every_state_arrives_as_it_was() {
    let states = [
        TokenState::Empty,
        pending(false),
        pending(true),
        active(Attempt::Idle),
        active(backoff()),
        TokenState::Active(Active {
            access: access("a1", -100, 3700),
            renewal: None,
        }),
        TokenState::Expired(renewal(backoff())),
        TokenState::Expired(renewal(Attempt::Idle)),
    ];
    for before in states {
        let mut old = with(before);
        old.entries.get_mut("a").unwrap().last_error = Some(LastError {
            at: at(120),
            reason: "a \"reason\"\nof two lines".into(),
            passing: true,
        });
        // Derived as it would be after a step.
        let deadline = |vault: &Vault| {
            let entry = &vault.entries["a"];
            entry.state.deadline(&entry.policy)
        };
        let (next, orders) = taken(&old, &one(), false, 200);
        assert!(orders.is_empty(), "{orders:?}");
        assert_eq!(state(&next), state(&old));
        assert_eq!(next.next_deadline(), deadline(&old));
        assert_eq!(
            next.entries["a"].last_error,
            old.entries["a"].last_error,
            "{}",
            state(&old)
        );
        assert_eq!(
            next.failing.len(),
            usize::from(old.entries["a"].is_failing())
        );
        // And once more.
        let (last, _) = taken(&next, &one(), false, 300);
        assert_eq!(state(&last), state(&old));
    }
}

#[test]
fn a_halted_refresh_has_another_try() {
    let (next, _) = taken(&with(active(Attempt::Halted)), &one(), false, 200);
    assert_eq!(state(&next), format!("{:?}", active(Attempt::Idle)));
}

#[test]
fn what_the_users_command_was_asked_is_forgotten() {
    let mut attempt = backoff();
    if let Attempt::Backoff { failures, .. } = &mut attempt {
        failures.probing = true;
    }
    let (next, _) = taken(&with(active(attempt)), &one(), false, 200);
    assert_eq!(state(&next), format!("{:?}", active(backoff())));
}

#[test]
fn what_awaits_an_answer_cannot_be_handed_over() {
    let in_flight = Attempt::InFlight(Failures::default());
    for busy in [
        active(in_flight),
        TokenState::Expired(renewal(in_flight)),
        exchanging(None),
    ] {
        assert!(matches!(with(busy).hand_over(), Err(Busy)));
    }
}

#[test]
fn a_login_ends_in_the_next_process_and_only_once() {
    let (mut next, _) = taken(&with(pending(true)), &one(), false, 200);
    let (shown, _) = next.show("a", secs(0), at(200));
    assert!(matches!(shown, Some(Shown::Token(_))), "what is carried");
    let (returned, orders) = next.callback(false, "/back", callback("the state"), at(200));
    let Returned::Accepted(ticket) = returned else {
        panic!("{returned:?}");
    };
    assert!(matches!(
        orders.as_slice(),
        [Order {
            task: Task::Exchange(_),
            ..
        }]
    ));
    let (again, _) = next.callback(false, "/back", callback("the state"), at(200));
    assert_eq!(again, Returned::Unknown);
    next.exchange_done(&ticket, Ok(grant("a2", None, Some("r2"))), at(201));
    let (shown, _) = next.show("a", secs(0), at(202));
    assert!(matches!(shown, Some(Shown::Token(token)) if token.expose() == "a2"));
}

#[test]
fn reminders_go_on_where_they_were() {
    let (next, _) = taken(&with(pending(false)), &one(), false, 200);
    assert_eq!(next.next_deadline(), Some(at(150) + secs(900)));
}

#[test]
fn a_login_that_would_come_back_to_nobody_is_begun_anew() {
    let (next, orders) = taken(&with(pending(true)), &one(), true, 200);
    assert!(matches!(
        orders.as_slice(),
        [Order {
            task: Task::Reauthorize,
            ..
        }]
    ));
    assert!(next.logins.is_empty());
    assert!(state(&next).contains("Active"), "what is carried stays");
    // Unless the redirect URI names a port.
    let mut fixed = account("a");
    fixed.authority.redirect_uri =
        crate::config::RedirectUri::parse("http://localhost:99/back").unwrap();
    let fixed = config([fixed]);
    let mut old = Vault::new(&fixed);
    let (_, _) = old.authorize("a", request("s"), at(100));
    let (next, orders) = taken(&old, &fixed, true, 200);
    assert!(orders.is_empty());
    assert_eq!(next.logins.len(), 1);
}

#[test]
fn another_authority_gets_nothing_but_word_of_it() {
    let mut other = account("a");
    other.authority.client_id = "another".into();
    let other = config([other]);
    for (before, told) in [
        (active(Attempt::Idle), true),
        (TokenState::Expired(renewal(backoff())), true),
        (pending(true), true),
        (pending(false), false),
        (TokenState::Empty, false),
    ] {
        let (next, orders) = taken(&with(before), &other, false, 200);
        assert!(matches!(next.entries["a"].state, TokenState::Empty));
        assert!(next.logins.is_empty());
        let announced = orders
            .iter()
            .filter(|order| matches!(order.task, Task::Announce(Event::Invalidated)));
        assert_eq!(announced.count(), usize::from(told));
        assert_eq!(orders.len(), usize::from(told));
    }
    // An account that is not configured any more.
    let (next, orders) = taken(
        &with(active(Attempt::Idle)),
        &config([account("b")]),
        false,
        200,
    );
    assert!(orders.is_empty());
    assert!(!next.holds_tokens());
}

#[test]
fn what_has_expired_on_the_way_is_told() {
    let (next, orders) = taken(&with(pending(true)), &one(), false, 4000);
    assert!(matches!(
        orders.as_slice(),
        [Order {
            task: Task::Announce(Event::Invalidated),
            ..
        }]
    ));
    assert!(!next.holds_tokens());
}

/// Refreshes `vault`'s account, which gets another refresh token for it.
fn rotate(vault: &mut Vault, rotated: &str, now: i64) {
    let (_, orders): Outcome<_> = vault.refresh("a", at(now));
    let ticket = &orders[0].ticket;
    let result = Ok(grant("a2", Some(3600), Some(rotated)));
    vault.refresh_done(ticket, result, at(now + 1));
}

#[test]
fn spent_tokens_are_remembered() {
    let mut old = with(active(Attempt::Idle));
    let dump = old.snapshot(set_to(150, 150)).text().unwrap();
    rotate(&mut old, "r2", 200);
    let (mut next, _) = taken(&old, &one(), false, 300);
    // The wall clock was set back, so that the dump looks newer than it is.
    let (report, _) = next.restore(read(dump.expose()), set_to(300, 0));
    assert_eq!(report.restored, 0, "{report}");
    assert!(state(&next).contains("Idle"));
    rotate(&mut next, "r3", 400);
}

#[test]
fn retries_go_on_where_they_were() {
    let mut old = with(active(Attempt::Idle));
    let (_, orders) = old.refresh("a", at(200));
    old.refresh_done(&orders[0].ticket, Err(failure(PASSING)), at(201));
    let (mut next, _) = taken(&old, &one(), false, 202);
    assert_eq!(next.next_deadline(), old.next_deadline());
    assert!(next.tick(at(203)).is_empty());
    let due = next.next_deadline().unwrap();
    let orders = next.tick(due);
    assert!(matches!(orders[0].task, Task::Refresh));
    let gone = Err(failure(FailureKind::InvalidGrant));
    next.refresh_done(&orders[0].ticket, gone, due);
    assert!(!next.holds_tokens());
}

#[test]
fn a_text_that_cannot_be_read_changes_nothing() {
    let mut vault = with(active(Attempt::Idle));
    let text = vault.hand_over().unwrap().expose().to_owned();
    let before = format!("{vault:?}");
    for length in (0..text.len()).filter(|length| text.is_char_boundary(*length)) {
        let error = vault
            .take_over(&text[..length], false, at(200))
            .unwrap_err();
        assert!(!error.contains("r1") && !error.contains("a1"), "{error}");
        assert_eq!(format!("{vault:?}"), before);
    }
    for wrong in ["[1]", "{}", "null", "[{\"account\":\"a\"}]"] {
        assert!(vault.take_over(wrong, false, at(200)).is_err());
    }
    assert_eq!(format!("{vault:?}"), before);
}
