//! Logins as people ask for them: beginning one, saying what is to be done for it, and how it
//! ended. Knows no sockets.

use std::sync::Arc;

use rand::TryRng;
use rand::rngs::SysRng;
use zeroize::Zeroizing;

use crate::config::{Account, GrantType, endpoint};
use crate::oauth::authorize::{AuthorizationRequest, BadCallback, Callback, Entropy};
use crate::oauth::endpoints::Endpoints;
use crate::oauth::token::Failure;
use crate::protocol::{LoginMethod, LoginOffer, Reply};
use crate::secret::SecretText;
use crate::server::Server;
use crate::server::provider::{misconfigured, passing};
use crate::server::replies::{Sought, document, unknown};
use crate::shell_word::shell_word;
use crate::vault::answer::{Beginning, LoginEnd, Offered, Returned, Shown, WentWrong};

impl Server {
    /// Starts a login, unless there is one or no need of one; by `grant`, or else as the account
    /// is configured. `None` where there is no such account.
    pub(super) fn start_login(
        self: &Arc<Self>,
        name: &str,
        grant: Option<GrantType>,
    ) -> Option<Shown> {
        let account = self.account(name)?;
        let grant = grant.unwrap_or(account.authority.grant);
        if grant == GrantType::ClientCredentials {
            return self.apply(|vault, now| vault.obtain(name, now.moment));
        }
        let provider = &self.shared.settings().provider;
        let endpoints = provider
            .endpoints_at_hand(&account)
            .filter(|_| grant == GrantType::AuthorizationCode);
        let request =
            endpoints.and_then(|endpoints| self.authorization_request(&account, &endpoints).ok());
        self.apply(|vault, now| {
            // What was configured anew meanwhile is prepared like what has to be asked for.
            let same = |current: Arc<Account>| Arc::ptr_eq(&current, &account);
            match request {
                Some(request) if vault.account(name).is_some_and(same) => {
                    vault.authorize(name, request, now.moment)
                }
                _ => vault.prepare(name, grant, now.moment),
            }
        })
    }

    pub(super) fn account(&self, name: &str) -> Option<Arc<Account>> {
        self.shared.look(|vault, _| vault.account(name))
    }

    /// A fresh request for the user's browser.
    ///
    /// # Errors
    /// Where the browser has nowhere to go, or the system no random numbers.
    pub(super) fn authorization_request(
        &self,
        account: &Account,
        endpoints: &Endpoints,
    ) -> Result<AuthorizationRequest, Failure> {
        let Some(auth_uri) = &endpoints.auth_uri else {
            return Err(misconfigured(
                "no authorisation endpoint is known: set 'auth_uri'".into(),
            ));
        };
        let mut entropy = [0; 64];
        SysRng
            .try_fill_bytes(&mut entropy)
            .map_err(|error| passing(format!("the system has no random numbers: {error}")))?;
        let redirect_uri = &account.authority.redirect_uri;
        let port = self.shared.settings().redirect_port(redirect_uri);
        Ok(AuthorizationRequest::new(
            &account.authority,
            auth_uri,
            endpoints.issuer.clone(),
            port,
            Entropy(entropy),
        ))
    }

    /// Starts a login for somebody who sits in front of it. What it takes is told by
    /// [`Self::seek_offer`], unless this is an answer already.
    pub(super) fn offer_login(
        self: &Arc<Self>,
        name: &str,
        method: LoginMethod,
    ) -> Result<(), Reply> {
        let Some(account) = self.account(name) else {
            return Err(unknown(name));
        };
        let grant = match (method, account.authority.grant) {
            (_, GrantType::ClientCredentials) => {
                return Err(Reply::Error(format!(
                    "account '{name}' needs no login: it asks for its tokens by itself"
                )));
            }
            (LoginMethod::Device, _) => GrantType::DeviceCode,
            (LoginMethod::Configured, grant) => grant,
        };
        match self.apply(|vault, now| vault.beginning(name, now)) {
            None => return Err(unknown(name)),
            Some(Beginning::Needless(Some(logged_in))) => {
                return Err(needless(name, logged_in.expires_at));
            }
            Some(Beginning::Needless(None)) => {
                return Err(Reply::TryLater(format!(
                    "account '{name}' is logged in, but has no token at the moment ('pizauth \
                     status' says why): to log in anew all the same, run 'pizauth revoke {}' first",
                    shell_word(name)
                )));
            }
            Some(Beginning::Exchanging) => {
                return Err(Reply::TryLater(format!(
                    "account '{name}' is just being logged in: try again"
                )));
            }
            Some(Beginning::Free) => {}
        }
        let at_hand = self.shared.settings().provider.endpoints_at_hand(&account);
        if at_hand.is_some_and(|endpoints| !endpoints.allow(grant)) {
            return Err(Reply::Error(format!(
                "account '{name}' cannot be logged in that way: its provider has no endpoint for \
                 it that is known"
            )));
        }
        self.start_login(name, Some(grant));
        Ok(())
    }

