//! What is left in memory of client secrets, those that a command prints and those that are written
//! in the configuration: one copy in the server, and none in its helper, which runs the one and
//! reads the other. As `memory.rs`, it can only be done by root.

#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    reason = "tests and their helpers report by panicking"
)]

mod support;

use support::provider::quoted;
use support::secrets::*;
use support::*;

fn secret_of_a_command(authentication: &str) {
    let scene = Scene::new(true);
    let mut user = Pizauth::new();
    let store = user.dir().join("store");
    let first = secret("first client secret", scene.secret(50));
    std::fs::write(&store, format!("{}\nnotes\n", first.text)).unwrap();
    let script = quoted(&format!("cat '{}'", store.display()));
    let with = format!("client_secret_cmd = {script}; {authentication}");
    let config = commands(&user) + &scene.account("a", &with);
    user.write_config(&config);
    user.start_foreground();
    let Some((server, helper)) = processes(&user) else {
        return;
    };
    scene.grant(200);
    let mut spent = scene.log_in(&user, "a");
    scene.grant(200);
    user.run(&["refresh", "a"]).expect(0);
    use_tokens(&user, "a");
    wait_for_one(server, &first);
    wait_for_nothing(server, &spent);

    // The provider knows another one by now, and so does the store.
    let second = secret("second client secret", scene.secret(50));
    std::fs::write(&store, format!("{}\n", second.text)).unwrap();
    let refused = Answer::error(401, "invalid_client", "");
    scene.provider.script(refused);
    scene.grant(200);
    user.run(&["refresh", "a"]).expect(0);
    spent.push(first);
    wait_for_nothing(server, &spent);
    wait_for_one(server, &second);

    // Whoever revokes wants to leave nothing behind. The command is run again when it is needed.
    user.run(&["revoke", "a"]).expect(0);
    spent.push(second);
    wait_for_nothing(server, &spent);
    scene.grant(200);
    scene.log_in(&user, "a");
    let second = spent.pop().unwrap();
    wait_for_one(server, &second);
    // And so it is where the configuration is read again.
    user.run(&["reload"]).expect(0);
    spent.push(second);
    wait_for_nothing(server, &spent);
    scene.grant(200);
    user.run(&["refresh", "a"]).expect(0);
    let second = spent.pop().unwrap();
    wait_for_one(server, &second);
    user.write_config(&(commands(&user) + &scene.account("b", "")));
    user.run(&["reload"]).expect(0);
    spent.push(second);
    wait_for_nothing(server, &spent);
    wait_for_nothing(helper, &spent);
}

#[test]
fn one_copy_is_held_of_what_a_command_prints() {
    secret_of_a_command("");
}

#[test]
fn one_copy_is_held_of_what_is_sent_in_a_header() {
    secret_of_a_command("client_auth = \"basic\";");
}

#[test]
fn one_copy_is_held_of_what_is_written_however_often_it_is_read() {
    let scene = Scene::new(false);
    let mut user = Pizauth::new();
    let written = secret("client secret", scene.secret(50));
    let commands = commands(&user);
    let with = |secret: &str| {
        let account = scene.account("a", &format!("client_secret = \"{secret}\";"));
        commands.clone() + &account
    };
    let config = with(&written.text);
    user.write_config(&config);
    user.start_foreground();
    let Some((server, helper)) = processes(&user) else {
        return;
    };
    let tokens = scene.grant(200);
    scene.log_in(&user, "a");
    wait_for_one(server, &written);
    let written = [written];
    for reload in 1..=5 {
        user.write_config(&format!("auth_notify_interval = {reload}h;\n{config}"));
        user.run(&["reload"]).expect(0);
        assert_eq!(user.token("a"), tokens.access, "the login stays");
        wait_for_nothing(helper, &written);
        wait_for_one(server, &written[0]);
    }
    // One with a mistake stays out of force, and is shown to the user but for the secret.
    user.write_config(&format!("{config}\naccount \"a\" {{ client_secret = ; }}"));
    user.run(&["reload"]).expect(1);
    wait_for_nothing(helper, &written);
    wait_for_one(server, &written[0]);
    // Another secret is another client.
    let other = secret("other client secret", scene.secret(50));
    user.write_config(&with(&other.text));
    user.run(&["reload"]).expect(0);
    wait_for_nothing(server, &written);
    wait_for_nothing(helper, &written);
    wait_for_one(server, &other);
    wait_for_nothing(helper, &[other]);
}
