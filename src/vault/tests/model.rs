//! Random histories of a whole vault against a model of a provider, with the invariants checked
//! after every step. `PIZAUTH_MODEL_SEEDS` sets how many histories are tried (and
//! `PIZAUTH_MODEL_FIRST` the first one's seed, to repeat one).

mod changes;

use std::collections::HashMap;
use std::time::Duration;

use super::invariants;
use super::job::{Answer, Job, Kind};
use super::provider::{Provider, Random};
use crate::clock::{Moment, Now, Timestamp};
use crate::config::{Account, Config, GrantType};
use crate::oauth::token::{Failure, FailureKind, Grant};
use crate::vault::Vault;
use crate::vault::answer::{Returned, Shown};
use crate::vault::order::{Order, Task, Ticket};
use crate::vault::test_support::{
    account, callback, config, device_authorization, failure, refusal, request, secs,
};
use crate::vault::token::Means;
use crate::vault::transition::{Prepared, Probed};

/// The last two are logged in by a code, and not at all.
const ACCOUNTS: [&str; 6] = ["a", "b", "c", "d", "code", "own"];
const SEEDS: u64 = 60;
const STEPS: usize = 400;
const DAY: i64 = 86_400_000;
/// The greatest distance between the two clocks: some twenty years.
const ASTRAY: i64 = 7_300 * DAY;

pub(super) struct World {
    pub(super) vault: Vault,
    pub(super) now: Moment,
    jobs: Vec<Job>,
    /// Answers on their way: the job is over when one arrives, but it might arrive again.
    answers: Vec<(Job, Answer)>,
    random: Random,
    provider: Provider,
    config: Config,
    variants: HashMap<&'static str, Option<usize>>,
    /// How far the wall clock is off.
    astray: i64,
    dumps: Vec<String>,
    /// All `state`s that were ever given out.
    logins: Vec<String>,
    /// When which URL was last told, by account.
    told: HashMap<String, (String, Moment)>,
    /// Whose refresh token may go in this step.
    pub(super) may_lose: Vec<String>,
}

#[test]
fn random_histories() {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let first = number("PIZAUTH_MODEL_FIRST").unwrap_or(1);
    for seed in first..first + number("PIZAUTH_MODEL_SEEDS").unwrap_or(SEEDS) {
        let history = std::panic::catch_unwind(|| World::new(seed).run());
        assert!(history.is_ok(), "PIZAUTH_MODEL_FIRST={seed} repeats this");
    }
}

fn variant(name: &str, variant: usize) -> Account {
    let mut account = account(name);
    account.authority.client_id = format!("client {}", variant % 2);
    account.refresh.at_least = secs([5400, 60][variant / 2 % 2]);
    account.transient_error_if_cmd = (variant < 4).then(|| "decide".into());
    account.dialect.redirect_uri_on_refresh = name == "b";
    account.authority.grant = match name {
        "code" => GrantType::DeviceCode,
        "own" => GrantType::ClientCredentials,
        _ => GrantType::AuthorizationCode,
    };
    account
}

impl World {
    fn new(seed: u64) -> Self {
        let config = config(ACCOUNTS.map(|name| variant(name, 0)));
        Self {
            vault: Vault::new(&config),
            now: Moment::from_millis(1_000_000),
            jobs: Vec::new(),
            answers: Vec::new(),
            random: Random(seed),
            provider: Provider::default(),
            config,
            variants: ACCOUNTS.map(|name| (name, Some(0))).into(),
            astray: 0,
            dumps: Vec::new(),
            logins: Vec::new(),
            told: HashMap::new(),
            may_lose: Vec::new(),
        }
    }

    fn run(mut self) {
        for _ in 0..STEPS {
            let before = invariants::refresh_tokens(&self.vault);
            self.may_lose.clear();
            self.step();
            invariants::check(&self, &before);
        }
    }

    fn step(&mut self) {
        let name = self.random.pick(&ACCOUNTS);
        match self.random.below(25) {
            0..3 => self.show(name),
            3..5 => self.authorize(name),
            5..9 => self.come_back(),
            9..12 => self.send(),
            12..16 => self.deliver(),
            16..19 => self.pass_time(),
            19 => {
                let (_, orders) = self.vault.refresh(name, self.now);
                self.take(orders);
            }
            20 if self.random.once_in(3) => self.reload(),
            21 if self.random.once_in(3) => {
                self.may_lose.push(name.into());
                let (_, orders) = self.vault.revoke(name, self.now);
                self.take(orders);
            }
            22 => self.dump(),
            23 => self.restore(),
            24 => self.replace(),
            _ => self.tick(),
        }
    }

