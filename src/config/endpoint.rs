//! Which URIs are good enough to send a user's secrets to: one rule for those that are written down
//! and those that a provider publishes.

use url::{ParseError, Url};

use super::redirect_uri::is_loopback;

/// What is wrong with a URI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadUri {
    /// It has blanks, control characters or backslashes in it, which a parser would mend in silence.
    Blanks,
    /// It has no scheme.
    NoScheme,
    /// `//` and a host do not follow this scheme.
    NoHost(String),
    /// Its host is not spelled in ASCII, or is a bad ASCII form of an international name.
    International,
    /// It is not a URI, for this reason.
    NotAUri(String),
    /// What is sent there could be read on the way: it is neither https nor on this machine.
    Unencrypted,
    /// It has another scheme than https.
    Scheme(String),
    /// It has a fragment.
    Fragment,
    /// It names a user or a password.
    Credentials,
}

/// An absolute URI, written out in full. The `url` crate would mend much in silence that a person
/// would rather hear of.
///
/// # Errors
/// Where `text` is anything else.
pub fn absolute(text: &str) -> Result<Url, BadUri> {
    let is_blank = |character: char| character.is_whitespace() || character.is_control();
    if text.contains(|character| is_blank(character) || character == '\\') {
        return Err(BadUri::Blanks);
    }
    let (scheme, rest) = text.split_once(':').unwrap_or_default();
    if scheme.is_empty() {
        return Err(BadUri::NoScheme);
    }
    let has_host = rest.starts_with("//") && !rest.starts_with("///");
    if matches!(scheme, "http" | "https") && !has_host {
        return Err(BadUri::NoHost(scheme.into()));
    }
    Url::parse(text).map_err(|error| match error {
        ParseError::IdnaError => BadUri::International,
        error => BadUri::NotAUri(error.to_string()),
    })
}

/// An endpoint of the provider (RFC 6749 sections 3.1 and 3.2): https, or http on this machine.
///
/// # Errors
/// Where `text` is anything else.
pub fn endpoint(text: &str) -> Result<Url, BadUri> {
    let url = absolute(text)?;
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(url.host()) => {}
        "http" => return Err(BadUri::Unencrypted),
        scheme => return Err(BadUri::Scheme(scheme.into())),
    }
    if url.fragment().is_some() {
        return Err(BadUri::Fragment);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(BadUri::Credentials);
    }
    Ok(url)
}
