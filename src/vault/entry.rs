//! One account in the vault: its configuration, its state, and what follows from both.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::mem::Discriminant;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::clock::Moment;
use crate::config::{Account, Config, GrantType};
use crate::secret::{AuthState, RefreshToken};
use crate::vault::answer::{Shown, WentWrong};
use crate::vault::order::{Order, Task, Ticket};
use crate::vault::spent::Spent;
use crate::vault::token::{Active, Attempt, Login, Means, Pending, Policy, Renewal, TokenState};
use crate::vault::transition::{Effect, Trouble};

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) account: Arc<Account>,
    pub(super) policy: Policy,
    pub(super) state: TokenState,
    /// Changes when the meaning of the state does; see [`Ticket`].
    pub(super) generation: u64,
    /// The request to the provider that is under way, if one is.
    pub(super) request: Option<u64>,
    /// As the schedule has it.
    pub(super) deadline: Option<Moment>,
    pub(super) last_error: Option<LastError>,
    pub(super) spent: Spent,
    /// The generation of the login that brought the tokens at hand.
    pub(super) logged_in: Option<u64>,
}

/// See [`Entry::outline`].
type Outline = (
    u64,
    Discriminant<TokenState>,
    Option<Attempt>,
    Option<Moment>,
);

/// What went wrong last, since the last success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LastError {
    pub(super) at: Moment,
    pub(super) reason: String,
    /// Whether it may pass, and a person was not told.
    pub(super) passing: bool,
}

impl Entry {
    /// Whether a refresh waits for another try, and has not heard since the last one that the way
    /// may be clear.
    pub(super) fn is_failing(&self) -> bool {
        let attempt = self.state.renewal().map(|renewal| renewal.attempt);
        matches!(attempt, Some(Attempt::Backoff { failures, .. }) if failures.streak > 0)
    }

    pub(super) fn ticket(&self) -> Ticket {
        Ticket {
            account: self.account.name.clone(),
            generation: self.generation,
            request: self.request,
        }
    }

    /// Whether the request of this ticket is the one that is under way.
    pub(super) fn awaits(&self, ticket: &Ticket) -> bool {
        self.request.is_some() && self.request == ticket.request
    }

    /// Takes note that `next` is about to take the place of the refresh token at hand.
    pub(super) fn replace_refresh_token(&mut self, next: Option<&RefreshToken>) {
        let Some(held) = self.state.renewal().and_then(Renewal::refresh_token) else {
            return;
        };
        if next.is_some_and(|next| next != held) {
            self.spent.add(held.expose());
        }
    }

    pub(super) fn order(&self, task: Task) -> Order {
        Order {
            ticket: self.ticket(),
            account: Arc::clone(&self.account),
            task,
        }
    }

    /// What differs where those who wait for a change would see one.
    pub(super) fn outline(&self) -> Outline {
        (
            self.generation,
            std::mem::discriminant(&self.state),
            self.state.renewal().map(|renewal| renewal.attempt),
            self.deadline,
        )
    }

    /// The digest of the `state` that a login waits for.
    pub(super) fn login(&self) -> Option<[u8; 32]> {
        match &self.state {
            TokenState::Pending(Pending {
                login: Login::Browser(request),
                ..
            }) => Some(digest(&request.state)),
            _ => None,
        }
    }

    /// What `show` gets that wants a token which is valid for `min_valid` from `now` on.
    pub(super) fn shown(&self, min_valid: Duration, now: Moment) -> Shown {
        let reason = || self.last_error.as_ref().map(|error| error.reason.clone());
        if let Some(access) = self.state.access()
            && now + min_valid <= access.expires
        {
            return Shown::Token(access.token.duplicate());
        }
        let halted = |renewal: &Renewal| renewal.attempt == Attempt::Halted;
        match &self.state {
            TokenState::Preparing(_) => Shown::Preparing(reason()),
            TokenState::Pending(pending) => Shown::Login(pending.login.place()),
            TokenState::Exchanging(_) => Shown::Exchanging,
            TokenState::Expired(renewal) if halted(renewal) => Shown::Halted(reason()),
            TokenState::Expired(Renewal {
                means: Means::ClientCredentials,
                ..
            }) => Shown::Obtaining(reason()),
            TokenState::Expired(_) => Shown::Expired(reason()),
            TokenState::Active(Active {
                renewal: Some(renewal),
                access,
            }) => {
                let lifetime = access.expires.since(access.obtained);
                match lifetime < min_valid {
                    true => Shown::NeverThatLong(lifetime),
                    false if halted(renewal) => Shown::Halted(reason()),
                    false => Shown::TooShort(reason()),
                }
            }
            TokenState::Empty | TokenState::Active(_) => Shown::Nothing(self.went_wrong()),
        }
    }

