//! Logins: beginning them, what the browser or the provider answers, and how they end.

use std::time::Duration;

use crate::clock::{Moment, Now};
use crate::config::{AccountName, GrantType};
use crate::oauth::authorize::{AuthorizationRequest, Callback};
use crate::oauth::device::PollFailure;
use crate::oauth::token::{Failure, Grant};
use crate::protocol;
use crate::secret::{AuthState, DeviceCode};
use crate::vault::Vault;
use crate::vault::answer::{Beginning, LoggedIn, LoginEnd, Offered, Returned, Shown, WentWrong};
use crate::vault::entry::{Entry, digest};
use crate::vault::order::{Order, Outcome, Task, Ticket};
use crate::vault::token::{Login, Pending, Renewal, TokenState};
use crate::vault::transition::{Input, Prepared};

impl Vault {
    /// Starts a login with a browser that comes back, unless one is under way or there is no need
    /// of one, and says what `show` gets from then on.
    pub fn authorize(
        &mut self,
        name: &str,
        request: AuthorizationRequest,
        now: Moment,
    ) -> Outcome<Option<Shown>> {
        self.begin(name, Input::Authorize(request), now)
    }

    /// The same for a login by `grant` that the provider has to be asked about first.
    pub fn prepare(&mut self, name: &str, grant: GrantType, now: Moment) -> Outcome<Option<Shown>> {
        self.begin(name, Input::Prepare(grant), now)
    }

    /// The same for a client that asks for itself.
    pub fn obtain(&mut self, name: &str, now: Moment) -> Outcome<Option<Shown>> {
        self.begin(name, Input::Obtain, now)
    }

    fn begin(&mut self, name: &str, input: Input, now: Moment) -> Outcome<Option<Shown>> {
        let orders = self.apply(name, input, now);
        let shown = self.entries.get(name).map(|entry| match &entry.state {
            // A token that is carried along is no answer to somebody who wants a new login.
            TokenState::Pending(pending) => Shown::Login(pending.login.place()),
            _ => entry.shown(Duration::ZERO, now),
        });
        (shown, orders)
    }

    /// Whether somebody who sits in front of it can be offered a login. `None` where there is no
    /// such account.
    pub fn beginning(&mut self, name: &str, now: Now) -> Outcome<Option<Beginning>> {
        let orders = self.settle(name, now.moment);
        let beginning = self.entries.get(name).map(|entry| match &entry.state {
            TokenState::Active(active) if active.renewal.is_some() => {
                Beginning::Needless(entry.logged_in(now))
            }
            TokenState::Expired(_) => Beginning::Needless(None),
            TokenState::Exchanging(_) => Beginning::Exchanging,
            _ => Beginning::Free,
        });
        (beginning, orders)
    }

    /// What the user has to do for the login that is wanted of this account.
    #[must_use]
    pub fn offered(&self, name: &str, now: Now) -> Offered {
        let Some(entry) = self.entries.get(name) else {
            return Offered::No(given_up());
        };
        match &entry.state {
            TokenState::Preparing(_) => Offered::NotYet,
            TokenState::Pending(pending) => Offered::Yes(entry.offer(pending, now)),
            _ => Offered::No(entry.went_wrong().unwrap_or_else(given_up)),
        }
    }

    /// Takes in what the provider said of how the user can log in.
    pub fn prepared(
        &mut self,
        ticket: &Ticket,
        result: Result<Prepared, Failure>,
        now: Moment,
    ) -> Vec<Order> {
        let Some(entry) = self.current(ticket).filter(|entry| entry.awaits(ticket)) else {
            return Vec::new();
        };
        let reason = result.as_ref().err().map(|failure| failure.reason.clone());
        let before = entry.last_error.as_ref().map(|error| error.reason.clone());
        let told_before = reason.is_some() && reason == before;
        self.answered(ticket, reason, now);
        let mut orders = self.apply(ticket.account.as_str(), Input::Prepared(result), now);
        // Whoever asks for the token every minute is not to be told every minute.
        orders.retain(|order| !(told_before && matches!(order.task, Task::Report(_))));
        orders
    }

    /// The device code to ask with; `None` where the login has been overtaken by events.
    #[must_use]
    pub fn device_code(&self, ticket: &Ticket) -> Option<DeviceCode> {
        let entry = self.current(ticket).filter(|entry| entry.awaits(ticket))?;
        match &entry.state {
            TokenState::Pending(Pending {
                login: Login::Device(login),
                ..
            }) => Some(login.device_code.duplicate()),
            _ => None,
        }
    }

