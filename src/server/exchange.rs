//! Requests to the providers. Each has a worker of its own, and its result goes back into the
//! vault with the ticket that it was ordered with.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use url::Url;

use crate::clock;
use crate::config::{Account, Dialect, GrantType};
use crate::oauth::client::Authentication;
use crate::oauth::device::{self, PollFailure};
use crate::oauth::endpoints::Endpoints;
use crate::oauth::revocation::{self, Token};
use crate::oauth::token::{self, Answer, Failure, FailureKind, Grant, TokenRequest};
use crate::server::Server;
use crate::server::provider::{Provider, misconfigured, passing};
use crate::vault::answer::Revoked;
use crate::vault::order::Ticket;
use crate::vault::token::Means;
use crate::vault::transition::{Exchange, Prepared};

/// The host that a request of this account goes to: accounts with the same one share its fate.
fn host(account: &Account) -> String {
    let uri = account.authority.server();
    format!(
        "{}:{}",
        uri.and_then(Url::host_str).unwrap_or_default(),
        uri.and_then(Url::port_or_known_default).unwrap_or(0)
    )
}

impl Server {
    /// Exchanges a code for tokens.
    pub(super) fn exchange(
        self: &Arc<Self>,
        ticket: Ticket,
        account: Arc<Account>,
        exchange: Exchange,
    ) {
        let server = Arc::clone(self);
        self.exchanges.submit(&host(&account), move || {
            let result = server.ask_for_token(&account, |authentication| {
                token::exchange_request(
                    &account.authority,
                    authentication,
                    &exchange.redirect_uri,
                    &exchange.code,
                    &exchange.verifier,
                )
            });
            drop(exchange);
            server.apply(|vault, now| ((), vault.exchange_done(&ticket, result, now.moment)));
        });
    }

    /// Refreshes, or asks as the client itself.
    pub(super) fn request_refresh(self: &Arc<Self>, ticket: Ticket, account: Arc<Account>) {
        let server = Arc::clone(self);
        self.exchanges.submit(&host(&account), move || {
            if server.ending.load(Ordering::Acquire) {
                return;
            }
            // Taken only now, so that a token which was revoked while the request was queued is
            // not sent, and none is held longer than it takes.
            let Some(means) = server.shared.look(|vault, _| vault.means(&ticket)) else {
                return;
            };
            let authority = &account.authority;
            let result = server.ask_for_token(&account, |authentication| match &means {
                Means::RefreshToken(login) => token::refresh_request(
                    authority,
                    authentication,
                    &login.refresh_token,
                    login.redirect_uri.as_deref(),
                ),
                Means::ClientCredentials => {
                    token::client_credentials_request(authority, authentication)
                }
            });
            drop(means);
            server.apply(|vault, now| ((), vault.refresh_done(&ticket, result, now.moment)));
        });
    }

    /// Finds out how the user can log in.
    pub(super) fn prepare_login(
        self: &Arc<Self>,
        ticket: Ticket,
        account: Arc<Account>,
        grant: GrantType,
    ) {
        let server = Arc::clone(self);
        self.exchanges.submit(&host(&account), move || {
            let result = server.guarded(&account, |provider| {
                let endpoints = provider.endpoints(&account)?;
                match grant {
                    GrantType::DeviceCode => {
                        ask_for_device_code(provider, &account, &endpoints).map(Prepared::Device)
                    }
                    _ => server
                        .authorization_request(&account, &endpoints)
                        .map(Prepared::Browser),
                }
            });
            server.apply(|vault, now| ((), vault.prepared(&ticket, result, now.moment)));
        });
    }

    /// Asks whether the user has typed the code in.
    pub(super) fn poll(self: &Arc<Self>, ticket: Ticket, account: Arc<Account>) {
        let server = Arc::clone(self);
        self.exchanges.submit(&host(&account), move || {
            let Some(code) = server.shared.look(|vault, _| vault.device_code(&ticket)) else {
                return;
            };
            let result = server.guarded(&account, |provider| {
                let request = |authentication: &Authentication| {
                    let authority = &account.authority;
                    device::poll_request(authority, authentication, account.dialect, &code)
                };
                let rejected = |result: &Result<Grant, PollFailure>| {
                    matches!(result, Err(PollFailure::Failed(failure)) if is_rejected(failure))
                };
                ask_token_endpoint(provider, &account, &request, device::parse_poll, rejected)
            });
            drop(code);
            let result = result.unwrap_or_else(|failure| Err(PollFailure::Failed(failure)));
            server.apply(|vault, now| ((), vault.polled(&ticket, result, now.moment)));
        });
    }

