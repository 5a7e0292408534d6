//! What follows when a provider says to wait, that the login has ended, or that the configuration
//! is wrong.

mod support;

use std::time::Duration;

use support::*;

/// Lets the provider answer a refresh with this.
#[track_caller]
fn refresh(provider: &Provider, user: &Pizauth, answer: Answer) -> Run {
    provider.script(answer);
    user.run(&["refresh", "a"])
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a date is what is tested")]
fn retry_after_is_honoured() {
    // Without it, the next try would be after a second or less.
    let provider = Provider::start();
    let user = Pizauth::start(&provider.account("a", "refresh_retry = 1s;"));
    log_in(&provider, &user.url("a"));
    let first = user.token("a");
    let start = now();
    let busy = Answer::of(429, "text/plain", "").header("Retry-After", "3");
    refresh(&provider, &user, busy).expect(4);
    let tries = provider.wait_for_refreshes(2);
    assert!(tries[1].at - start >= Duration::from_millis(2900));
    // It has come, but its answer may not be there yet: who asks until then is told of this one.
    wait_until("it is answered", || user.token("a") != first);

    let seconds_to_next = || {
        let next = user.status("a")["next_refresh_at"]
            .as_str()
            .unwrap()
            .parse();
        next.map(|next: jiff::Timestamp| next.as_second() - jiff::Timestamp::now().as_second())
    };
    let far = Answer::of(503, "text/plain", "").header("Retry-After", "99999999999");
    refresh(&provider, &user, far).expect(4);
    let wait = seconds_to_next().unwrap();
    assert!((60..=25 * 3600).contains(&wait), "{wait}");

    let date = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(600);
    let date = date.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let busy = Answer::of(503, "text/plain", "").header("Retry-After", &date);
    refresh(&provider, &user, busy).expect(4);
    let wait = seconds_to_next().unwrap();
    assert!((500..=601).contains(&wait), "{wait}");
    // The user need not wait for that.
    user.run(&["refresh", "a"]).expect(0);
}

#[test]
fn invalid_grant_ends_the_login_and_asks_the_user_anew() {
    for status in [400, 401, 200] {
        let provider = Provider::start();
        let mut user = Pizauth::new();
        let (asked, errors, events) = (
            Record::new(&user, "asked"),
            Record::new(&user, "errors"),
            Record::new(&user, "events"),
        );
        user.write_config(&format!(
            "auth_notify_cmd = {}; auth_error_cmd = {}; token_event_cmd = {};\n{}",
            asked.command("$PIZAUTH_ACCOUNT $PIZAUTH_URL"),
            errors.command("$PIZAUTH_ACCOUNT $PIZAUTH_MSG"),
            events.command("$PIZAUTH_ACCOUNT $PIZAUTH_EVENT"),
            provider.account("a", "")
        ));
        user.start_foreground();
        log_in(&provider, &user.url("a"));
        let dead = Answer::error(status, "invalid_grant", "password changed");
        let url = support::pizauth::url_in(&refresh(&provider, &user, dead));
        assert_eq!(asked.wait_for_lines(2)[1], format!("a {url}"));
        assert!(errors.wait_for_lines(1)[0].contains("password changed"));
        assert_eq!(
            events.wait_for_lines(2),
            ["a token_new", "a token_invalidated"]
        );
        assert_eq!(user.url("a"), url);
        let dump = user.run(&["dump"]).expect(0).out;
        assert!(!dump.contains("SECRET"), "{dump}");
        log_in(&provider, &url);
        user.token("a");
    }
}

#[test]
fn a_wrong_configuration_halts_until_it_is_corrected() {
    for error in ["invalid_client", "unauthorized_client", "invalid_scope"] {
        let provider = Provider::start();
        provider.set_lifetime(Some(2));
        let mut user = Pizauth::new();
        let errors = Record::new(&user, "errors");
        let config = format!("error_notify_cmd = {};\n", errors.command("$PIZAUTH_MSG"))
            + &provider.account("a", "refresh_retry = 1s;");
        user.write_config(&config);
        user.start_foreground();
        let url = user.url("a");
        let wrong = Answer::error(401, error, "secret expired");
        provider.rule(move |it| it.field("refresh_token").map(|_| wrong.clone()));
        log_in(&provider, &url);
        let run = wait_for("the token's end", || {
            let run = user.show("a");
            // It may be refreshed only then, where the machine was held up.
            (![0, 4].contains(&run.code)).then_some(run)
        });
        assert_eq!(run.code, 1, "{run:?}");
        assert!(run.err.contains("secret expired") && run.err.contains("pizauth reload"));
        assert!(errors.wait_for_lines(1)[0].contains("secret expired"));
        assert!(user.status("a").get("next_refresh_at").is_none());
        assert_eq!(provider.refreshes().len(), 1, "it tries again by itself");
        user.run(&["refresh", "a"]).expect(1);
        assert_eq!(provider.refreshes().len(), 2);
        provider.behave();
        provider.set_lifetime(Some(3600));
        user.run(&["reload"]).expect(0);
        wait_until("a token", || user.show("a").code == 0);
        assert_eq!(user.token("a"), provider.last_token());
    }
}