    /// All that has been ordered and has not been answered.
    pub(super) fn requests(&self) -> impl Iterator<Item = (&Ticket, &Kind)> {
        let sent = self.answers.iter().map(|(job, _)| job);
        let jobs = self.jobs.iter().chain(sent);
        jobs.map(|job| (&job.ticket, &job.kind))
    }

    fn clocks(&self) -> Now {
        let wall = 1_700_000_000_000 + self.now.as_millis() + self.astray;
        Now {
            moment: self.now,
            wall: Timestamp::from_millisecond(wall).unwrap(),
        }
    }

    fn take(&mut self, orders: Vec<Order>) {
        for order in orders {
            let ticket = order.ticket;
            match order.task {
                Task::Exchange(_) => self.order(ticket, Kind::Exchange),
                Task::Refresh => self.order(ticket, Kind::Refresh(None)),
                Task::Probe => self.order(ticket, Kind::Probe),
                Task::Prepare(grant) => self.order(ticket, Kind::Prepare(grant)),
                Task::Poll => self.order(ticket, Kind::Poll),
                Task::Remind(place) => self.told(
                    ticket.account().as_str(),
                    format!("{} {:?}", place.url, place.user_code),
                ),
                Task::Reauthorize => self.authorize(ticket.account().as_str()),
                Task::Report(_) | Task::Announce(_) => {}
            }
        }
    }

    fn order(&mut self, ticket: Ticket, kind: Kind) {
        self.jobs.push(Job { ticket, kind });
    }

    fn told(&mut self, name: &str, url: String) {
        assert!(self.config.auth_notify_cmd.is_some());
        if let Some((last, when)) = self.told.get(name)
            && *last == url
        {
            let earliest = *when + self.config.auth_notify_interval;
            assert!(self.now >= earliest, "{name} was reminded early");
        }
        self.told.insert(name.into(), (url, self.now));
    }

    fn show(&mut self, name: &str) {
        let min_valid = Duration::from_secs(self.random.pick(&[0, 0, 60, 7200]));
        let (shown, orders) = self.vault.show(name, min_valid, self.now);
        if matches!(shown, Some(Shown::Token(_))) {
            let access = self.vault.entries[name].state.access().unwrap();
            assert!(access.expires > self.now, "{name}: a stale token was shown");
            assert!(access.expires >= self.now + min_valid, "{name}: too short");
        }
        self.take(orders);
    }

    fn authorize(&mut self, name: &str) {
        let configured = variant(name, 0).authority.grant;
        let grant = match self.random.below(6) {
            0 if configured == GrantType::AuthorizationCode => GrantType::DeviceCode,
            _ => configured,
        };
        let before = invariants::login_place(&self.vault, name, grant);
        let (shown, orders) = match grant {
            GrantType::ClientCredentials => self.vault.obtain(name, self.now),
            GrantType::AuthorizationCode if !self.random.once_in(4) => {
                let state = format!("state-{}", self.random.next());
                self.logins.push(state.clone());
                self.vault.authorize(name, request(&state), self.now)
            }
            _ => self.vault.prepare(name, grant, self.now),
        };
        if let (Some(place), Some(shown)) = (before, shown) {
            assert_eq!(shown, Shown::Login(place), "{name}: a second prompt");
        }
        self.take(orders);
    }

    /// A browser comes back, often with something that is no good.
    fn come_back(&mut self) {
        if self.logins.is_empty() {
            return;
        }
        let nth = self.logins.len() - 1 - self.random.below(self.logins.len().min(8));
        let state = self.logins[nth].clone();
        let path = if self.random.once_in(8) { "/" } else { "/back" };
        let callback = match self.random.below(8) {
            0 => callback("made up"),
            1 => refusal(&state),
            _ => callback(&state),
        };
        let awaited = path == "/back" && invariants::awaits_login(&self.vault, &callback.state);
        let before = format!("{:?}", self.vault);
        let (returned, orders) = self.vault.callback(false, path, callback, self.now);
        assert_eq!(returned != Returned::Unknown, awaited);
        if !awaited {
            assert_eq!(before, format!("{:?}", self.vault));
        }
        self.take(orders);
    }

    /// The turn of some request has come.
    fn send(&mut self) {
        if self.jobs.is_empty() {
            return;
        }
        let nth = self.random.below(self.jobs.len());
        let ticket = self.jobs[nth].ticket.clone();
        let answer = match self.jobs[nth].kind {
            Kind::Probe => {
                self.jobs.swap_remove(nth);
                return self.probed(&ticket);
            }
            Kind::Exchange => Answer::Token(self.provider.exchange(&mut self.random)),
            Kind::Prepare(grant) => Answer::Prepared(self.prepare(grant)),
            Kind::Poll if self.vault.device_code(&ticket).is_some() => {
                Answer::Polled(self.provider.poll(&mut self.random))
            }
            Kind::Refresh(_) if let Some(means) = self.vault.means(&ticket) => {
                Answer::Token(self.refresh(nth, &ticket, &means))
            }
            Kind::Poll | Kind::Refresh(_) => {
                self.jobs.swap_remove(nth);
                return;
            }
        };
        let job = self.jobs.swap_remove(nth);
        self.answers.push((job, answer));
    }

