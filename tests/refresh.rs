//! Refreshing: when it is done, and that nothing which a provider says or does not say costs a
//! login. What each answer means is in refresh_answers.rs.

mod support;

use std::thread;
use std::time::{Duration, Instant};

use support::pizauth::url_in;
use support::*;

/// A provider, and a user who is logged in to the account `a` there.
fn set_up(more: &str) -> (Provider, Pizauth) {
    let provider = Provider::start();
    let user = Pizauth::start(&provider.account("a", more));
    log_in(&provider, &user.url("a"));
    (provider, user)
}

/// The times of the refreshes so far, since `start`.
fn times(provider: &Provider, start: Instant) -> Vec<Duration> {
    let refreshes = provider.refreshes();
    refreshes.iter().map(|it| it.at - start).collect()
}

#[test]
fn before_expiry_without_being_asked() {
    let provider = Provider::start();
    provider.set_lifetime(Some(10));
    let user = Pizauth::start(&provider.account("a", "refresh_before_expiry = 7s;"));
    let start = now();
    log_in(&provider, &user.url("a"));
    let mut seen = Vec::new();
    wait_until("three refreshes", || {
        let shown = user.token("a");
        if seen.last() != Some(&shown) {
            seen.push(shown);
        }
        provider.refreshes().len() >= 2
    });
    let times = times(&provider, start);
    assert!(times[0] >= Duration::from_millis(2900), "{times:?}");
    assert!(
        times[1] - times[0] >= Duration::from_millis(2900),
        "{times:?}"
    );
    assert!(seen.len() >= 2, "{seen:?}");
}

#[test]
fn at_least_every_so_often() {
    let start = now();
    let (provider, user) = set_up("refresh_at_least = 1s;");
    let before = user.token("a");
    provider.wait_for_refreshes(2);
    assert!(start.elapsed() >= Duration::from_millis(1900));
    wait_until("another token", || user.token("a") != before);
}

#[test]
fn on_demand() {
    let (provider, user) = set_up("");
    let before = user.token("a");
    assert_eq!(provider.refreshes().len(), 0);
    let run = user.run(&["refresh", "a"]).expect(0);
    assert_eq!((run.out.as_str(), run.err.as_str()), ("", ""));
    let after = user.token("a");
    assert_ne!(after, before);
    assert_eq!(after, provider.last_token());
    let refresh = &provider.refreshes()[0];
    assert_eq!(
        refresh.field_names(),
        ["grant_type", "refresh_token", "client_id"]
    );
    assert_eq!(refresh.header("accept"), Some("application/json"));
}

#[test]
fn the_command_waits_for_the_answer() {
    let (provider, user) = set_up("");
    let gate = provider.gate();
    provider.script(Answer::own().after(&gate));
    let before = user.token("a");
    let mut refresh = user.spawn(&["refresh", "a"]);
    provider.wait_for_refreshes(1);
    assert_eq!(user.token("a"), before, "show does not wait");
    assert_eq!(user.status("a")["busy"], true);
    assert!(refresh.try_wait().unwrap().is_none());
    gate.open();
    assert!(refresh.wait().unwrap().success());
    assert_ne!(user.token("a"), before);
    assert_eq!(user.status("a")["busy"], false);
}

#[test]
fn the_command_says_how_it_ended() {
    let (provider, user) = set_up("");
    provider.script(Answer::of(503, "text/plain", "busy"));
    let run = user.run(&["refresh", "a"]).expect(4);
    assert!(
        run.err.contains("'a'") && run.err.contains("503"),
        "{run:?}"
    );
    user.token("a");

    provider.script(Answer::error(401, "invalid_client", "no such client"));
    let run = user.run(&["refresh", "a"]).expect(1);
    assert!(
        run.err.contains("invalid_client: no such client"),
        "{run:?}"
    );
    assert!(run.err.contains("pizauth reload"), "{run:?}");
    user.token("a");

    provider.script(Answer::error(400, "invalid_grant", "revoked by the user"));
    let url = url_in(&user.run(&["refresh", "a"]));
    assert_eq!(user.url("a"), url);

    let run = user.run(&["refresh", "nobody"]).expect(1);
    assert!(run.err.contains("'nobody'"), "{run:?}");
    user.run(&["show", "nobody"]).expect(1);
}

