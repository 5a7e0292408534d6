//! The token endpoint: forms to send, and what its answers mean (RFC 6749 sections 4.1.3, 4.4, 5
//! and 6).
//!
//! The rule behind every verdict: a token is given up only when the provider said, in OAuth2's own
//! words and where a token endpoint says them, that it is dead. Whatever else comes may pass.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

pub use super::answer::Answer;
use super::answer::{self, Member, Members, Shape};
use super::verdict::{self, Cause, Fault};
pub use super::verdict::{Failure, FailureKind};
use super::{form, printable};
use crate::clock::Timestamp;
use crate::config::Authority;
use crate::oauth::client::Authentication;
use crate::secret::{AccessToken, ClientSecret, Code, RefreshToken, SecretText, Verifier};

/// No lifetime is taken to be longer than ten years: that is as good as for ever, and no clock,
/// timer or date comes near its limits when it is added.
pub const MAX_LIFETIME: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);
/// Says nothing of the token itself.
const EXPIRED_TOKEN: &str = "the provider sent an access token that had expired when it came";
const UNUSABLE_TOKEN: &str = "the provider sent an access token that cannot be used";

/// What the provider granted (RFC 6749 section 5.1).
#[derive(Debug)]
pub struct Grant {
    /// The access token; never empty, and fit to be printed on one line.
    pub access_token: AccessToken,
    /// How long it lives; `None` where the provider did not say. Never zero: a token that had
    /// expired when it came is a [`Failure`]. At most [`MAX_LIFETIME`].
    pub lifetime: Option<Duration>,
    /// A refresh token, where one came; never empty.
    pub refresh_token: Option<RefreshToken>,
    /// The scopes granted, where the provider named them: safe to print.
    pub scope: Option<String>,
}

/// A form for the token endpoint, or for another that programs ask, with what authenticates the
/// client.
#[derive(Debug)]
pub struct TokenRequest {
    /// The body, `application/x-www-form-urlencoded`.
    pub form: SecretText,
    /// The Authorization header's value, where the client authenticates with Basic.
    pub authorization: Option<SecretText>,
}

/// The form that turns a code into tokens (RFC 6749 section 4.1.3, RFC 7636 section 4.5).
#[must_use]
pub fn exchange_request(
    authority: &Authority,
    authentication: &Authentication,
    redirect_uri: &str,
    code: &Code,
    verifier: &Verifier,
) -> TokenRequest {
    let grant = [
        ("grant_type", "authorization_code"),
        ("code", code.expose()),
        ("redirect_uri", redirect_uri),
        ("code_verifier", verifier.expose()),
    ];
    request(authority, authentication, &grant)
}

/// The form that refreshes an access token (RFC 6749 section 6). It names no scope: that keeps
/// what was granted, which may be less than was asked for. `redirect_uri` is the login's, for
/// providers that want it repeated.
#[must_use]
pub fn refresh_request(
    authority: &Authority,
    authentication: &Authentication,
    refresh_token: &RefreshToken,
    redirect_uri: Option<&str>,
) -> TokenRequest {
    let mut grant = vec![
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh_token.expose()),
    ];
    grant.extend(redirect_uri.map(|uri| ("redirect_uri", uri)));
    request(authority, authentication, &grant)
}

/// The form by which a client asks for itself (RFC 6749 section 4.4.2). A [`Grant`] may bring a
/// refresh token all the same, although section 4.4.3 would rather have none: it is not needed,
/// since asking anew costs nobody a login.
#[must_use]
pub fn client_credentials_request(
    authority: &Authority,
    authentication: &Authentication,
) -> TokenRequest {
    let mut grant = vec![("grant_type", "client_credentials")];
    let scope = authority.scopes.join(" ");
    if !scope.is_empty() {
        grant.push(("scope", &scope));
    }
    request(authority, authentication, &grant)
}

/// A form for the token endpoint, with what every request there has (RFC 8707 section 2.2).
pub(super) fn request(
    authority: &Authority,
    authentication: &Authentication,
    grant: &[(&str, &str)],
) -> TokenRequest {
    let mut fields = grant.to_vec();
    let resource = authority.resource.iter();
    fields.extend(resource.map(|it| ("resource", it.as_str())));
    authenticated(&authority.client_id, authentication, fields)
}

/// A form with what authenticates the client, as at every endpoint that is not for browsers (RFC
/// 6749 section 2.3).
pub(super) fn authenticated<'a>(
    client_id: &'a str,
    authentication: &'a Authentication,
    mut fields: Vec<(&'a str, &'a str)>,
) -> TokenRequest {
    // One method per request: what is in the header is not in the body.
    let authorization = match authentication {
        Authentication::None => {
            fields.push(("client_id", client_id));
            None
        }
        Authentication::Post(secret) => {
            fields.extend([("client_id", client_id), ("client_secret", secret.expose())]);
            None
        }
        Authentication::Basic(secret) => Some(basic(client_id, secret)),
    };
    TokenRequest {
        form: SecretText::new(form::encode(&fields)),
        authorization,
    }
}

