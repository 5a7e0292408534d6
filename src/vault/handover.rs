//! All that a vault knows, for a process that takes over from this one on the same machine.
//!
//! Unlike a dump, it is never kept: its times are moments of this boot, and logins that wait for
//! the user are in it. What was issued under another authority than the new process's
//! configuration has is left out, as at a reload.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::clock::Moment;
use crate::oauth::authorize::AuthorizationRequest;
use crate::oauth::endpoints::ExpectedIssuer;
use crate::secret::{AccessToken, AuthState, DeviceCode, RefreshToken, SecretText, Verifier};
use crate::vault::Vault;
use crate::vault::device::login::{DeviceLogin, Poll};
use crate::vault::entry::{Entry, LastError};
use crate::vault::order::{Order, Task};
use crate::vault::reload::Moved;
use crate::vault::snapshot::authority_digest;
use crate::vault::spent::Spent;
use crate::vault::token::{
    Access, Active, Attempt, Failures, Login, Means, Pending, RenewableLogin, Renewal, TokenState,
};
use crate::vault::transition::{Event, Input};

/// Why a vault cannot be handed over just now: an answer is awaited that may change it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy;

type Secret = Zeroizing<String>;

/// One account, between two processes.
#[derive(Serialize, Deserialize)]
struct Handed {
    account: String,
    authority: String,
    state: HandedState,
    spent: Spent,
    last_error: Option<(i64, String, bool)>,
    /// The number of a login that waits, and of the one that brought the tokens: whoever waits for
    /// its end asks the next server for it.
    #[serde(default)]
    login: u64,
    #[serde(default)]
    logged_in: Option<u64>,
}

#[derive(Serialize, Deserialize)]
enum HandedState {
    Empty,
    Pending {
        url: String,
        state: Secret,
        verifier: Secret,
        redirect_uri: String,
        issuer: Option<String>,
        issuer_promised: bool,
        told: i64,
        carried: Option<HandedAccess>,
    },
    Device {
        device_code: Secret,
        user_code: String,
        uri: String,
        uri_complete: Option<String>,
        expires: i64,
        interval_millis: u64,
        ask_at: i64,
        failures: u32,
        told: i64,
        carried: Option<HandedAccess>,
    },
    Active(HandedAccess, Option<HandedRenewal>),
    Expired(HandedRenewal),
}

#[derive(Serialize, Deserialize)]
struct HandedAccess {
    token: Secret,
    obtained: i64,
    expires: i64,
    scope: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct HandedRenewal {
    /// None for a client that asks for itself.
    refresh_token: Option<Secret>,
    redirect_uri: Option<String>,
    obtained: i64,
    attempt: HandedAttempt,
}

#[derive(Serialize, Deserialize)]
enum HandedAttempt {
    Idle,
    Backoff {
        until: i64,
        not_before: i64,
        count: u32,
        streak: u32,
    },
    Halted,
}

impl Vault {
    /// Everything, as a text that [`Self::take_over`] takes in another process.
    ///
    /// # Errors
    /// While an answer of a provider is awaited.
    pub fn hand_over(&self) -> Result<SecretText, Busy> {
        let handed: Vec<Handed> = self
            .entries_in_order()
            .map(hand)
            .collect::<Result<_, _>>()?;
        let text = serde_json::to_string(&handed).map_err(|_| Busy)?;
        Ok(SecretText::new(text))
    }

    /// Takes in what another process's vault knew. `moved` says which logins can no longer come
    /// back to where they were told to.
    ///
    /// # Errors
    /// Where the text is not what [`Self::hand_over`] makes; nothing is changed then.
    pub fn take_over(
        &mut self,
        text: &str,
        moved: impl Into<Moved>,
        now: Moment,
    ) -> Result<Vec<Order>, String> {
        // The error's own text may quote a secret.
        let handed: Vec<Handed> = serde_json::from_str(text)
            .map_err(|error| format!("its state cannot be read (column {})", error.column()))?;
        let moved = moved.into();
        let mut orders = Vec::new();
        for handed in handed {
            orders.extend(self.take_account(handed, moved, now));
        }
        Ok(orders)
    }

