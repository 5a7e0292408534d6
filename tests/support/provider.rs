//! A provider on a free loopback port: it behaves like a good one until it is told otherwise, and
//! keeps a record of what it is asked.

mod answer;
mod http;
mod ledger;

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

pub use self::answer::{Answer, Gate};
pub use self::http::Request;
use self::ledger::Ledger;
use super::ports::free_port;
use super::wait::{wait_for, wait_until};

/// Decides about a request; `None` leaves it to the next one.
type Rule = Box<dyn Fn(&Request) -> Option<Answer> + Send>;

/// The provider. What it hangs on to is let go of when it is dropped.
pub struct Provider {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    ledger: Ledger,
    /// The answers to the next requests.
    script: Vec<Answer>,
    /// Answers all requests that the script does not.
    rule: Option<Rule>,
    requests: Vec<Request>,
    /// Held back until the provider behaves, or goes.
    gates: Vec<Gate>,
    /// Whether nobody listens.
    down: bool,
}

impl Provider {
    /// A provider that is up.
    pub fn start() -> Self {
        // To be taken again where it goes down and comes back.
        let listener = TcpListener::bind(("127.0.0.1", free_port())).unwrap();
        let provider = Self {
            address: listener.local_addr().unwrap(),
            state: Arc::default(),
        };
        provider.lock().ledger.lifetime = Some(3600);
        provider.serve(listener);
        provider
    }

    fn serve(&self, listener: TcpListener) {
        let state = Arc::clone(&self.state);
        let accept = move || {
            for stream in listener.incoming().filter_map(Result::ok) {
                if lock(&state).down {
                    return;
                }
                let state = Arc::clone(&state);
                let serve = move || http::serve(&stream, |request| State::answer(&state, request));
                thread::Builder::new().spawn(serve).unwrap();
            }
        };
        thread::Builder::new().spawn(accept).unwrap();
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its authorisation endpoint, which nobody need visit: see [`Self::consent`].
    pub fn auth_uri(&self) -> String {
        format!("http://{}/authorize", self.address)
    }

    /// Its token endpoint.
    pub fn token_uri(&self) -> String {
        format!("http://{}/token", self.address)
    }

    /// An account at this provider as the configuration file has it, with `more` in it.
    pub fn account(&self, name: &str, more: &str) -> String {
        format!(
            "account {} {{\n    auth_uri = \"{}\";\n    token_uri = \"{}\";\n    \
             client_id = \"mail\";\n    scopes = [\"mail.read\", \"mail.send\"];\n    {more}\n}}\n",
            quoted(name),
            self.auth_uri(),
            self.token_uri()
        )
    }

    /// The user logs in and consents at `url`: where the browser is sent then.
    #[track_caller]
    pub fn consent(&self, url: &str) -> String {
        self.lock().ledger.consent(url)
    }

    /// Sets for how many seconds the access tokens of the time to come live; `None` leaves it out.
    pub fn set_lifetime(&self, seconds: Option<u64>) {
        self.lock().ledger.lifetime = seconds;
    }

    /// Makes refresh tokens good for one use.
    pub fn rotate(&self) {
        self.lock().ledger.rotates = true;
    }

    /// Makes the last spent refresh token good once more, in case that its successor was lost.
    pub fn forgive(&self) {
        self.lock().ledger.forgives = true;
    }

    /// Lets the next request, or the one after those that have an answer waiting, be answered
    /// with this.
    pub fn script(&self, answer: Answer) {
        self.lock().script.push(answer);
    }

    /// From now on, `rule` decides about each request that no script is waiting for; the
    /// provider's own answer goes where it returns `None`.
    pub fn rule(&self, rule: impl Fn(&Request) -> Option<Answer> + Send + 'static) {
        self.lock().rule = Some(Box::new(rule));
    }

    /// Answers by itself again.
    pub fn behave(&self) {
        let mut state = self.lock();
        state.rule = None;
        state.script.clear();
        state.gates.iter().for_each(Gate::open);
    }

    /// Listens no more: connections are refused.
    pub fn go_down(&self) {
        self.lock().down = true;
        // Wakes the thread that accepts, which lets go of the listener.
        wait_until("nobody listens", || {
            TcpStream::connect(self.address).is_err()
        });
    }

    /// Listens again.
    pub fn come_back(&self) {
        self.lock().down = false;
        self.serve(TcpListener::bind(self.address).unwrap());
    }

    /// Ends all logins: their refresh tokens get `invalid_grant` from now on.
    pub fn end_logins(&self) {
        self.lock().ledger.end_logins();
    }

    /// Answers nobody before [`Self::behave`].
    pub fn hang(&self) {
        let gate = self.gate();
        self.rule(move |_| Some(Answer::own().after(&gate)));
    }

    /// Answers no refresh before [`Self::behave`].
    pub fn hang_refreshes(&self) {
        let gate = self.gate();
        self.rule(move |request| {
            let refresh = request.field("grant_type") == Some("refresh_token");
            refresh.then(|| Answer::own().after(&gate))
        });
    }

    /// A gate that opens at the latest when the provider goes.
    pub fn gate(&self) -> Gate {
        let gate = Gate::default();
        self.lock().gates.push(gate.clone());
        gate
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.lock().requests.clone()
    }

    /// The refreshes so far.
    pub fn refreshes(&self) -> Vec<Request> {
        let mut requests = self.requests();
        requests.retain(|request| request.field("grant_type") == Some("refresh_token"));
        requests
    }

    /// Waits until there were at least `count` refreshes.
    #[track_caller]
    pub fn wait_for_refreshes(&self, count: usize) -> Vec<Request> {
        wait_for(&format!("{count} refreshes"), || {
            Some(self.refreshes()).filter(|requests| requests.len() >= count)
        })
    }

    /// What the client did that a provider would punish.
    pub fn faults(&self) -> Vec<String> {
        self.lock().ledger.faults.clone()
    }

    /// The access token that was handed out last.
    pub fn last_token(&self) -> String {
        self.lock().ledger.last_token.clone()
    }

    /// The refresh token that is good now, of the login that was last.
    pub fn refresh_token(&self) -> String {
        self.lock().ledger.last_refresh_token.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let state = self.lock();
        state.gates.iter().for_each(Gate::open);
        if !thread::panicking() {
            assert_eq!(state.ledger.faults, Vec::<String>::new());
        }
    }
}

impl State {
    /// What to answer; the request is on record from here on.
    fn answer(state: &Mutex<Self>, request: &Request) -> Answer {
        let mut this = lock(state);
        this.requests.push(request.clone());
        let scripted = (!this.script.is_empty()).then(|| this.script.remove(0));
        let ruled = || this.rule.as_ref().and_then(|rule| rule(request));
        let answer = scripted.or_else(ruled).unwrap_or_else(Answer::own);
        drop(this);
        let in_flight = lock(state).ledger.begin(request);
        answer.pass_gate();
        let mut this = lock(state);
        this.ledger.end(in_flight);
        if answer.is_own() {
            return this.ledger.answer(request).with_manner_of(&answer);
        }
        answer
    }
}

fn lock(state: &Mutex<State>) -> std::sync::MutexGuard<'_, State> {
    // A failed assertion in one thread is reported there.
    state
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// A string as the configuration file has it.
pub fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