    /// What the user has to do for a login that was asked for.
    pub(super) fn seek_offer(&self, name: &str) -> Sought {
        let offered = self.shared.look(|vault, now| vault.offered(name, now));
        let offer = match offered {
            Offered::NotYet => {
                return Sought::NotYet(Reply::TryLater(format!(
                    "the provider of account '{name}' has not said yet how to log in: try again"
                )));
            }
            Offered::No(WentWrong { reason, passing }) => {
                let told = format!("no login of account '{name}' can be begun: {reason}");
                return Sought::Found(match passing {
                    true => Reply::TryLater(told),
                    false => Reply::Error(told),
                });
            }
            Offered::Yes(offer) => offer,
        };
        let provider = &self.shared.settings().provider;
        let account = self.account(name);
        let endpoints = account.and_then(|account| provider.endpoints_at_hand(&account));
        Sought::Found(document(serde_json::to_string(&LoginOffer {
            device_is_possible: endpoints.is_some_and(|it| it.device_uri.is_some()),
            ..offer
        })))
    }

    /// How the login of this number ended.
    pub(super) fn seek_login_end(&self, name: &str, login: u64) -> Sought {
        match self
            .shared
            .look(|vault, now| vault.login_end(name, login, now))
        {
            LoginEnd::NotYet => Sought::NotYet(Reply::TryLater(format!(
                "account '{name}' is not logged in yet"
            ))),
            LoginEnd::Yes(logged_in) => Sought::Found(document(serde_json::to_string(&logged_in))),
            LoginEnd::No(reason) => Sought::Found(Reply::Error(format!(
                "account '{name}' was not logged in: {reason}"
            ))),
        }
    }

    /// Takes the URL that a browser elsewhere ended at. Which login goes on with it, and its
    /// number.
    pub(super) fn complete(
        self: &Arc<Self>,
        name: Option<&str>,
        url: &SecretText,
    ) -> Result<(String, u64), Reply> {
        let refuse = |reason: &str| Err(Reply::Error(reason.into()));
        if let Some(name) = name
            && self.account(name).is_none()
        {
            return Err(unknown(name));
        }
        let Some((is_https, path, query)) = taken_apart(url.expose()) else {
            return refuse(
                "this is not the address that a login ends at: copy the whole address of the \
                 page that the browser could not load",
            );
        };
        let callback = match Callback::parse(&query) {
            Ok(callback) => callback,
            Err(BadCallback::NotACallback) => {
                return refuse(
                    "this address has no answer of a provider in it: copy the whole address of \
                     the page that the browser ended at",
                );
            }
            Err(repeated) => return Err(Reply::Error(repeated.to_string())),
        };
        let whose = self.shared.look(|vault, _| {
            let login = vault.login_of(&callback.state);
            login.map(ToString::to_string)
        });
        if let (Some(name), Some(whose)) = (name, &whose)
            && name != whose
        {
            return Err(Reply::Error(format!(
                "this address belongs to the login of account '{whose}', not to that of '{name}'"
            )));
        }
        let returned =
            self.apply(|vault, now| vault.callback(is_https, &path, callback, now.moment));
        match returned {
            Returned::Accepted(ticket) => Ok((ticket.account().to_string(), ticket.login())),
            Returned::Refused(account, reason) => Err(Reply::Error(format!(
                "account '{account}' was not logged in: {reason}"
            ))),
            Returned::Unknown => refuse(
                "no login waits for this address: it was used already, or a newer login was begun \
                 since: run 'pizauth login' for the present one",
            ),
        }
    }
}

/// Whether it is https, its path and its query, as a browser would send them.
pub(crate) fn taken_apart(url: &str) -> Option<(bool, String, Zeroizing<String>)> {
    let url = endpoint::parse(url.trim()).ok()?;
    let query = Zeroizing::new(url.query()?.to_owned());
    Some((url.scheme() == "https", url.path().to_owned(), query))
}

fn needless(name: &str, until: String) -> Reply {
    document(serde_json::to_string(&LoginOffer {
        account: name.into(),
        logged_in_until: Some(until),
        login: 0,
        url: String::new(),
        user_code: None,
        url_with_code: None,
        code_expires_at: None,
        redirect_port: None,
        device_is_possible: false,
    }))
}