#[test]
fn many_who_ask_at_once_make_one_refresh() {
    let (provider, user) = set_up("");
    provider.rotate();
    user.run(&["refresh", "a"]).expect(0);
    for round in 1..=3 {
        let gate = provider.gate();
        provider.script(Answer::own().after(&gate));
        let ask = |_| user.spawn(&["refresh", "a"]);
        let asking: Vec<_> = (0..30).map(ask).collect();
        provider.wait_for_refreshes(1 + round);
        wait_until("it is under way", || user.status("a")["busy"] == true);
        gate.open();
        for mut child in asking {
            assert!(child.wait().unwrap().success());
        }
    }
    user.token("a");
    // Those who came after the answer had one of their own; two at once, or a spent token, are
    // faults that the provider reports.
    assert_eq!(provider.faults(), Vec::<String>::new());
    assert_eq!(user.token("a"), provider.last_token());
}

#[test]
fn a_rotated_token_replaces_the_old_one_at_once() {
    let provider = Provider::start();
    provider.rotate();
    provider.set_lifetime(Some(2));
    let user = Pizauth::start(&provider.account("a", ""));
    log_in(&provider, &user.url("a"));
    for _ in 0..20 {
        user.run(&["refresh", "a"]).expect(0);
    }
    let count = provider.refreshes().len();
    provider.wait_for_refreshes(count + 3);
    wait_until("a token", || user.show("a").code == 0);
}

#[test]
fn a_hanging_endpoint_delays_nobody_else() {
    let dead = Provider::start();
    let alive = Provider::start();
    let names = ["dead 1", "dead 2", "dead 3"];
    let mut config: String = names.iter().map(|name| dead.account(name, "")).collect();
    config += &alive.account("alive", "");
    config += &dead
        .account("same host", "")
        .replace("\"mail\"", "\"other\"");
    let user = Pizauth::start(&config);
    for name in names {
        log_in(&dead, &user.url(name));
    }
    log_in(&dead, &user.url("same host"));
    log_in(&alive, &user.url("alive"));
    let gate = dead.gate();
    dead.rule(move |it| (it.client() == "mail").then(|| Answer::own().after(&gate)));
    let ask = |name: &&str| user.spawn(&["refresh", name]);
    let asking: Vec<_> = names.iter().map(ask).collect();
    dead.wait_for_refreshes(names.len());
    for _ in 0..5 {
        user.run(&["refresh", "alive"]).expect(0);
        user.run(&["refresh", "same host"]).expect(0);
        user.token("dead 1");
    }
    dead.behave();
    for mut child in asking {
        assert!(child.wait().unwrap().success());
    }
}

#[test]
fn a_token_is_never_shown_past_its_expiry() {
    let provider = Provider::start();
    provider.set_lifetime(Some(1));
    let user = Pizauth::start(&provider.account("a", "refresh_retry = 1s;"));
    let url = user.url("a");
    provider.rule(|it| {
        it.field("refresh_token")
            .map(|_| Answer::of(500, "text/plain", ""))
    });
    log_in(&provider, &url);
    let start = now();
    let run = wait_for("the token's end", || {
        let asked = start.elapsed();
        let run = user.show("a");
        assert!(run.code == 4 || asked < Duration::from_secs(1), "{run:?}");
        // Where the machine was held up, the first refresh begins only now.
        (run.code == 4 && run.err.contains("500")).then_some(run)
    });
    assert!(run.err.contains("expired"), "{run:?}");
    assert_eq!(user.state("a"), "expired");
    provider.behave();
    provider.set_lifetime(Some(3600));
    wait_until("a new token", || user.show("a").code == 0);
    assert!(user.status("a").get("last_error").is_none());
}

#[test]
fn a_provider_that_was_down_costs_nothing() {
    let provider = Provider::start();
    provider.rotate();
    provider.set_lifetime(Some(1));
    let user = Pizauth::start(&provider.account("a", "refresh_retry = 1s;"));
    log_in(&provider, &user.url("a"));
    provider.go_down();
    let run = wait_for("the token's end", || {
        let run = user.show("a");
        (run.code != 0).then_some(run)
    });
    assert_eq!(run.code, 4, "{run:?}");
    let run = user.run(&["refresh", "a"]).expect(4);
    assert!(run.err.contains("refuses the connection"), "{run:?}");
    provider.set_lifetime(Some(3600));
    provider.come_back();
    wait_until("a new token", || user.show("a").code == 0);
    assert_eq!(user.token("a"), provider.last_token());
}

