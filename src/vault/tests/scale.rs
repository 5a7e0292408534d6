//! Ten thousand accounts.

use std::time::Duration;

use super::reload::log_in;
use crate::vault::Vault;
use crate::vault::answer::Shown;
use crate::vault::order::Task;
use crate::vault::test_support::{PASSING, account, at, config, failure, grant, now, read};
use crate::vault::token::Means;

const ACCOUNTS: usize = 10_000;

#[test]
fn ten_thousand_accounts_are_due_at_once_and_each_is_served() {
    let names: Vec<String> = (0..ACCOUNTS).map(|n| format!("account {n}")).collect();
    let config = config(names.iter().map(|name| account(name)));
    let mut vault = Vault::new(&config);
    for name in &names {
        log_in(&mut vault, name, Some(name));
    }
    assert_eq!(vault.next_deadline(), Some(at(3510)));
    assert!(vault.tick(at(3509)).is_empty());

    let orders = vault.tick(at(3510));
    assert_eq!(orders.len(), ACCOUNTS);
    assert_eq!(vault.next_deadline(), Some(at(3600)));
    for order in &orders {
        assert!(matches!(order.task, Task::Refresh));
        let Some(Means::RefreshToken(login)) = vault.means(&order.ticket) else {
            panic!("a refresh token");
        };
        let token = login.refresh_token;
        assert_eq!(token.expose(), order.account.name.as_str());
        vault.refresh_done(&order.ticket, Ok(grant("new", Some(3600), None)), at(3511));
    }
    assert_eq!(vault.next_deadline(), Some(at(3511 + 3510)));
    for name in &names {
        let (shown, orders) = vault.show(name, Duration::ZERO, at(3600));
        assert!(matches!(shown, Some(Shown::Token(token)) if token.expose() == "new"));
        assert!(orders.is_empty());
    }

    let dump = vault.snapshot(now(3600)).text().unwrap();
    let mut other = Vault::new(&config);
    let (report, _) = other.restore(read(dump.expose()), now(3601));
    assert_eq!(report.restored, ACCOUNTS);
    assert!(vault.reload(&config, false, at(3602)).is_empty());
    assert_eq!(vault.status(now(3602)).accounts.len(), ACCOUNTS);
}

#[test]
fn of_ten_thousand_that_fail_each_hears_once_that_the_way_is_clear() {
    let names: Vec<String> = (0..ACCOUNTS).map(|n| format!("account {n}")).collect();
    let config = config(names.iter().map(|name| account(name)));
    let mut vault = Vault::new(&config);
    for name in &names {
        log_in(&mut vault, name, Some(name));
    }
    for order in vault.tick(at(3510)) {
        vault.refresh_done(&order.ticket, Err(failure(PASSING)), at(3511));
    }
    assert_eq!(vault.failing.len(), ACCOUNTS);

    // Otherwise each that gets through would have all look again that are left.
    let (_, orders) = vault.refresh(&names[0], at(3512));
    let renewed = Ok(grant("new", Some(3600), None));
    vault.refresh_done(&orders[0].ticket, renewed, at(3513));
    assert!(vault.failing.is_empty());

    for order in vault.tick(at(3511 + 40)) {
        vault.refresh_done(&order.ticket, Err(failure(PASSING)), at(3552));
    }
    assert_eq!(vault.failing.len(), ACCOUNTS - 1);
}
