//! What is left of secrets in the server's memory: nothing of those that are spent, and one copy of
//! those that are held. Looks into the whole of its writable memory, and that of its helper, so it
//! can only be done by root.

#![cfg(target_os = "linux")]
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests and their helpers report by panicking"
)]

mod support;

use std::cell::RefCell;

use nix::unistd::Pid;
use support::attack::Random;
use support::browser::{back, field};
use support::scan::{Secret, Trace, is_possible, traces};
use support::*;

/// A provider whose tokens look like nothing else, with TLS in front of it where that is wanted.
struct Scene {
    provider: Provider,
    /// Where it is asked.
    origin: String,
    random: RefCell<Random>,
}

/// What a provider answered with.
struct Tokens {
    access: String,
    refresh: String,
}

impl Scene {
    fn new(tls: bool) -> Self {
        let provider = Provider::start();
        let origin = match tls {
            true => format!(
                "https://{}",
                support::tls_front::in_front_of(provider.address())
            ),
            false => format!("http://{}", provider.address()),
        };
        Self {
            provider,
            origin,
            random: RefCell::new(Random(0x5eed_0fac_c1de)),
        }
    }

    fn account(&self, name: &str, more: &str) -> String {
        format!(
            "account \"{name}\" {{ auth_uri = \"{0}/authorize\"; token_uri = \"{0}/token\"; \
             client_id = \"mail\"; ca_file = \"{1}\"; {more} }}\n",
            self.origin,
            support::tls_front::ca_file().display()
        )
    }

    fn secret(&self, length: usize) -> String {
        const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let mut random = self.random.borrow_mut();
        (0..length)
            .map(|_| char::from(LETTERS[random.below(LETTERS.len())]))
            .collect()
    }

    /// Has the next request answered with tokens.
    fn grant(&self, length: usize) -> Tokens {
        let tokens = Tokens {
            access: self.secret(length),
            refresh: self.secret(length / 2),
        };
        // A slash that is escaped takes another way through a parser of JSON.
        let body = format!(
            "{{\"access_token\":\"{}\",\"token_type\":\"Bearer\",\"expires_in\":3600,\
             \"refresh_token\":\"{}\",\"scope\":\"mail\\/all\"}}",
            tokens.access, tokens.refresh
        );
        self.provider.script(Answer::json(200, &body));
        tokens
    }

    /// Logs in; says what else was secret on the way.
    fn log_in(&self, user: &Pizauth, account: &str) -> Vec<Secret> {
        let url = user.url(account);
        let (code, state) = (self.secret(300), field(&url, "state").unwrap());
        let page = visit(&back(&url, &format!("code={code}&state={state}")));
        assert_eq!(page.status, 200, "{page:?}");
        let requests = self.provider.requests();
        let verifier = requests
            .iter()
            .rev()
            .find_map(|it| it.field("code_verifier"));
        vec![
            secret("code", code),
            secret("state", state),
            secret("verifier", verifier.unwrap().to_owned()),
        ]
    }
}

fn secret(name: &'static str, text: impl Into<String>) -> Secret {
    let text = text.into();
    Secret { name, text }
}

/// What the server does with tokens all day.
fn use_tokens(user: &Pizauth, account: &str) {
    for _ in 0..3 {
        user.token(account);
        user.run(&["status", "--json"]).expect(0);
        let dump = user.run(&["dump"]).expect(0).out;
        user.run_with_input(&["restore"], &dump).expect(0);
    }
}

/// Workers end a moment after what they did is seen.
#[track_caller]
fn wait_for_nothing(pid: Pid, secrets: &[Secret]) {
    let mut found = Vec::new();
    for _ in 0..50 {
        found = traces(pid, secrets);
        if found.is_empty() {
            return;
        }
        Gate::default().pass_within(std::time::Duration::from_millis(20));
    }
    panic!("{} traces: {found:?}", found.len());
}

/// Each is there once and whole, or not at all.
#[track_caller]
fn wait_for_one_of_each(pid: Pid, secrets: &[Secret]) {
    let mut found: Vec<Trace> = Vec::new();
    for _ in 0..50 {
        found = traces(pid, secrets);
        let count = |name| found.iter().filter(|trace| trace.name == name).count();
        if secrets.iter().all(|secret| count(secret.name) <= 1) {
            return;
        }
        Gate::default().pass_within(std::time::Duration::from_millis(20));
    }
    panic!("{} traces: {found:?}", found.len());
}

fn life_of_secrets(tls: bool, length: usize, authentication: &str) {
    let scene = Scene::new(tls);
    let mut user = Pizauth::new();
    let client_secret = scene.secret(40);
    let helper = Record::new(&user, "helper");
    let with = format!("client_secret = \"{client_secret}\"; {authentication}");
    let commands = format!(
        "startup_cmd = {}; persist_cmd = \"cat >/dev/null\";\n",
        helper.command("$PPID")
    );
    user.write_config(&(commands.clone() + &scene.account("a", &with)));
    user.start_foreground();
    let pid = user.pid().unwrap();
    if !is_possible(pid) {
        return;
    }
    let helper = Pid::from_raw(helper.wait_for_lines(1)[0].parse().unwrap());

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
