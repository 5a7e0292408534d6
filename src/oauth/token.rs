//! The token endpoint: forms to send, and what its answers mean (RFC 6749 sections 4.1.3, 5, 6).

use std::time::Duration;

use crate::clock::Timestamp;
use crate::config::Authority;
use crate::secret::{AccessToken, Code, RefreshToken, SecretText, Verifier};

/// What the provider granted (RFC 6749 section 5.1).
#[derive(Debug)]
pub struct Grant {
    /// The access token; never empty.
    pub access_token: AccessToken,
    /// How long it lives; `None` where the provider did not say. Never zero: a token that had
    /// expired when it came is a [`Failure`].
    pub lifetime: Option<Duration>,
    /// A refresh token, where one came; never empty.
    pub refresh_token: Option<RefreshToken>,
    /// The scopes granted, where the provider named them.
    pub scope: Option<String>,
}

/// A request to the token endpoint that brought no access token.
#[derive(Debug)]
pub struct Failure {
    /// What follows from it.
    pub kind: FailureKind,
    /// What the provider said, or what went wrong on the way: safe to print, no full stop.
    pub reason: String,
    /// A new refresh token that came although the rest of the answer is of no use.
    pub rotated: Option<RefreshToken>,
}

/// What follows from a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// It may pass: keep every token and try again, not before `retry_after` where that was asked.
    Passing {
        /// The provider's Retry-After, from now, already limited to what is reasonable.
        retry_after: Option<Duration>,
    },
    /// `invalid_grant`: the code or refresh token is dead, in the provider's own words.
    InvalidGrant,
    /// `invalid_client`, `unauthorized_client` or `invalid_scope`: the configuration is wrong.
    Misconfigured,
}

/// An HTTP answer of the token endpoint.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// The status code.
    pub status: u16,
    /// The Content-Type header.
    pub content_type: Option<&'a str>,
    /// The Retry-After header (RFC 9110 section 10.2.3).
    pub retry_after: Option<&'a str>,
    /// The whole body.
    pub body: &'a [u8],
}

/// A form for the token endpoint, with what authenticates the client.
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
    _authority: &Authority,
    _redirect_uri: &str,
    _code: &Code,
    _verifier: &Verifier,
) -> TokenRequest {
    unimplemented!()
}

/// The form that refreshes an access token (RFC 6749 section 6).
#[must_use]
pub fn refresh_request(_authority: &Authority, _refresh_token: &RefreshToken) -> TokenRequest {
    unimplemented!()
}

/// What an answer of the token endpoint means; `now` is for a Retry-After that names a date.
///
/// # Errors
/// Whenever it brings no access token that can be used.
pub fn parse(_answer: Answer<'_>, _now: Timestamp) -> Result<Grant, Failure> {
    unimplemented!()
}
