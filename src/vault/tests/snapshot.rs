//! Dumps: what they say, what they bring back, and what they must not.

use std::time::Duration;

use super::reload::log_in;
use crate::vault::Vault;
use crate::vault::answer::Shown;
use crate::vault::order::Task;
use crate::vault::snapshot::{BadDump, ReadDump, Skipped};
use crate::vault::test_support::{
    PASSING, account, at, config, grant, now, read, request, rotating_failure, set_to,
};

/// The format of version 1, which every later pizauth must read.
const GOLDEN: &str = include_str!("../../../tests/data/dump-v1.json");
const DAY: i64 = 86_400;
const YEARS: i64 = 3_650 * DAY;

fn vault() -> Vault {
    Vault::new(&config(["full", "bare", "expired", "none"].map(account)))
}

/// A vault with a token of every kind, at second 3600.
fn filled() -> Vault {
    let mut vault = vault();
    log_in(&mut vault, "expired", Some("refresh-e"));
    vault.tick(at(3600));
    for (name, refresh) in [("full", Some("refresh-f")), ("bare", None)] {
        log_in(&mut vault, name, refresh);
    }
    vault
}

fn token(vault: &mut Vault, name: &str, second: i64) -> Option<String> {
    match vault.show(name, Duration::ZERO, at(second)).0 {
        Some(Shown::Token(token)) => Some(token.expose().to_owned()),
        _ => None,
    }
}

fn refresh_token(vault: &Vault, name: &str) -> Option<String> {
    let renewal = vault.entries[name].state.renewal()?;
    Some(renewal.refresh_token()?.expose().to_owned())
}

/// Lets a refresh of `name` end with a new refresh token.
fn rotate(vault: &mut Vault, name: &str, to: &str, second: i64) {
    let (_, orders) = vault.refresh(name, at(second));
    let order = orders.iter().find(|o| matches!(o.task, Task::Refresh));
    let ticket = order.unwrap().ticket.clone();
    vault.refresh_done(&ticket, Ok(grant("new", Some(3600), Some(to))), at(second));
}

#[test]
fn the_format_is_the_golden_one() {
    let dump = filled().snapshot(now(100)).text().unwrap();
    assert_eq!(dump.expose(), GOLDEN, "{}", dump.expose());
}

#[test]
fn the_golden_dump_can_be_restored() {
    let mut vault = vault();
    let (report, orders) = vault.restore(read(GOLDEN), now(200));
    assert_eq!((report.restored, orders.len()), (3, 0));
    assert_eq!(token(&mut vault, "full", 200).as_deref(), Some("access"));
    assert_eq!(token(&mut vault, "bare", 200).as_deref(), Some("access"));
    assert_eq!(token(&mut vault, "expired", 200), None);
    for (name, refresh) in [("full", "refresh-f"), ("expired", "refresh-e")] {
        assert_eq!(refresh_token(&vault, name).as_deref(), Some(refresh));
    }
    assert_eq!(vault.snapshot(now(200)).text().unwrap().expose(), GOLDEN);
}

#[test]
fn another_boot_and_another_wall_clock() {
    // (what the wall clock shows, whether the access token is still good then)
    for (wall, good) in [(200, true), (3599, true), (3600, false), (YEARS, false)] {
        let mut vault = vault();
        vault.restore(read(GOLDEN), set_to(17, wall));
        assert_eq!(token(&mut vault, "full", 17).is_some(), good, "{wall}");
        assert!(refresh_token(&vault, "full").is_some());
    }
}

#[test]
fn a_clock_that_was_set_back_neither_prolongs_nor_delays() {
    // By far, and it may be anything: what can be refreshed is not trusted, and all is refreshed.
    for (back, is_trusted) in [(60, true), (DAY, false), (YEARS, false)] {
        for name in ["full", "bare"] {
            let is_shown = |now| {
                let mut vault = vault();
                vault.restore(read(GOLDEN), set_to(17, -back));
                token(&mut vault, name, now).is_some()
            };
            let is_good = is_trusted || name == "bare";
            assert_eq!(is_shown(17 + 3599), is_good, "{name} {back}");
            assert!(!is_shown(17 + 3600), "{name} {back}");
        }
        let mut vault = vault();
        vault.restore(read(GOLDEN), set_to(17, -back));
        let orders = vault.tick(at(17));
        let mut due: Vec<_> = orders.iter().map(|o| o.ticket.account().as_str()).collect();
        due.sort_unstable();
        let all: &[&str] = if is_trusted {
            &["expired"]
        } else {
            &["expired", "full"]
        };
        assert_eq!(due, all, "at once");
    }
}