    /// Has the provider revoke tokens, the refresh token first (RFC 7009), and says in `told` how
    /// that ended: `None` where the provider has no place for it.
    pub(super) fn revoke_at_provider(
        self: &Arc<Self>,
        revoked: Revoked,
        told: impl FnOnce(&Self, Option<Result<(), String>>) + Send + 'static,
    ) {
        let server = Arc::clone(self);
        let account = Arc::clone(&revoked.account);
        self.exchanges.submit(&host(&account), move || {
            let ended = server.guarded(&account, |provider| {
                let endpoints = provider.endpoints(&account)?;
                let Some(uri) = &endpoints.revoke_uri else {
                    return Ok(None);
                };
                let refresh_token = revoked.refresh_token.as_ref().map(Token::Refresh);
                let access_token = revoked.access_token.as_ref().map(Token::Access);
                let tokens = refresh_token.into_iter().chain(access_token);
                let mut refused = None;
                // A provider that does not revoke tokens of the one kind may those of the other.
                for token in tokens.filter(|token| token.is_revocable(account.dialect)) {
                    let revoked = revoke_token(provider, &account, uri, token)?;
                    refused = refused.or(revoked.err());
                }
                refused.map_or(Ok(Some(())), |reason| Err(passing(reason)))
            });
            drop(revoked);
            told(&server, ended.map_err(|failure| failure.reason).transpose());
        });
    }

    fn ask_for_token(
        &self,
        account: &Account,
        request: impl Fn(&Authentication) -> TokenRequest,
    ) -> Result<Grant, Failure> {
        self.guarded(account, |provider| {
            let rejected =
                |result: &Result<Grant, Failure>| result.as_ref().is_err_and(is_rejected);
            ask_token_endpoint(provider, account, &request, token::parse, rejected)?
        })
    }

    /// Lets `ask` make requests. Comes back whatever happens, since the account waits for it.
    fn guarded<T>(
        &self,
        account: &Account,
        ask: impl FnOnce(&Provider) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let settings = self.shared.settings();
        let result = catch_unwind(AssertUnwindSafe(|| ask(&settings.provider)));
        let result =
            result.unwrap_or_else(|_| Err(passing("an internal error: please report this".into())));
        if let Err(failure) = &result {
            log::info!("account '{}': {}", account.name, failure.reason);
        }
        result
    }
}

/// Whether the client itself was refused, so that a newer secret may help.
fn is_rejected(failure: &Failure) -> bool {
    failure.kind == FailureKind::Misconfigured
}

/// Asks the token endpoint, and once more where that `rejected` a secret of which there is a newer
/// one.
///
/// # Errors
/// Where it could not be asked.
fn ask_token_endpoint<R>(
    provider: &Provider,
    account: &Account,
    request: &impl Fn(&Authentication) -> TokenRequest,
    parse: impl Fn(Answer<'_>, clock::Timestamp) -> R,
    rejected: impl Fn(&R) -> bool,
) -> Result<R, Failure> {
    // Whatever is wrong with the metadata today, the tokens at hand are good and may be wanted
    // when it has been put right.
    let endpoints = provider
        .endpoints(account)
        .map_err(|failure| passing(failure.reason))?;
    let ask = |authentication: &Authentication| {
        let ca_file = account.ca_file.as_deref();
        let request = request(authentication);
        let response = provider
            .transport
            .post(&endpoints.token_uri, ca_file, &request);
        let response = response.map_err(passing)?;
        Ok(parse(response.answer(), clock::now().wall))
    };
    let authentication = provider.authentication(account)?;
    let result = ask(&authentication)?;
    if rejected(&result) && provider.renew_secret(account, &authentication) {
        return ask(&provider.authentication(account)?);
    }
    Ok(result)
}

fn ask_for_device_code(
    provider: &Provider,
    account: &Account,
    endpoints: &Endpoints,
) -> Result<device::DeviceAuthorization, Failure> {
    let Some(uri) = &endpoints.device_uri else {
        return Err(misconfigured(
            "no device authorisation endpoint is known: set 'device_uri'".into(),
        ));
    };
    let dialect: Dialect = account.dialect;
    let ask = |authentication: &Authentication| {
        let request = device::authorization_request(&account.authority, authentication, dialect);
        let ca_file = account.ca_file.as_deref();
        let response = provider.transport.post(uri, ca_file, &request);
        let response = response.map_err(passing)?;
        device::parse_authorization(response.answer(), clock::now().wall)
    };
    let authentication = provider.authentication(account)?;
    let result = ask(&authentication);
    if result.as_ref().is_err_and(is_rejected) && provider.renew_secret(account, &authentication) {
        return ask(&provider.authentication(account)?);
    }
    result
}

/// Asks for a token to be revoked, and once more where the secret was refused and there is a newer
/// one. Why the provider did not, where it was reached.
fn revoke_token(
    provider: &Provider,
    account: &Account,
    uri: &Url,
    token: Token<'_>,
) -> Result<Result<(), String>, Failure> {
    let ask = |authentication: &Authentication| {
        let authority = &account.authority;
        let request = revocation::request(authority, authentication, account.dialect, token);
        let response = provider
            .transport
            .post(uri, account.ca_file.as_deref(), &request);
        response.map_err(passing)
    };
    let authentication = provider.authentication(account)?;
    let mut response = ask(&authentication)?;
    let rejected = revocation::refuses_client(response.answer());
    if rejected && provider.renew_secret(account, &authentication) {
        response = ask(&provider.authentication(account)?)?;
    }
    Ok(revocation::parse(response.answer()))
}