/// The Authorization header of a client: both parts are form-encoded first, so that a colon in the
/// identifier does not end it (RFC 6749 section 2.3.1).
fn basic(client_id: &str, secret: &ClientSecret) -> SecretText {
    const SCHEME: &str = "Basic ";
    let secret = secret.expose();
    let length = form::encoded_length(client_id) + 1 + form::encoded_length(secret);
    let mut credentials = Zeroizing::new(String::with_capacity(length));
    form::push_encoded(&mut credentials, client_id);
    credentials.push(':');
    form::push_encoded(&mut credentials, secret);
    let encoded = Zeroizing::new(STANDARD.encode(credentials.as_bytes()));
    let mut header = String::with_capacity(SCHEME.len() + encoded.len());
    header.push_str(SCHEME);
    header.push_str(&encoded);
    SecretText::new(header)
}

/// What an answer of the token endpoint means; `now` is for a Retry-After that names a date.
///
/// # Errors
/// Whenever it brings no access token that can be used.
pub fn parse(answer: Answer<'_>, now: Timestamp) -> Result<Grant, Failure> {
    let (shape, members) = answer::read(answer.content_type, answer.body);
    grant(answer, shape, members, now, cause)
}

/// The same, of an answer whose members have been read; `cause` says what an error code means to
/// the grant that was asked for.
pub(super) fn grant(
    answer: Answer<'_>,
    shape: Shape,
    mut members: Members,
    now: Timestamp,
    cause: impl FnOnce(&str) -> Cause,
) -> Result<Grant, Failure> {
    let lifetime = lifetime(&members.expires_in);
    let outcome = verdict::TOKEN
        .success(answer.status, shape, &members, cause)
        .and_then(|()| check_type(&members.token_type))
        .and_then(|()| take_access_token(answer.status, &mut members))
        .and_then(|token| match lifetime {
            Some(Duration::ZERO) => Err(Fault::passing(EXPIRED_TOKEN)),
            _ => Ok(token),
        });
    let refresh_token = members.refresh_token.take().map(RefreshToken::new);
    match outcome {
        Ok(access_token) => Ok(Grant {
            access_token,
            lifetime,
            refresh_token,
            scope: members.scope.text().and_then(printable_scope),
        }),
        Err(fault) => Err(fault.into_failure(answer, now, refresh_token)),
    }
}

/// Whether a token came of a type that can be used (RFC 6749 section 7.1).
fn check_type(token_type: &Member) -> Result<(), Fault> {
    match token_type {
        Member::Absent => Ok(()),
        Member::Text(name) if name.trim().eq_ignore_ascii_case("bearer") => Ok(()),
        Member::Text(name) => Err(Fault::passing(format!(
            "the provider sent a token of the type '{}', and only bearer tokens can be used",
            printable::code(name)
        ))),
        Member::Unusable => Err(Fault::passing(
            "the provider sent a token of a type that cannot be read, and only bearer tokens can be used",
        )),
    }
}

/// What follows from an error code. What only looks like one of these is not one.
fn cause(error: &str) -> Cause {
    match error {
        "invalid_grant" => Cause::InvalidGrant,
        "invalid_client" | "unauthorized_client" | "invalid_scope" => Cause::Misconfigured,
        _ => Cause::MayPass,
    }
}

/// The access token, where it is one that can be printed on a line and sent in a header: visible
/// ASCII characters and spaces (RFC 6749 appendix A.12), not spaces alone.
fn take_access_token(status: u16, members: &mut Members) -> Result<AccessToken, Fault> {
    if members.access_token == Member::Absent {
        let reason = format!("HTTP {status} without an access token");
        return Err(Fault::passing(reason));
    }
    let token = members.access_token.take().map(AccessToken::new);
    token
        .filter(|token| is_usable(token.expose()))
        .ok_or_else(|| Fault::passing(UNUSABLE_TOKEN))
}

fn is_usable(token: &str) -> bool {
    token.bytes().all(|byte| matches!(byte, b' '..=b'~')) && !token.trim().is_empty()
}

/// The value of `expires_in`, rounded down; `None` where it is no number.
fn lifetime(expires_in: &Member) -> Option<Duration> {
    // Exact far beyond the longest lifetime.
    let seconds = expires_in.number()?.floor();
    let seconds = seconds.clamp(0.0, MAX_LIFETIME.as_secs_f64());
    Duration::try_from_secs_f64(seconds).ok()
}

fn printable_scope(text: &str) -> Option<String> {
    Some(printable::scope(text)).filter(|scope| !scope.is_empty())
}

#[cfg(test)]
mod tests;