#[test]
fn transient_error_if_cmd_decides_about_repeated_failures() {
    for (code, state) in [(0, "expired"), (1, "pending")] {
        let provider = Provider::start();
        provider.set_lifetime(Some(1));
        let mut user = Pizauth::new();
        let asked = Record::new(&user, "asked");
        let script = format!("{}; exit {code}", asked.script("$PIZAUTH_ACCOUNT"));
        let option = format!(
            "refresh_retry = 1s; transient_error_if_cmd = {};",
            support::provider::quoted(&script)
        );
        user.write_config(&provider.account("a", &option));
        user.start_foreground();
        let url = user.url("a");
        provider.rule(|it| {
            it.field("refresh_token")
                .map(|_| Answer::of(500, "text/plain", ""))
        });
        log_in(&provider, &url);
        assert_eq!(asked.wait_for_lines(1)[0], "a");
        wait_until("what follows", || {
            let found = user.show("a");
            found.code == if code == 0 { 4 } else { 3 }
        });
        assert_eq!(user.state("a"), state);
        provider.behave();
        if code == 0 {
            wait_until("a new token", || user.show("a").code == 0);
        }
    }
}

#[test]
fn a_hanging_transient_error_if_cmd_delays_no_refresh() {
    let (provider, user) =
        set_up("refresh_retry = 1s; transient_error_if_cmd = \"exec sleep 100\";");
    provider.script(Answer::of(500, "text/plain", ""));
    provider.script(Answer::of(500, "text/plain", ""));
    user.run(&["refresh", "a"]).expect(4);
    provider.wait_for_refreshes(2);
    // It has come, but its answer may not be there yet: who asks until then is told of this one.
    wait_until("it is answered", || user.status("a")["busy"] == false);
    user.run(&["refresh", "a"]).expect(0);
    user.token("a");
}

#[test]
fn hundreds_of_accounts_are_refreshed() {
    let provider = Provider::start();
    let names: Vec<String> = (0..400).map(|number| format!("account {number}")).collect();
    let config: String = names
        .iter()
        .map(|name| provider.account(name, ""))
        .collect();
    let user = Pizauth::start(&config);
    log_in(&provider, &user.url("account 0"));
    // The digest of the authority is that of all accounts here, as they differ in name alone.
    let dump = user.run(&["dump"]).expect(0).out;
    let mut dump: serde_json::Value = serde_json::from_str(&dump).unwrap();
    let one = dump["accounts"][0].clone();
    let all = names.iter().enumerate().map(|(number, name)| {
        let mut account = one.clone();
        account["account"] = name.as_str().into();
        account["refresh_token"] = format!("SECRET-{number}").into();
        account.as_object_mut().unwrap().remove("access_token");
        account.as_object_mut().unwrap().remove("expires_at");
        account
    });
    dump["accounts"] = all.skip(1).collect();
    provider.rule(|it| {
        it.field("refresh_token")
            .map(|_| Answer::json(200, "{\"access_token\":\"SECRET\",\"expires_in\":3600}"))
    });
    let run = user
        .run_with_input(&["restore"], &dump.to_string())
        .expect(0);
    assert!(run.err.contains("399 accounts"), "{run:?}");
    wait_until("all are refreshed", || {
        user.token("account 0");
        let run = user.run(&["status", "--json"]).expect(0);
        let status: serde_json::Value = serde_json::from_str(&run.out).unwrap();
        let accounts = status["accounts"].as_array().unwrap();
        accounts.iter().all(|account| account["state"] == "active")
    });
    assert_eq!(provider.refreshes().len(), 399);
}

#[test]
fn random_users_and_a_moody_provider_lose_no_login() {
    let provider = Provider::start();
    provider.rotate();
    provider.set_lifetime(Some(2));
    let more = "refresh_retry = 1s; refresh_at_least = 1s;";
    let config = provider.account("a", more) + &provider.account("b", more);
    let user = Pizauth::start(&config);
    for name in ["a", "b"] {
        log_in(&provider, &user.url(name));
    }
    let count = std::sync::atomic::AtomicUsize::new(0);
    provider.rule(
        move |_| match count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) % 4 {
            0 => Some(Answer::of(502, "text/html", "<html>")),
            1 => Some(Answer::json(200, "{\"access_tok").header("X-Mood", "bad")),
            _ => None,
        },
    );
    thread::scope(|scope| {
        for name in ["a", "b", "a", "b"] {
            let user = &user;
            let work = move || {
                for _ in 0..15 {
                    let code = user.run(&["refresh", name]).code;
                    assert!(code == 0 || code == 4, "{code}");
                    let code = user.show(name).code;
                    assert!(code == 0 || code == 4, "{code}");
                }
            };
            thread::Builder::new().spawn_scoped(scope, work).unwrap();
        }
    });
    provider.behave();
    for name in ["a", "b"] {
        // This one may join one that was answered badly and is not through yet.
        user.run(&["refresh", name]);
        user.run(&["refresh", name]).expect(0);
    }
}
