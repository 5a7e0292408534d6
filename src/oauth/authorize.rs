//! The authorisation endpoint: the URL that the browser is sent to, and what it comes back with
//! (RFC 6749 section 4.1, RFC 7636).
//!
//! Brings no randomness of its own, and does not know which requests are under way: whether a
//! `state` is the right one is for others to say.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use url::Url;
use zeroize::{Zeroize, Zeroizing};

use super::{form, printable};
use crate::config::Authority;
use crate::oauth::endpoints::ExpectedIssuer;
use crate::secret::{AuthState, Code, Verifier};

/// Random bytes for one authorisation request: the first half becomes `state`, the other half the
/// PKCE verifier. Wiped when dropped.
pub struct Entropy(pub [u8; 64]);

impl Drop for Entropy {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// An authorisation request: a URL for the user's browser, and what must be remembered of it.
#[derive(Debug)]
pub struct AuthorizationRequest {
    /// Where to send the browser. Holds nothing that lets its reader redeem the code.
    pub url: String,
    /// Comes back with the browser, once (RFC 6749 section 10.12).
    pub state: AuthState,
    /// Redeems the code (RFC 7636 section 4.1).
    pub verifier: Verifier,
    /// As sent; the token request must repeat it (RFC 6749 section 4.1.3).
    pub redirect_uri: String,
    /// Who must have sent the browser back.
    pub issuer: ExpectedIssuer,
}

impl AuthorizationRequest {
    /// A fresh request to `auth_uri`, which `issuer` answers. `listener_port` is put into the
    /// redirect URI where that names no port.
    #[must_use]
    #[expect(
        clippy::needless_pass_by_value,
        reason = "random bytes are for one request, and are gone after it"
    )]
    pub fn new(
        authority: &Authority,
        auth_uri: &Url,
        issuer: ExpectedIssuer,
        listener_port: u16,
        entropy: Entropy,
    ) -> Self {
        let (for_state, for_verifier) = entropy.0.split_at(32);
        let state = AuthState::new(URL_SAFE_NO_PAD.encode(for_state));
        let verifier = Verifier::new(URL_SAFE_NO_PAD.encode(for_verifier));
        let redirect_uri = authority.redirect_uri.with_port(listener_port);
        let query = query(authority, &redirect_uri, &state, &challenge(&verifier));
        Self {
            url: append_query(auth_uri, &query),
            state,
            verifier,
            redirect_uri,
            issuer,
        }
    }
}

/// The `code_challenge` of a verifier by the method S256 (RFC 7636 section 4.2).
fn challenge(verifier: &Verifier) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.expose()))
}

/// The fields of an authorisation request (RFC 6749 section 4.1.1, RFC 7636 section 4.3, RFC
/// 8707), and after them those that the account adds.
fn query(
    authority: &Authority,
    redirect_uri: &str,
    state: &AuthState,
    code_challenge: &str,
) -> String {
    let scope = authority.scopes.join(" ");
    let mut fields = vec![
        ("response_type", "code"),
        ("client_id", &authority.client_id),
        ("redirect_uri", redirect_uri),
    ];
    if !scope.is_empty() {
        fields.push(("scope", &scope));
    }
    fields.extend([
        ("state", state.expose()),
        ("code_challenge", code_challenge),
        ("code_challenge_method", "S256"),
    ]);
    fields.extend(
        authority
            .resource
            .iter()
            .map(|it| ("resource", it.as_str())),
    );
    let added = authority.auth_uri_fields.iter();
    fields.extend(added.map(|(name, value)| (name.as_str(), value.as_str())));
    form::encode(&fields)
}

/// Adds to the query that an endpoint may have of its own (RFC 6749 section 3.1).
fn append_query(endpoint: &Url, query: &str) -> String {
    let mut endpoint = endpoint.clone();
    // Behind a fragment, a query would never reach the provider.
    endpoint.set_fragment(None);
    let separator = match endpoint.query() {
        None => "?",
        Some(own) if own.is_empty() || own.ends_with('&') => "",
        Some(_) => "&",
    };
    format!("{endpoint}{separator}{query}")
}