#[test]
fn a_stale_dump_never_replaces_what_is_newer_whatever_the_clock_says() {
    for wall in [2000, 2000 + YEARS, 0, -1, -YEARS, 1001, 1500] {
        let mut vault = filled();
        rotate(&mut vault, "full", "refresh-2", 1000);
        let (report, orders) = vault.restore(read(GOLDEN), set_to(2000, wall));
        assert_eq!(report.restored, 0, "{wall}: {report:?}");
        assert!(orders.is_empty());
        assert_eq!(refresh_token(&vault, "full").as_deref(), Some("refresh-2"));
    }
}

#[test]
fn a_dump_of_the_present_state_changes_nothing_even_if_clocks_drift() {
    for drift in [-1, 0, 1] {
        let mut vault = filled();
        vault.refresh("full", at(150));
        let before = format!("{vault:?}");
        let (report, _) = vault.restore(read(GOLDEN), set_to(200, 200 + drift));
        assert_eq!(refresh_token(&vault, "full").as_deref(), Some("refresh-f"));
        let kept = ("full".to_owned(), Skipped::NotNewer);
        assert!(report.skipped.contains(&kept));
        assert_eq!(before, format!("{vault:?}"));
    }
}

#[test]
fn a_newer_dump_replaces_what_is_older() {
    let mut vault = vault();
    vault.restore(read(GOLDEN), now(200));
    let mut elsewhere = self::vault();
    elsewhere.restore(read(GOLDEN), now(200));
    rotate(&mut elsewhere, "full", "refresh-2", 1000);
    let newer = elsewhere.snapshot(now(1000)).text().unwrap();
    let (report, _) = vault.restore(read(newer.expose()), now(1001));
    assert_eq!(report.restored, 1);
    assert_eq!(refresh_token(&vault, "full").as_deref(), Some("refresh-2"));
    // And not the other way round.
    let (report, _) = vault.restore(read(GOLDEN), set_to(1002, 100));
    assert_eq!(report.restored, 0);
}

#[test]
fn a_token_that_came_with_a_failure_is_newer_than_the_one_before() {
    let mut elsewhere = filled();
    let (_, orders) = elsewhere.refresh("full", at(500));
    let failed = rotating_failure(PASSING, "refresh-2");
    elsewhere.refresh_done(&orders[0].ticket, Err(failed), at(500));
    let mut vault = filled();
    let dump = elsewhere.snapshot(now(600)).text().unwrap();
    vault.restore(read(dump.expose()), now(601));
    assert_eq!(refresh_token(&vault, "full").as_deref(), Some("refresh-2"));
}

#[test]
fn a_login_under_way_gives_way_to_tokens_but_not_to_those_it_carries_itself() {
    let mut vault = vault();
    vault.authorize("full", request("s"), at(150));
    log_in(&mut vault, "bare", None);
    vault.authorize("bare", request("t"), at(150));
    let (report, _) = vault.restore(read(GOLDEN), now(200));
    assert!(report.skipped.contains(&("bare".into(), Skipped::NotNewer)));
    assert_eq!(token(&mut vault, "full", 200).as_deref(), Some("access"));
    assert_eq!(vault.logins.len(), 1);
}

#[test]
fn a_dump_without_a_refresh_token_does_not_cost_one() {
    let mut elsewhere = vault();
    elsewhere.restore(read(GOLDEN), now(200));
    let newer = GOLDEN.replace("\"refresh_token\": \"refresh-f\"", "\"x\": \"\"");
    let newer = newer.replace("22:13:20Z", "22:14:20Z");
    let (report, _) = elsewhere.restore(read(&newer), now(300));
    assert!(report.skipped.contains(&("full".into(), Skipped::NotNewer)));
    assert!(refresh_token(&elsewhere, "full").is_some());
}

#[test]
fn after_a_revocation_the_user_may_restore() {
    let mut vault = filled();
    vault.revoke("full", at(150));
    let (report, _) = vault.restore(read(GOLDEN), now(200));
    assert_eq!(report.restored, 1);
}

