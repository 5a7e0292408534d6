//! Reloading: what survives, what takes effect at once, and what is announced.

use std::time::Duration;

use url::Url;

use crate::config::{Account, ClientAuth, RedirectUri, SecretSource};
use crate::oauth::token::{FailureKind, Grant};
use crate::secret::ClientSecret;
use crate::vault::Vault;
use crate::vault::answer::{Refreshed, Refreshing, Returned, Shown};
use crate::vault::order::{Order, Task, Ticket};
use crate::vault::test_support::{
    account, at, callback, config, failure, grant, now, read, request, secs,
};
use crate::vault::transition::Event;

fn vault(names: &[&str]) -> Vault {
    Vault::new(&config(names.iter().copied().map(account)))
}

pub(super) fn ticket(orders: &[Order], wanted: fn(&Task) -> bool) -> Ticket {
    let order = orders.iter().find(|order| wanted(&order.task));
    order.expect("such an order").ticket.clone()
}

/// Logs an account in with access token `access` and refresh token `refresh`.
pub(super) fn log_in(vault: &mut Vault, name: &str, refresh: Option<&str>) {
    vault.authorize(name, request(name), at(0));
    let (_, orders) = vault.callback(false, "/back", callback(name), at(0));
    let ticket = ticket(&orders, |task| matches!(task, Task::Exchange(_)));
    let grant = Grant {
        scope: Some("mail".into()),
        ..grant("access", Some(3600), refresh)
    };
    vault.exchange_done(&ticket, Ok(grant), at(0));
}

fn events(orders: &[Order]) -> Vec<Event> {
    let event = |order: &Order| match order.task {
        Task::Announce(event) => Some(event),
        _ => None,
    };
    orders.iter().filter_map(event).collect()
}

fn has_token(vault: &mut Vault, name: &str) -> bool {
    matches!(
        vault.show(name, Duration::ZERO, at(10)).0,
        Some(Shown::Token(_))
    )
}

fn secret(text: &str) -> SecretSource {
    SecretSource::written(ClientSecret::new(text.into()))
}

#[test]
fn a_token_goes_when_anything_of_the_authority_changes() {
    type Change = fn(&mut Account);
    let changes: [(&str, Change); 9] = [
        ("auth_uri", |a| {
            a.authority.auth_uri = Url::parse("https://provider.example/other").ok();
        }),
        ("token_uri", |a| {
            a.authority.token_uri = Url::parse("https://provider.example/other").ok();
        }),
        ("client_id", |a| a.authority.client_id.push('x')),
        ("client_auth", |a| {
            a.authority.client_auth = ClientAuth::Post(secret("s"));
        }),
        ("scopes", |a| a.authority.scopes.push("x".into())),
        ("scopes' order", |a| a.authority.scopes.reverse()),
        ("resource", |a| a.authority.resource = Some("x".into())),
        ("redirect_uri", |a| {
            a.authority.redirect_uri = RedirectUri::parse("http://127.0.0.1/back").unwrap();
        }),
        ("auth_uri_fields", |a| {
            a.authority.auth_uri_fields[0].1.push('x');
        }),
    ];
    for (field, change) in changes {
        let mut vault = vault(&["a", "b"]);
        log_in(&mut vault, "a", Some("R"));
        let dump = vault.snapshot(now(5)).text().unwrap();
        let mut changed = account("a");
        change(&mut changed);
        let orders = vault.reload(&config([account("b"), changed]), false, at(10));
        assert_eq!(events(&orders), [Event::Invalidated], "{field}");
        assert!(!has_token(&mut vault, "a"), "{field}");
        let (report, _) = vault.restore(read(dump.expose()), now(11));
        assert_eq!(report.restored, 0, "{field}");
    }
}

#[test]
fn a_secret_is_part_of_the_authority() {
    let with = |auth: fn(SecretSource) -> ClientAuth, text: &str| {
        let mut account = account("a");
        account.authority.client_auth = auth(secret(text));
        account
    };
    let mut vault = Vault::new(&config([with(ClientAuth::Post, "s")]));
    log_in(&mut vault, "a", Some("R"));
    vault.reload(&config([with(ClientAuth::Post, "s")]), false, at(1));
    assert!(has_token(&mut vault, "a"));
    vault.reload(&config([with(ClientAuth::Basic, "s")]), false, at(1));
    assert!(!has_token(&mut vault, "a"));
}