/// What the browser came back with (RFC 6749 sections 4.1.2 and 4.1.2.1).
#[derive(Debug)]
pub struct Callback {
    /// Which request it answers.
    pub state: AuthState,
    /// The code, or why there is none.
    pub outcome: Result<Code, AuthorizationError>,
    /// The issuer that the provider names (RFC 9207), exactly as it came: compare it, but do not
    /// print it.
    pub iss: Option<String>,
}

/// The provider's refusal (RFC 6749 section 4.1.2.1), made safe to print.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorizationError {
    /// The error code, `access_denied` for example.
    pub error: String,
    /// What the provider wrote for people.
    pub description: Option<String>,
}

/// Why a query is no callback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadCallback {
    /// It has no `state`, or neither `code` nor `error`: not a callback at all.
    NotACallback,
    /// This parameter came twice (RFC 6749 section 3.1 forbids it).
    Repeated(&'static str),
}

impl Callback {
    /// Reads the query of the browser's request, without its question mark. A parameter without a
    /// value counts as absent (RFC 6749 section 3.1); beside an `error`, a code is not trusted.
    ///
    /// # Errors
    /// Where it is not what an authorisation endpoint sends.
    pub fn parse(query: &str) -> Result<Self, BadCallback> {
        let mut parameters = Parameters::read(query)?;
        let state = parameters.take("state").ok_or(BadCallback::NotACallback)?;
        let code = parameters.take("code").map(Code::new);
        let description = parameters.take("error_description");
        let outcome = match (parameters.take("error"), code) {
            (Some(error), _) => Err(AuthorizationError::new(&error, description.as_deref())),
            (None, Some(code)) => Ok(code),
            (None, None) => return Err(BadCallback::NotACallback),
        };
        Ok(Self {
            state: AuthState::new(state),
            outcome,
            iss: parameters.take("iss"),
        })
    }
}

/// The parameters of a callback; whatever else is in its query is ignored.
const PARAMETERS: [&str; 5] = ["state", "code", "error", "error_description", "iss"];

/// Their values, in that order.
#[derive(Default)]
struct Parameters([Option<Zeroizing<String>>; PARAMETERS.len()]);

impl Parameters {
    fn read(query: &str) -> Result<Self, BadCallback> {
        let mut parameters = Self::default();
        for (name, value) in form::fields(query) {
            let Some(at) = PARAMETERS.iter().position(|known| *known == *name) else {
                continue;
            };
            if parameters.0[at].replace(value).is_some() {
                return Err(BadCallback::Repeated(PARAMETERS[at]));
            }
        }
        Ok(parameters)
    }

    /// Takes out a value that is not empty.
    fn take(&mut self, name: &str) -> Option<String> {
        let at = PARAMETERS.iter().position(|known| *known == name)?;
        let mut value = self.0[at].take()?;
        Some(std::mem::take(&mut *value)).filter(|value| !value.is_empty())
    }
}

impl AuthorizationError {
    fn new(error: &str, description: Option<&str>) -> Self {
        let mut error = printable::code(error);
        if error.is_empty() {
            error.push_str("an error that is not named as OAuth2 wants it");
        }
        let description = description.map(printable::text);
        Self {
            error,
            description: description.filter(|text| !text.is_empty()),
        }
    }
}

impl fmt::Display for AuthorizationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.error)?;
        match &self.description {
            Some(description) => write!(f, ": {description}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for BadCallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotACallback => f.write_str("this is not an answer of a provider to a login"),
            Self::Repeated(name) => write!(f, "the provider sent '{name}' twice"),
        }
    }
}

impl std::error::Error for AuthorizationError {}
impl std::error::Error for BadCallback {}

#[cfg(test)]
mod tests;