    fn take_account(&mut self, handed: Handed, moved: Moved, now: Moment) -> Vec<Order> {
        let name = handed.account.clone();
        let Some(entry) = self.entries.get_mut(name.as_str()) else {
            return Vec::new();
        };
        let state = TokenState::from(handed.state);
        // Whatever becomes of the rest: a dump may still have these.
        entry.spent = handed.spent;
        if authority_digest(&entry.account.authority) != handed.authority {
            let lost = state.holds_token();
            let announce = || entry.order(Task::Announce(Event::Invalidated));
            return lost.then(announce).into_iter().collect();
        }
        entry.state = state;
        if handed.login > 0 {
            entry.generation = handed.login;
            entry.logged_in = handed.logged_in;
            // None of the numbers that the other server gave is given to anything else.
            self.last_number = self.last_number.max(handed.login);
        }
        entry.last_error = handed.last_error.map(|(at, reason, passing)| LastError {
            at: Moment::from_millis(at),
            reason,
            passing,
        });
        let astray = moved.leads_astray(&entry.account.authority.redirect_uri);
        let login = entry.login();
        login.map(|digest| self.logins.insert(digest, entry.account.name.clone()));
        // From here on it is a new configuration like any other.
        let mut orders = self.apply(&name, Input::Reconfigured, now);
        if astray {
            orders.extend(self.apply(&name, Input::ListenerMoved, now));
        }
        orders
    }
}

fn hand(entry: &Entry) -> Result<Handed, Busy> {
    Ok(Handed {
        account: entry.account.name.to_string(),
        authority: authority_digest(&entry.account.authority),
        state: hand_state(&entry.state)?,
        spent: entry.spent.clone(),
        last_error: entry
            .last_error
            .as_ref()
            .map(|error| (error.at.as_millis(), error.reason.clone(), error.passing)),
        login: entry.generation,
        logged_in: entry.logged_in,
    })
}

fn hand_state(state: &TokenState) -> Result<HandedState, Busy> {
    Ok(match state {
        TokenState::Empty => HandedState::Empty,
        TokenState::Exchanging(_) | TokenState::Preparing(_) => return Err(Busy),
        TokenState::Pending(pending) => hand_login(pending)?,
        TokenState::Active(active) => HandedState::Active(
            hand_access(&active.access),
            active.renewal.as_ref().map(hand_renewal).transpose()?,
        ),
        TokenState::Expired(renewal) => HandedState::Expired(hand_renewal(renewal)?),
    })
}

fn hand_login(pending: &Pending) -> Result<HandedState, Busy> {
    let told = pending.told.as_millis();
    let carried = pending.carried.as_ref().map(hand_access);
    let login = match &pending.login {
        Login::Browser(request) => {
            return Ok(HandedState::Pending {
                url: request.url.clone(),
                state: secret(request.state.expose()),
                verifier: secret(request.verifier.expose()),
                redirect_uri: request.redirect_uri.clone(),
                issuer: request.issuer.identifier.clone(),
                issuer_promised: request.issuer.promised,
                told,
                carried,
            });
        }
        Login::Device(login) => login,
    };
    let Poll::Next { at, failures } = login.poll else {
        return Err(Busy);
    };
    Ok(HandedState::Device {
        device_code: secret(login.device_code.expose()),
        user_code: login.user_code.clone(),
        uri: login.verification_uri.clone(),
        uri_complete: login.verification_uri_complete.clone(),
        expires: login.expires.as_millis(),
        interval_millis: u64::try_from(login.interval.as_millis()).unwrap_or(u64::MAX),
        ask_at: at.as_millis(),
        failures,
        told,
        carried,
    })
}

fn secret(text: &str) -> Secret {
    Zeroizing::new(text.to_owned())
}

fn hand_access(access: &Access) -> HandedAccess {
    HandedAccess {
        token: secret(access.token.expose()),
        obtained: access.obtained.as_millis(),
        expires: access.expires.as_millis(),
        scope: access.scope.clone(),
    }
}

fn hand_renewal(renewal: &Renewal) -> Result<HandedRenewal, Busy> {
    Ok(HandedRenewal {
        refresh_token: renewal.refresh_token().map(|token| secret(token.expose())),
        redirect_uri: match &renewal.means {
            Means::RefreshToken(login) => login.redirect_uri.clone(),
            Means::ClientCredentials => None,
        },
        obtained: renewal.obtained.as_millis(),
        attempt: match renewal.attempt {
            Attempt::Idle => HandedAttempt::Idle,
            Attempt::InFlight(_) => return Err(Busy),
            // What the user's command finds out is lost: it is asked again at the next failure.
            Attempt::Backoff {
                until,
                not_before,
                failures,
            } => HandedAttempt::Backoff {
                until: until.as_millis(),
                not_before: not_before.as_millis(),
                count: failures.count,
                streak: failures.streak,
            },
            Attempt::Halted => HandedAttempt::Halted,
        },
    })
}

fn own(mut secret: Secret) -> String {
    std::mem::take(&mut *secret)
}

impl From<HandedState> for TokenState {
    fn from(handed: HandedState) -> Self {
        match handed {
            HandedState::Empty => Self::Empty,
            HandedState::Pending {
                url,
                state,
                verifier,
                redirect_uri,
                issuer,
                issuer_promised,
                told,
                carried,
            } => Self::Pending(Pending {
                login: Login::Browser(AuthorizationRequest {
                    url,
                    state: AuthState::new(own(state)),
                    verifier: Verifier::new(own(verifier)),
                    redirect_uri,
                    issuer: ExpectedIssuer {
                        identifier: issuer,
                        promised: issuer_promised,
                    },
                }),
                told: Moment::from_millis(told),
                carried: carried.map(Access::from),
            }),
            HandedState::Device {
                device_code,
                user_code,
                uri,
                uri_complete,
                expires,
                interval_millis,
                ask_at,
                failures,
                told,
                carried,
            } => Self::Pending(Pending {
                login: Login::Device(DeviceLogin {
                    device_code: DeviceCode::new(own(device_code)),
                    user_code,
                    verification_uri: uri,
                    verification_uri_complete: uri_complete,
                    expires: Moment::from_millis(expires),
                    interval: Duration::from_millis(interval_millis),
                    poll: Poll::Next {
                        at: Moment::from_millis(ask_at),
                        failures,
                    },
                }),
                told: Moment::from_millis(told),
                carried: carried.map(Access::from),
            }),
            HandedState::Active(access, renewal) => Self::Active(Active {
                access: access.into(),
                renewal: renewal.map(Renewal::from),
            }),
            HandedState::Expired(renewal) => Self::Expired(renewal.into()),
        }
    }
}

impl From<HandedAccess> for Access {
    fn from(handed: HandedAccess) -> Self {
        Self {
            token: AccessToken::new(own(handed.token)),
            obtained: Moment::from_millis(handed.obtained),
            expires: Moment::from_millis(handed.expires),
            scope: handed.scope,
        }
    }
}

impl From<HandedRenewal> for Renewal {
    fn from(handed: HandedRenewal) -> Self {
        let redirect_uri = handed.redirect_uri;
        let login = handed.refresh_token.map(|token| RenewableLogin {
            refresh_token: RefreshToken::new(own(token)),
            redirect_uri,
        });
        Self {
            means: login.map_or(Means::ClientCredentials, Means::RefreshToken),
            obtained: Moment::from_millis(handed.obtained),
            attempt: match handed.attempt {
                HandedAttempt::Idle => Attempt::Idle,
                HandedAttempt::Halted => Attempt::Halted,
                HandedAttempt::Backoff {
                    until,
                    not_before,
                    count,
                    streak,
                } => Attempt::Backoff {
                    until: Moment::from_millis(until),
                    not_before: Moment::from_millis(not_before),
                    failures: Failures {
                        count,
                        streak,
                        probing: false,
                    },
                },
            },
        }
    }
}
