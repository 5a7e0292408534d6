//! What holds of a vault after every step of every history.

use std::collections::HashMap;

use super::job::Kind;
use super::model::World;
use crate::config::GrantType;
use crate::protocol::LoginPlace;
use crate::secret::AuthState;
use crate::vault::Vault;
use crate::vault::device::login::Poll;
use crate::vault::entry::{Entry, digest};
use crate::vault::token::{Attempt, Login, TokenState};

/// The refresh tokens at hand, by account.
pub(super) fn refresh_tokens(vault: &Vault) -> HashMap<String, String> {
    let entries = vault.entries.iter();
    entries
        .filter_map(|(name, entry)| {
            let token = entry.state.renewal()?.refresh_token()?.expose();
            Some((name.to_string(), token.to_owned()))
        })
        .collect()
}

/// The number of the request that is under way, by account.
pub(super) fn requests(vault: &Vault) -> HashMap<String, Option<u64>> {
    let entries = vault.entries.iter();
    entries
        .map(|(name, entry)| (name.to_string(), entry.request))
        .collect()
}

/// Where the user was told to log in by `grant`.
pub(super) fn login_place(vault: &Vault, name: &str, grant: GrantType) -> Option<LoginPlace> {
    match &vault.entries.get(name)?.state {
        TokenState::Pending(pending) if pending.login.grant() == grant => {
            Some(pending.login.place())
        }
        _ => None,
    }
}

pub(super) fn awaits_login(vault: &Vault, state: &AuthState) -> bool {
    vault
        .entries
        .values()
        .any(|entry| entry.login() == Some(digest(state)))
}

pub(super) fn check(world: &World, before: &HashMap<String, String>) {
    let vault = &world.vault;
    no_refresh_token_is_lost(world, before);
    for (name, entry) in &vault.entries {
        assert_eq!(entry.account.name, *name);
        assert_eq!(entry.deadline, entry.state.deadline(&entry.policy));
        requests_are_under_way_once(world, entry);
        is_not_stuck(world, entry);
    }
    let earliest = vault
        .entries
        .values()
        .filter_map(|entry| entry.deadline)
        .min();
    assert_eq!(vault.next_deadline(), earliest);
    let pending: HashMap<_, _> = vault
        .entries
        .iter()
        .filter_map(|(name, entry)| Some((entry.login()?, name.clone())))
        .collect();
    assert_eq!(vault.logins, pending);
}

fn no_refresh_token_is_lost(world: &World, before: &HashMap<String, String>) {
    let after = refresh_tokens(&world.vault);
    for (name, token) in before {
        let kept = after.get(name) == Some(token);
        assert!(
            kept || world.may_lose.contains(name),
            "{name} lost its refresh token"
        );
    }
}

/// One request for each account that waits for one, and none for the others.
fn requests_are_under_way_once(world: &World, entry: &Entry) {
    let under_way = world
        .requests()
        .filter(|(ticket, _)| **ticket == entry.ticket() && entry.awaits(ticket))
        .filter(|(_, kind)| !matches!(kind, Kind::Probe))
        .count();
    let refreshing = entry
        .state
        .renewal()
        .is_some_and(|renewal| matches!(renewal.attempt, Attempt::InFlight(_)));
    let waiting = refreshing || is_asking(&entry.state);
    assert_eq!(under_way, usize::from(waiting));
    assert_eq!(entry.request.is_some(), waiting);
}

/// Whether an answer to a question about a login is awaited.
fn is_asking(state: &TokenState) -> bool {
    match state {
        TokenState::Preparing(_) | TokenState::Exchanging(_) => true,
        TokenState::Pending(pending) => match &pending.login {
            Login::Browser(_) => false,
            Login::Device(login) => matches!(login.poll, Poll::InFlight { .. }),
        },
        _ => false,
    }
}

/// Whatever does not wait for an answer or for the user goes on by itself.
fn is_not_stuck(world: &World, entry: &Entry) {
    let waits_for_code = matches!(&entry.state, TokenState::Pending(pending)
        if matches!(pending.login, Login::Device(_)) && !is_asking(&entry.state));
    assert!(
        !waits_for_code || entry.deadline.is_some(),
        "nobody asks on"
    );
    let Some(renewal) = entry.state.renewal() else {
        return;
    };
    match renewal.attempt {
        Attempt::Idle | Attempt::Backoff { .. } => assert!(entry.deadline.is_some()),
        Attempt::InFlight(_) | Attempt::Halted => {}
    }
    if let Attempt::Backoff {
        until, failures, ..
    } = renewal.attempt
    {
        assert!(failures.count > 0);
        assert!(until <= world.now + crate::vault::test_support::secs(7200));
    }
    if matches!(&entry.state, TokenState::Expired(r) if r.attempt == Attempt::Idle) {
        assert!(entry.deadline <= Some(world.now), "an expired token waits");
    }
    if let Attempt::InFlight(failures) | Attempt::Backoff { failures, .. } = renewal.attempt
        && failures.probing
    {
        let probed = world.requests().any(|(ticket, kind)| {
            ticket.generation == entry.generation && matches!(kind, Kind::Probe)
        });
        assert!(probed, "nobody decides whether the failures are passing");
    }
}
