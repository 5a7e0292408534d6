//! What is left of secrets in the server's memory: nothing of those that are spent, and one copy of
//! those that are held. Looks into the whole of its writable memory, and that of its helper, so it
//! can only be done by root.

#![cfg(target_os = "linux")]
mod support;

use support::scan::is_possible;
use support::secrets::*;
use support::*;

fn life_of_secrets(tls: bool, length: usize, authentication: &str) {
    let scene = Scene::new(tls);
    let mut user = Pizauth::new();
    let client_secret = scene.secret(40);
    let with = format!("client_secret = \"{client_secret}\"; {authentication}");
    let commands = commands(&user);
    user.write_config(&(commands.clone() + &scene.account("a", &with)));
    user.start_foreground();
    let Some((pid, helper)) = processes(&user) else {
        return;
    };

    let first = scene.grant(length);
    let mut spent = scene.log_in(&user, "a");
    assert_eq!(user.token("a"), first.access);
    use_tokens(&user, "a");
    let held = [
        secret("access token", &first.access),
        secret("refresh token", &first.refresh),
        secret("client secret", &client_secret),
    ];
    wait_for_one_of_each(pid, &held);
    wait_for_nothing(pid, &spent);

    let second = scene.grant(length);
    user.run(&["refresh", "a"]).expect(0);
    assert_eq!(user.token("a"), second.access);
    spent.push(secret("old access token", &first.access));
    spent.push(secret("old refresh token", &first.refresh));
    use_tokens(&user, "a");
    wait_for_nothing(pid, &spent);
    let held = [
        secret("access token", &second.access),
        secret("refresh token", &second.refresh),
        secret("client secret", &client_secret),
    ];
    wait_for_one_of_each(pid, &held);

    user.run(&["revoke", "a"]).expect(0);
    spent.extend([
        secret("revoked access token", &second.access),
        secret("revoked refresh token", &second.refresh),
    ]);
    wait_for_nothing(pid, &spent);

    user.write_config(&(commands + &scene.account("b", "")));
    user.run(&["reload"]).expect(0);
    spent.push(secret("client secret", &client_secret));
    wait_for_nothing(pid, &spent);
    wait_for_nothing(helper, &spent);
}

#[test]
fn nothing_is_left_of_what_went_over_http() {
    life_of_secrets(false, 200, "");
}

#[test]
fn nothing_is_left_of_what_went_over_tls() {
    life_of_secrets(true, 200, "");
}

#[test]
fn nothing_is_left_of_long_tokens() {
    life_of_secrets(true, 9000, "client_auth = \"basic\";");
}

#[test]
fn nothing_is_left_behind_by_a_server_that_is_replaced() {
    let scene = Scene::new(false);
    let user = Pizauth::with_config(&scene.account("a", ""));
    user.start_background();
    if !is_possible(user.pid().unwrap()) {
        return;
    }
    let tokens = scene.grant(400);
    let spent = scene.log_in(&user, "a");
    assert_eq!(user.token("a"), tokens.access);
    user.run(&["server", "--replace"]).expect(0);
    let pid = user.pid().unwrap();
    assert_eq!(user.token("a"), tokens.access);
    let held = [
        secret("access token", &tokens.access),
        secret("refresh token", &tokens.refresh),
    ];
    wait_for_nothing(pid, &spent);
    wait_for_one_of_each(pid, &held);
    user.run(&["revoke", "a"]).expect(0);
    wait_for_nothing(pid, &held);
}