#[test]
fn what_is_restored_and_what_is_not_is_told() {
    let only = |name: &str| Vault::new(&config([account(name)]));
    let (report, _) = only("bare").restore(read(GOLDEN), now(99_999));
    let skipped = report
        .skipped
        .iter()
        .map(|(name, why)| (name.as_str(), *why));
    assert_eq!(
        skipped.collect::<Vec<_>>(),
        [
            ("full", Skipped::Unknown),
            ("bare", Skipped::Expired),
            ("expired", Skipped::Unknown)
        ]
    );
    let mut other = account("full");
    other.authority.client_id = "other".into();
    let (report, _) = Vault::new(&config([other])).restore(read(GOLDEN), now(9));
    assert_eq!(report.skipped[0], ("full".into(), Skipped::OtherAuthority));
}

/// Every one is refused, before any vault sees it, and quotes nothing secret.
fn is_refused(text: &str) -> BadDump {
    let bad = ReadDump::read(text).err().unwrap();
    assert!(!bad.to_string().contains("refresh-"), "{bad}");
    assert!(!format!("{bad:?}").contains("refresh-"), "{bad:?}");
    bad
}

#[test]
fn a_dump_that_was_cut_off_is_refused_wherever_it_was_cut() {
    for length in 0..GOLDEN.trim_end().len() {
        assert!(matches!(
            is_refused(&GOLDEN[..length]),
            BadDump::Unreadable(_)
        ));
    }
}

#[test]
fn bad_dumps_are_refused() {
    for version in [0, 2, 99] {
        let other = GOLDEN.replace(
            "\"pizauth_dump\": 1",
            &format!("\"pizauth_dump\": {version}"),
        );
        assert_eq!(is_refused(&other), BadDump::Version(version));
        // What another version's accounts look like is not for this one to judge.
        let foreign = format!("{{\"pizauth_dump\": {version}, \"accounts\": {{\"x\": 1}}}}");
        assert_eq!(is_refused(&foreign), BadDump::Version(version));
    }
    let twice = GOLDEN.replace("\"bare\"", "\"full\"");
    assert_eq!(is_refused(&twice), BadDump::Repeated("full".into()));
    let empty = [
        ("\"refresh-f\"", "\"\""),
        ("\"access\"", "\"\""),
        ("\"expires_at\"", "\"no_longer\""),
    ];
    for (from, to) in empty {
        let incomplete = GOLDEN.replacen(from, to, 1);
        assert_eq!(is_refused(&incomplete), BadDump::Incomplete("full".into()));
    }
    let unreadable = [
        GOLDEN.replace("\"bare\"", "\"\\u001b[2J\""),
        GOLDEN.replace("\"bare\"", "\"\""),
        GOLDEN.replace("\"refresh-f\"", "[\"refresh-f\"]"),
        GOLDEN.replace("\"account\": \"full\"", "\"account\": 7"),
        GOLDEN.replace("2023-11-14T", "refresh-14T"),
        GOLDEN.replace("\"pizauth_dump\": 1", "\"pizauth_dump\": \"refresh-1\""),
        GOLDEN.replace("\"pizauth_dump\": 1", "\"pizauth_dump\": -1"),
        format!("{GOLDEN}{GOLDEN}"),
        "[".repeat(100_000),
        "null".into(),
    ];
    for text in unreadable {
        assert!(
            matches!(is_refused(&text), BadDump::Unreadable(_)),
            "{text}"
        );
    }
}

#[test]
fn unknown_fields_are_ignored() {
    let newer = GOLDEN.replace(
        "\"account\":",
        "\"of_later_days\": {\"x\": [1]}, \"account\":",
    );
    let newer = newer.replace("\"accounts\":", "\"more\": null, \"accounts\":");
    let (report, _) = vault().restore(read(&newer), now(200));
    assert_eq!(report.restored, 3);
}

#[test]
fn nothing_is_dumped_of_nothing() {
    let mut vault = vault();
    let empty = vault.snapshot(now(0)).text().unwrap();
    let (report, orders) = vault.restore(read(empty.expose()), now(0));
    assert_eq!(
        (report.restored, report.skipped.len(), orders.len()),
        (0, 0, 0)
    );
    vault.authorize("full", request("s"), at(0));
    assert_eq!(
        vault.snapshot(now(0)).text().unwrap().expose(),
        empty.expose()
    );
}