#[test]
fn policies_take_effect_at_once_and_cost_no_token() {
    let mut vault = vault(&["a"]);
    log_in(&mut vault, "a", Some("R"));
    assert_eq!(vault.next_deadline(), Some(at(3510)));
    let mut changed = account("a");
    changed.refresh.at_least = secs(60);
    changed.transient_error_if_cmd = Some("decide".into());
    let orders = vault.reload(&config([changed]), true, at(100));
    assert!(orders.is_empty());
    assert!(vault.next_deadline() <= Some(at(100)));
    let orders = vault.tick(at(100));
    assert!(matches!(orders[0].task, Task::Refresh));
    assert!(has_token(&mut vault, "a"));
}

#[test]
fn a_removed_account_is_announced_and_what_comes_late_is_dropped() {
    let mut vault = vault(&["a", "b"]);
    log_in(&mut vault, "a", Some("R"));
    let (_, orders) = vault.refresh("a", at(1));
    let late = ticket(&orders, |task| matches!(task, Task::Refresh));
    let orders = vault.reload(&config([account("b")]), false, at(2));
    assert_eq!(events(&orders), [Event::Invalidated]);
    assert_eq!(vault.next_deadline(), None);
    assert!(vault.show("a", Duration::ZERO, at(2)).0.is_none());
    assert!(vault.means(&late).is_none());
    assert!(matches!(vault.refreshed(&late), Some(Refreshed::Gone(_))));

    vault.reload(&config([account("b"), account("a")]), false, at(3));
    let orders = vault.refresh_done(&late, Ok(grant("late", None, Some("S"))), at(4));
    assert!(orders.is_empty());
    assert!(!has_token(&mut vault, "a"));
    assert!(vault.means(&late).is_none());
}

#[test]
fn an_account_without_a_token_goes_silently() {
    let mut vault = vault(&["a", "b"]);
    vault.authorize("a", request("s"), at(0));
    let orders = vault.reload(&config([account("b")]), false, at(2));
    assert!(orders.is_empty());
    let (returned, _) = vault.callback(false, "/back", callback("s"), at(3));
    assert_eq!(returned, Returned::Unknown);
}

#[test]
fn a_login_survives_a_reload_unless_its_redirect_would_go_astray() {
    let mut vault = vault(&["a"]);
    log_in(&mut vault, "a", None);
    vault.authorize("a", request("first"), at(10));
    assert!(
        vault
            .reload(&config([account("a")]), false, at(11))
            .is_empty()
    );

    let orders = vault.reload(&config([account("a")]), true, at(12));
    assert!(matches!(
        orders[..],
        [Order {
            task: Task::Reauthorize,
            ..
        }]
    ));
    // The token has nothing to do with where the listener is.
    assert!(has_token(&mut vault, "a"));
    vault.authorize("a", request("second"), at(12));
    let (returned, _) = vault.callback(false, "/back", callback("first"), at(13));
    assert_eq!(returned, Returned::Unknown);
    let (returned, _) = vault.callback(false, "/back", callback("second"), at(13));
    assert!(matches!(returned, Returned::Accepted(_)));
}

#[test]
fn a_login_whose_redirect_names_its_port_does_not_mind_the_listener() {
    let own_port = || {
        let mut account = account("a");
        account.authority.redirect_uri = RedirectUri::parse("http://localhost:99/back").unwrap();
        config([account])
    };
    let mut vault = Vault::new(&own_port());
    vault.authorize("a", request("s"), at(0));
    assert!(vault.reload(&own_port(), true, at(1)).is_empty());
    let (returned, _) = vault.callback(false, "/back", callback("s"), at(2));
    assert!(matches!(returned, Returned::Accepted(_)));
}

#[test]
fn a_reload_frees_a_halted_refresh() {
    let mut vault = vault(&["a"]);
    log_in(&mut vault, "a", Some("R"));
    let (refreshing, _) = vault.refresh("a", at(1));
    let Some(Refreshing::Started(ticket)) = refreshing else {
        panic!("no refresh: {refreshing:?}");
    };
    assert_eq!(vault.refreshed(&ticket), None);
    let refused = failure(FailureKind::Misconfigured);
    vault.refresh_done(&ticket, Err(refused), at(2));
    let told = Refreshed::Refused("the reason".into());
    assert_eq!(vault.refreshed(&ticket), Some(told));
    vault.reload(&config([account("a")]), false, at(4000));
    let orders = vault.tick(at(4000));
    assert!(
        orders
            .iter()
            .any(|order| matches!(order.task, Task::Refresh))
    );
}
