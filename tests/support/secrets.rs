//! What the tests that look for secrets in memory have in common: a provider whose secrets look like
//! nothing else, and what is to be found of them.

use std::cell::RefCell;
use std::time::Duration;

use nix::unistd::Pid;

use super::attack::Random;
use super::browser::{back, field};
use super::scan::{Secret, Trace, is_possible, traces};
use super::{Answer, DEADLINE, Gate, Pizauth, Provider, Record, now, tls, visit};

/// A provider whose tokens look like nothing else, with TLS in front of it where that is wanted.
pub struct Scene {
    pub provider: Provider,
    /// Where it is asked.
    pub origin: String,
    random: RefCell<Random>,
}

/// What a provider answered with.
pub struct Tokens {
    pub access: String,
    pub refresh: String,
}

impl Scene {
    pub fn new(tls: bool) -> Self {
        let provider = Provider::start();
        let origin = match tls {
            true => format!(
                "https://{}",
                super::tls_front::in_front_of(provider.address())
            ),
            false => format!("http://{}", provider.address()),
        };
        Self {
            provider,
            origin,
            random: RefCell::new(Random(0x5eed_0fac_c1de)),
        }
    }

    pub fn account(&self, name: &str, more: &str) -> String {
        format!(
            "account \"{name}\" {{ auth_uri = \"{0}/authorize\"; token_uri = \"{0}/token\"; \
             client_id = \"mail\"; ca_file = \"{1}\"; {more} }}\n",
            self.origin,
            super::tls_front::ca_file().display()
        )
    }

    pub fn secret(&self, length: usize) -> String {
        const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let mut random = self.random.borrow_mut();
        (0..length)
            .map(|_| char::from(LETTERS[random.below(LETTERS.len())]))
            .collect()
    }

    /// Has the next request answered with tokens.
    pub fn grant(&self, length: usize) -> Tokens {
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
    pub fn log_in(&self, user: &Pizauth, account: &str) -> Vec<Secret> {
        let url = user.url(account);
        let (code, state) = (self.secret(300), field(&url, "state").unwrap());
        let url = back(&url, &format!("code={code}&state={state}"));
        let page = match url.starts_with("https:") {
            true => tls::visit(user, &url),
            false => visit(&url),
        };
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

/// Settings that have the helper tell its process, and take part in logins: what they are told of
/// those goes through the helper.
pub fn commands(user: &Pizauth) -> String {
    format!(
        "startup_cmd = {};\nauth_notify_cmd = {};\npersist_cmd = \"cat >/dev/null\";\n",
        Record::new(user, "helper").command("$PPID"),
        notified(user).command("$PIZAUTH_URL $PIZAUTH_CODE")
    )
}

/// What the user was notified of.
pub fn notified(user: &Pizauth) -> Record {
    Record::new(user, "notified")
}

/// The server's process and its helper's, with those settings; `None` where one may not look into
/// them.
#[track_caller]
pub fn processes(user: &Pizauth) -> Option<(Pid, Pid)> {
    let server = user.pid().unwrap();
    let helper = &Record::new(user, "helper").wait_for_lines(1)[0];
    let name = std::fs::read_to_string(format!("/proc/{helper}/comm")).unwrap();
    assert_eq!(name, "pizauth-helper\n");
    is_possible(server).then_some((server, Pid::from_raw(helper.parse().unwrap())))
}

pub fn secret(name: &'static str, text: impl Into<String>) -> Secret {
    let text = text.into();
    Secret { name, text }
}

/// What the server does with tokens all day.
pub fn use_tokens(user: &Pizauth, account: &str) {
    for _ in 0..3 {
        user.token(account);
        user.run(&["status", "--json"]).expect(0);
        let dump = user.run(&["dump"]).expect(0).out;
        user.run_with_input(&["restore"], &dump).expect(0);
    }
}

/// Workers end a moment after what they did is seen.
#[track_caller]
pub fn wait_for_nothing(pid: Pid, secrets: &[Secret]) {
    wait_for_traces(pid, secrets, |found| found.is_empty());
}

/// It is there, once and whole. Shows, too, that the search finds what is there.
#[track_caller]
pub fn wait_for_one(pid: Pid, secret: &Secret) {
    let secrets = std::slice::from_ref(secret);
    // The ends may be cut off, since pieces of a few letters are not found.
    wait_for_traces(pid, secrets, |found| {
        found.len() == 1 && found[0].length + 16 > secret.text.len()
    });
}

/// Each is there once and whole, or not at all.
#[track_caller]
pub fn wait_for_one_of_each(pid: Pid, secrets: &[Secret]) {
    wait_for_traces(pid, secrets, |found| {
        let count = |name| found.iter().filter(|trace| trace.name == name).count();
        secrets.iter().all(|secret| count(secret.name) <= 1)
    });
}

#[track_caller]
fn wait_for_traces(pid: Pid, secrets: &[Secret], are_fine: impl Fn(&[Trace]) -> bool) {
    let start = now();
    loop {
        let found = traces(pid, secrets);
        if are_fine(&found) {
            return;
        }
        let count = found.len();
        assert!(start.elapsed() < DEADLINE, "{count} traces: {found:?}");
        Gate::default().pass_within(Duration::from_millis(20));
    }
}