    pub(super) fn went_wrong(&self) -> Option<WentWrong> {
        self.last_error.as_ref().map(|error| WentWrong {
            reason: error.reason.clone(),
            passing: error.passing,
        })
    }

    /// An effect, with what it needs of this account. `None` where nobody else has to do anything.
    pub(super) fn task(&self, effect: Effect) -> Option<Task> {
        match effect {
            Effect::Supersede => None,
            Effect::Exchange(exchange) => Some(Task::Exchange(exchange)),
            Effect::Refresh => Some(Task::Refresh),
            Effect::Prepare(grant) => Some(Task::Prepare(grant)),
            Effect::Poll => Some(Task::Poll),
            Effect::Remind => match &self.state {
                TokenState::Pending(pending) => Some(Task::Remind(pending.login.place())),
                _ => None,
            },
            Effect::Report(trouble) => Some(Task::Report(self.report(&trouble))),
            Effect::Announce(event) => Some(Task::Announce(event)),
            Effect::Probe => Some(Task::Probe),
            Effect::Reauthorize => Some(Task::Reauthorize),
        }
    }

    /// What a person is told of a trouble.
    fn report(&self, trouble: &Trouble) -> String {
        let name = &self.account.name;
        match trouble {
            Trouble::LoginRefused(reason) => {
                format!("the provider refused the login of account '{name}': {reason}")
            }
            Trouble::LoginFailed(reason) => {
                format!("the login of account '{name}' failed: {reason}")
            }
            Trouble::LoginGone(reason) => {
                format!(
                    "the provider has ended the login of account '{name}' ({reason}): log in again"
                )
            }
            Trouble::LoginGivenUp => {
                format!(
                    "transient_error_if_cmd has given up the login of account '{name}': log in again"
                )
            }
            Trouble::Misconfigured(reason) => format!(
                "the provider refuses to refresh the token of account '{name}' ({reason}): \
                 correct the configuration and run 'pizauth reload'"
            ),
            Trouble::StillFailing => {
                let reason = self
                    .last_error
                    .as_ref()
                    .map_or(String::new(), |error| format!(" ({})", error.reason));
                format!(
                    "the token of account '{name}' has expired and cannot be refreshed at the \
                     moment{reason}: trying again until it can"
                )
            }
        }
    }
}

pub(super) fn policy(config: &Config, account: &Account) -> Policy {
    let mut hasher = DefaultHasher::new();
    account.name.hash(&mut hasher);
    Policy {
        refresh: account.refresh,
        remind_every: remind_every(config),
        // Without a login there is none to be given up.
        probes: account.transient_error_if_cmd.is_some() && !asks_for_itself(account),
        asks_for_itself: asks_for_itself(account),
        repeats_redirect_uri: account.dialect.redirect_uri_on_refresh,
        spread: hasher.finish(),
    }
}

/// Whether the client of this account needs no user.
pub(super) fn asks_for_itself(account: &Account) -> bool {
    account.authority.grant == GrantType::ClientCredentials
}

/// The state of an account of which nothing is known: a client that asks for itself does so at
/// once.
pub(super) fn initial(account: &Account) -> TokenState {
    if !asks_for_itself(account) {
        return TokenState::Empty;
    }
    let long_ago = Moment::from_millis(0);
    TokenState::Expired(Renewal::idle(Means::ClientCredentials, long_ago))
}

/// How often to remind: never, where no command would be run for it.
fn remind_every(config: &Config) -> Option<Duration> {
    config
        .auth_notify_cmd
        .as_ref()
        .map(|_| config.auth_notify_interval)
}

pub(super) fn digest(state: &AuthState) -> [u8; 32] {
    Sha256::digest(state.expose()).into()
}