    fn prepare(&mut self, grant: GrantType) -> Result<Prepared, Failure> {
        if self.random.once_in(4) {
            let kind = match self.random.below(2) {
                0 => FailureKind::Misconfigured,
                _ => FailureKind::Passing { retry_after: None },
            };
            return Err(failure(kind));
        }
        let name = format!("state-{}", self.random.next());
        if grant == GrantType::DeviceCode {
            return Ok(Prepared::Device(device_authorization(&name)));
        }
        self.logins.push(name.clone());
        Ok(Prepared::Browser(request(&name)))
    }

    fn refresh(&mut self, nth: usize, ticket: &Ticket, means: &Means) -> Result<Grant, Failure> {
        let Means::RefreshToken(login) = means else {
            let name = ticket.account().as_str();
            assert_eq!(name, "own");
            return self.provider.grant_itself(&mut self.random);
        };
        let token = login.refresh_token.expose().to_owned();
        self.jobs[nth].kind = Kind::Refresh(Some(token.clone()));
        let name = ticket.account().as_str();
        self.provider.refresh(name, &token, &mut self.random)
    }

    fn probed(&mut self, ticket: &Ticket) {
        let gone = self.random.once_in(3);
        let probed = if gone { Probed::Gone } else { Probed::Passing };
        if gone && self.vault.current(ticket).is_some() {
            self.may_lose.push(ticket.account().to_string());
        }
        for _ in 0..=self.random.below(2) {
            let orders = self.vault.probe_done(ticket, probed, self.now);
            self.take(orders);
        }
    }

    /// Some answer arrives: not in the order of the requests, and perhaps twice.
    fn deliver(&mut self) {
        if self.answers.is_empty() {
            return;
        }
        let nth = self.random.below(self.answers.len());
        let (job, result) = self.answers.swap_remove(nth);
        let name = job.ticket.account().to_string();
        let awaited = self.vault.current(&job.ticket).is_some()
            && self.vault.entries[name.as_str()].awaits(&job.ticket);
        if awaited {
            self.may_lose.push(name);
        } else if let Kind::Refresh(Some(token)) = &job.kind {
            self.provider.excuse(token);
        }
        if self.random.once_in(4) {
            self.answers.push((job.again(), result.copy()));
        }
        self.answer(&job, result, awaited);
    }

    fn answer(&mut self, job: &Job, answer: Answer, awaited: bool) {
        let before = format!("{:?}", self.vault);
        let (ticket, now) = (&job.ticket, self.now);
        let orders = match (&job.kind, answer) {
            (Kind::Exchange, Answer::Token(result)) => {
                self.vault.exchange_done(ticket, result, now)
            }
            (_, Answer::Token(result)) => self.vault.refresh_done(ticket, result, now),
            (_, Answer::Prepared(result)) => self.vault.prepared(ticket, result, now),
            (_, Answer::Polled(result)) => self.vault.polled(ticket, result, now),
        };
        if !awaited {
            assert_eq!(
                before,
                format!("{:?}", self.vault),
                "a stale result counted"
            );
            assert!(orders.is_empty());
        }
        self.take(orders);
    }

    fn pass_time(&mut self) {
        let longest = self
            .random
            .pick(&[2_000, 60_000, 60_000, DAY / 12, DAY, 300 * DAY]);
        let jump = self.random.next() % longest.cast_unsigned();
        self.now = Moment::from_millis(self.now.as_millis() + jump.cast_signed());
        if self.random.once_in(30) {
            let anywhere = self.random.next() % (2 * ASTRAY).cast_unsigned();
            self.astray = anywhere.cast_signed() - ASTRAY;
        } else if self.random.once_in(4) {
            // Clocks drift.
            self.astray += self.random.pick(&[-60_000, -1, 1, 60_000]);
        }
        if self.random.once_in(10) {
            let orders = self.vault.woken_up(self.now);
            self.take(orders);
        }
        if self.random.once_in(2) {
            self.tick();
        }
    }

    fn tick(&mut self) {
        let orders = self.vault.tick(self.now);
        let next = self.vault.next_deadline();
        assert!(
            next.is_none_or(|next| next > self.now),
            "still due: {next:?}"
        );
        self.take(orders);
    }
}
