//! The authorisation endpoint: the URL that the browser is sent to, and what it comes back with
//! (RFC 6749 section 4.1, RFC 7636).

use crate::config::Authority;
use crate::secret::{AuthState, Code, Verifier};

/// Random bytes for one authorisation request: the first half becomes `state`, the other half the
/// PKCE verifier.
pub struct Entropy(pub [u8; 64]);

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
}

impl AuthorizationRequest {
    /// A fresh request. `listener_port` is put into the redirect URI where that names no port.
    #[must_use]
    pub fn new(_authority: &Authority, _listener_port: u16, _entropy: Entropy) -> Self {
        unimplemented!()
    }
}

/// What the browser came back with (RFC 6749 sections 4.1.2 and 4.1.2.1).
#[derive(Debug)]
pub struct Callback {
    /// Which request it answers.
    pub state: AuthState,
    /// The code, or why there is none.
    pub outcome: Result<Code, AuthorizationError>,
    /// The issuer that the provider names (RFC 9207).
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

impl std::fmt::Display for AuthorizationError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.error)?;
        match &self.description {
            Some(description) => write!(f, ": {description}"),
            None => Ok(()),
        }
    }
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
    /// Reads the query of the browser's request, without its question mark.
    ///
    /// # Errors
    /// Where it is not what an authorisation endpoint sends.
    pub fn parse(_query: &str) -> Result<Self, BadCallback> {
        unimplemented!()
    }
}
