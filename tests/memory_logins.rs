//! What is left in memory of logins in other ways than the plain one: with a code that is typed in
//! elsewhere, and over an https redirect; whether they end well or not. As `memory.rs`, which is
//! about what is left of tokens, it can only be done by root.

#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    reason = "tests and their helpers report by panicking"
)]

mod support;

use std::io::Write;

use support::browser::{back, field};
use support::scan::Secret;
use support::secrets::*;
use support::*;

/// A device authorisation (RFC 8628 section 3.2), and what is secret of it.
fn device_authorization(scene: &Scene, interval: u32) -> (Answer, Vec<Secret>) {
    let (device_code, user_code) = (scene.secret(120), scene.secret(60));
    let body = format!(
        "{{\"device_code\":\"{device_code}\",\"user_code\":\"{user_code}\",\
         \"verification_uri\":\"https:\\/\\/provider.example\\/device\",\
         \"verification_uri_complete\":\"https://provider.example/device?user_code={user_code}\",\
         \"expires_in\":600,\"interval\":{interval}}}"
    );
    let secrets = vec![
        secret("device code", device_code),
        secret("user code", user_code),
    ];
    (Answer::json(200, &body), secrets)
}

fn device_account(scene: &Scene) -> String {
    let more = format!(
        "grant = \"device_code\"; device_uri = \"{}/device\";",
        scene.origin
    );
    scene.account("a", &more)
}

/// Has the provider give a code, and waits for the user to be told.
#[track_caller]
fn prompted(scene: &Scene, user: &Pizauth, interval: u32) -> Vec<Secret> {
    let (answer, secrets) = device_authorization(scene, interval);
    // Whenever it is asked, until a test says what comes of it.
    scene.provider.rule(|it| {
        let pending = || Answer::error(400, "authorization_pending", "");
        it.field("device_code").map(|_| pending())
    });
    scene.provider.script(answer);
    wait_until("the user is told the code", || {
        user.show("a").err.contains(&secrets[1].text)
    });
    user.run(&["status", "--json"]).expect(0);
    notified(user).wait_for_line(&secrets[1].text);
    secrets
}

#[test]
fn nothing_is_left_of_a_code_that_was_typed_in() {
    let scene = Scene::new(true);
    let mut user = Pizauth::new();
    user.write_config(&(commands(&user) + &device_account(&scene)));
    user.start_foreground();
    let Some((server, helper)) = processes(&user) else {
        return;
    };
    let codes = prompted(&scene, &user, 1);
    wait_for_one(server, &codes[0]);
    let tokens = scene.grant(200);
    let run = user.run(&["show", "--wait=30s", "a"]).expect(0);
    assert_eq!(run.out.trim_end(), tokens.access);
    wait_for_nothing(server, &codes);
    wait_for_nothing(helper, &codes);
    wait_for_one(server, &secret("access token", tokens.access));
}

#[test]
fn nothing_is_left_of_a_code_that_was_given_up() {
    let scene = Scene::new(true);
    let mut user = Pizauth::new();
    let config = commands(&user) + &device_account(&scene);
    user.write_config(&config);
    user.start_foreground();
    let Some((server, helper)) = processes(&user) else {
        return;
    };
    // The provider refuses it.
    let mut codes = prompted(&scene, &user, 1);
    scene
        .provider
        .script(Answer::error(400, "access_denied", ""));
    wait_until("it is given up", || user.state("a") == "empty");
    wait_for_nothing(server, &codes);
    // The user does.
    codes.extend(prompted(&scene, &user, 60));
    user.run(&["revoke", "a"]).expect(0);
    wait_for_nothing(server, &codes);
    // There is no such account any more.
    codes.extend(prompted(&scene, &user, 60));
    user.write_config(&(commands(&user) + &scene.account("b", "")));
    user.run(&["reload"]).expect(0);
    wait_for_nothing(server, &codes);
    wait_for_nothing(helper, &codes);
}

#[test]
fn nothing_is_left_of_what_came_back_over_https() {
    let scene = Scene::new(true);
    let mut user = Pizauth::new();
    let account = scene.account("a", "redirect_uri = \"https://localhost/\";");
    user.write_config(&(commands(&user) + &account));
    user.start_foreground();
    let Some((server, helper)) = processes(&user) else {
        return;
    };
    // A browser that breaks off in the middle: what it sent was never a request.
    let broken_off = scene.secret(300);
    let url = user.url("a");
    let stream = tls::connect(&user.secure_listeners()[0], &user.fingerprint());
    break_off(stream, &format!("GET /?code={broken_off}"));
    // One that brings a refusal, which ends the login.
    let first_state = field(&url, "state").unwrap();
    notified(&user).wait_for_line(&first_state);
    let refusal = format!("error=access_denied&state={first_state}");
    tls::visit(&user, &back(&url, &refusal));
    wait_until("the login is over", || user.state("a") == "empty");
    let mut spent = vec![
        secret("broken off code", broken_off),
        secret("refused state", first_state),
    ];
    wait_for_nothing(server, &spent);

    let tokens = scene.grant(200);
    spent.extend(scene.log_in(&user, "a"));
    assert_eq!(user.token("a"), tokens.access);
    notified(&user).wait_for_line(&spent[3].text);
    wait_for_nothing(server, &spent);
    wait_for_nothing(helper, &spent);
    wait_for_one(server, &secret("access token", tokens.access));
}

#[test]
fn nothing_is_left_of_what_was_pasted() {
    let scene = Scene::new(true);
    let mut user = Pizauth::new();
    user.write_config(&(commands(&user) + &scene.account("a", "")));
    user.start_foreground();
    let Some((server, helper)) = processes(&user) else {
        return;
    };
    let url = user.url("a");
    let (code, state) = (scene.secret(300), field(&url, "state").unwrap());
    // A code that is somebody else's, whose state nobody asked for.
    let foreign = scene.secret(43);
    let wrong = back(&url, &format!("code={code}&state={foreign}"));
    user.run_with_input(&["complete"], &format!("{wrong}\n"))
        .expect(1);
    let tokens = scene.grant(200);
    let right = back(&url, &format!("code={code}&state={state}"));
    user.run_with_input(&["complete"], &format!("{right}\n"))
        .expect(0);
    assert_eq!(user.token("a"), tokens.access);
    notified(&user).wait_for_line(&state);
    let spent = [
        secret("code", code),
        secret("state", state),
        secret("foreign state", foreign),
    ];
    wait_for_nothing(server, &spent);
    wait_for_nothing(helper, &spent);
    wait_for_one(server, &secret("access token", tokens.access));
}

/// Sends a part of a request, and is gone when the server has read it.
#[track_caller]
fn break_off(mut stream: tls::Secure, part: &str) {
    stream.write_all(part.as_bytes()).unwrap();
    stream.flush().unwrap();
    // What the server says of itself when it has the handshake comes after it was heard.
    stream.conn.send_close_notify();
    stream.flush().unwrap();
    let mut rest = Vec::new();
    let _ = std::io::Read::read_to_end(&mut stream, &mut rest);
}