    /// Takes in whether the user has typed the code in.
    pub fn polled(
        &mut self,
        ticket: &Ticket,
        result: Result<Grant, PollFailure>,
        now: Moment,
    ) -> Vec<Order> {
        if !self
            .current(ticket)
            .is_some_and(|entry| entry.awaits(ticket))
        {
            return Vec::new();
        }
        let reason = match &result {
            Err(PollFailure::Failed(failure)) => Some(failure.reason.clone()),
            _ => None,
        };
        self.answered(ticket, reason, now);
        self.apply(ticket.account.as_str(), Input::Polled(result), now)
    }

    /// Whose login this `state` belongs to.
    #[must_use]
    pub fn login_of(&self, state: &AuthState) -> Option<&AccountName> {
        self.logins.get(&digest(state))
    }

    /// The browser came back. `is_https` and `path` say where to: it must be where the account's
    /// redirect URI points. The same path over the other scheme is another redirect URI, and one of
    /// them can be listened in on (RFC 9700 section 2.1).
    pub fn callback(
        &mut self,
        is_https: bool,
        path: &str,
        callback: Callback,
        now: Moment,
    ) -> Outcome<Returned> {
        let found = self.login_of(&callback.state).cloned();
        let Some((name, entry)) =
            found.and_then(|name| self.entries.get(&name).map(|entry| (name, entry)))
        else {
            return (Returned::Unknown, Vec::new());
        };
        let redirect_uri = &entry.account.authority.redirect_uri;
        if redirect_uri.path() != path || redirect_uri.is_https() != is_https {
            return (Returned::Unknown, Vec::new());
        }
        let orders = self.apply(name.as_str(), Input::Callback(callback), now);
        let returned = match self.entries.get(&name) {
            Some(entry) if matches!(entry.state, TokenState::Exchanging(_)) => {
                Returned::Accepted(entry.ticket())
            }
            Some(entry) => Returned::Refused(name, entry.reason("the login was given up")),
            None => Returned::Unknown,
        };
        (returned, orders)
    }

    /// How the exchange of this ticket ended; `None` while it is under way.
    #[must_use]
    pub fn logged_in(&self, ticket: &Ticket) -> Option<LoggedIn> {
        let Some(entry) = self.entries.get(ticket.account.as_str()) else {
            return Some(LoggedIn::No("the account is no longer configured".into()));
        };
        match &entry.state {
            TokenState::Exchanging(_) if entry.awaits(ticket) => None,
            // A failed exchange leaves the generation alone, and a token that was carried along.
            TokenState::Active(active) if entry.generation != ticket.generation => {
                Some(LoggedIn::Yes(active.access.expires))
            }
            _ => Some(LoggedIn::No(entry.reason("the login was given up"))),
        }
    }

    /// How the login of this number ended.
    #[must_use]
    pub fn login_end(&self, name: &str, login: u64, now: Now) -> LoginEnd {
        let Some(entry) = self.entries.get(name) else {
            return LoginEnd::No("the account is no longer configured".into());
        };
        let waits = matches!(
            entry.state,
            TokenState::Pending(_) | TokenState::Exchanging(_)
        );
        if waits && entry.generation == login {
            return LoginEnd::NotYet;
        }
        match entry
            .logged_in(now)
            .filter(|_| entry.logged_in == Some(login))
        {
            Some(logged_in) => LoginEnd::Yes(logged_in),
            None => LoginEnd::No(entry.reason("the login was given up")),
        }
    }
}

impl Entry {
    fn reason(&self, otherwise: &str) -> String {
        let error = self.last_error.as_ref();
        error.map_or_else(|| otherwise.into(), |error| error.reason.clone())
    }

    fn offer(&self, pending: &Pending, now: Now) -> protocol::LoginOffer {
        let place = pending.login.place();
        let (device, redirect_port) = match &pending.login {
            Login::Browser(request) => (None, port(&request.redirect_uri)),
            Login::Device(login) => (Some(login), None),
        };
        protocol::LoginOffer {
            account: self.account.name.to_string(),
            logged_in_until: None,
            login: self.generation,
            url: place.url,
            user_code: place.user_code,
            url_with_code: device.and_then(|login| login.verification_uri_complete.clone()),
            code_expires_at: device.map(|login| now.wall_time_of(login.expires).to_string()),
            redirect_port,
            device_is_possible: false,
        }
    }

    fn logged_in(&self, now: Now) -> Option<protocol::LoggedIn> {
        let access = self.state.access()?;
        Some(protocol::LoggedIn {
            account: self.account.name.to_string(),
            expires_at: now.wall_time_of(access.expires).to_string(),
            refreshable: self
                .state
                .renewal()
                .and_then(Renewal::refresh_token)
                .is_some(),
            granted_scope: access.scope.clone(),
        })
    }
}

fn given_up() -> WentWrong {
    WentWrong {
        reason: "the login was given up".into(),
        passing: false,
    }
}

fn port(redirect_uri: &str) -> Option<u16> {
    url::Url::parse(redirect_uri).ok()?.port_or_known_default()
}
