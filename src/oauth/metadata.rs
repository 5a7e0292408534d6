//! What a provider publishes about itself (RFC 8414, OpenID Connect Discovery): where to look for
//! it, and what it says.
//!
//! Reads one document. Which of its endpoints an account uses is for `endpoints` to say.

use std::fmt;

use serde_json::{Map, Value};
use url::Url;

use super::answer::{self, Member, Shape};
use super::{printable, verdict};
use crate::config::endpoint::BadUri;
use crate::config::{self, Dialect, Issuer};
use crate::oauth::token::Answer;

/// Far more than any provider lists; scopes are the most, a few hundred.
const MAX_ITEMS: usize = 1_000;
/// Scopes are written as URLs at most; what is longer is of no use to anyone.
const MAX_ITEM: usize = 256;
/// What stands for a tenant's identifier in the metadata of Microsoft's aliases.
const TENANT: &str = "{tenantid}";
/// Where the path begins in an issuer that is split at its slashes: after the scheme, nothing, and
/// the host.
const PATH_AT: usize = 3;

/// A provider's metadata, as far as they matter here. Lists are empty where they are missing; what
/// is in them is safe to print.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// The authorisation endpoint (RFC 6749 section 3.1).
    pub authorization_endpoint: Option<Url>,
    /// The token endpoint (RFC 6749 section 3.2).
    pub token_endpoint: Option<Url>,
    /// The device authorisation endpoint (RFC 8628 section 4).
    pub device_authorization_endpoint: Option<Url>,
    /// The revocation endpoint (RFC 7009).
    pub revocation_endpoint: Option<Url>,
    /// Whether the provider promises to name itself in redirects (RFC 9207 section 3).
    pub iss_promised: bool,
    /// `token_endpoint_auth_methods_supported`.
    pub token_endpoint_auth_methods: Vec<String>,
    /// `code_challenge_methods_supported`.
    pub code_challenge_methods: Vec<String>,
    /// `grant_types_supported`.
    pub grant_types: Vec<String>,
    /// `scopes_supported`; seldom all of them.
    pub scopes: Vec<String>,
}

/// Why there are no metadata. Reasons are safe to print.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MetadataFault {
    /// There are none at this place: try the next location.
    NotThere,
    /// It may pass; still, the next location may have what this one has not: a web page in their
    /// place may be how this provider says that there are none.
    Passing(String),
    /// They are there, and wrong: another location does not make them right.
    Wrong(String),
}

impl MetadataFault {
    /// What is to be said of two locations that were tried, where `self` came first.
    #[must_use]
    pub fn or(self, next: Self) -> Self {
        match (self, next) {
            (first @ Self::Wrong(_), _) => first,
            (_, next @ Self::Wrong(_)) | (Self::NotThere, next) => next,
            (first @ Self::Passing(_), _) => first,
        }
    }
}

impl fmt::Display for MetadataFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotThere => f.write_str(
                "the provider publishes no metadata where they should be: is issuer right? if it is, set auth_uri and token_uri instead",
            ),
            Self::Passing(reason) | Self::Wrong(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for MetadataFault {}

/// Where an issuer's metadata may be, to be tried in this order: as RFC 8414 section 3.1 has it,
/// as OpenID Connect Discovery section 4 has it, and as RFC 8414 section 5 says that some have
/// read both.
#[must_use]
pub fn locations(issuer: &Issuer) -> Vec<Url> {
    let path = issuer.uri.path();
    let path = path.strip_suffix('/').unwrap_or(path);
    let paths = [
        format!("/.well-known/oauth-authorization-server{path}"),
        format!("{path}/.well-known/openid-configuration"),
        format!("/.well-known/openid-configuration{path}"),
    ];
    let mut locations: Vec<Url> = Vec::with_capacity(paths.len());
    for path in paths {
        let mut location = issuer.uri.clone();
        location.set_path(&path);
        location.set_query(None);
        location.set_fragment(None);
        if !locations.contains(&location) {
            locations.push(location);
        }
    }
    locations
}

/// Looks at each place where an issuer's metadata may be, until they are found; `look` says what is
/// there.
///
/// # Errors
/// Those of `look`: where one place cannot be reached, the others of the same host cannot.
pub fn search<E>(
    issuer: &Issuer,
    mut look: impl FnMut(&Url) -> Result<Result<Metadata, MetadataFault>, E>,
) -> Result<Result<Metadata, MetadataFault>, E> {
    let mut fault = MetadataFault::NotThere;
    for location in locations(issuer) {
        match look(&location)? {
            Err(MetadataFault::Wrong(why)) => return Ok(Err(MetadataFault::Wrong(why))),
            Err(next) => fault = fault.or(next),
            found => return Ok(found),
        }
    }
    Ok(Err(fault))
}

/// What an answer says that came from one of the [`locations`].
///
/// # Errors
/// Where there are no metadata in it, or none of this issuer, or some that would have secrets sent
/// where they must not go.
pub fn parse(
    issuer: &Issuer,
    dialect: Dialect,
    answer: Answer<'_>,
) -> Result<Metadata, MetadataFault> {
    let document = Document::read(answer)?;
    document.check_issuer(issuer, dialect)?;
    Ok(Metadata {
        authorization_endpoint: document.endpoint("authorization_endpoint")?,
        token_endpoint: document.endpoint("token_endpoint")?,
        device_authorization_endpoint: document.endpoint("device_authorization_endpoint")?,
        revocation_endpoint: document.endpoint("revocation_endpoint")?,
        iss_promised: document.promises("authorization_response_iss_parameter_supported"),
        token_endpoint_auth_methods: document.list("token_endpoint_auth_methods_supported"),
        code_challenge_methods: document.list("code_challenge_methods_supported"),
        grant_types: document.list("grant_types_supported"),
        scopes: document.list("scopes_supported"),
    })
}

/// Whether metadata may be elsewhere, going by the status: who has none redirects to a login page
/// or refuses, in many ways.
const fn says_that_there_are_none(status: u16) -> bool {
    matches!(status, 300..=499 | 501) && !matches!(status, 407 | 408 | 425 | 429)
}

/// A JSON object that was published. There are no secrets in it.
struct Document(Map<String, Value>);

impl Document {
    fn read(answer: Answer<'_>) -> Result<Self, MetadataFault> {
        let asked = verdict::METADATA;
        let status = answer.status;
        if says_that_there_are_none(status) {
            return Err(MetadataFault::NotThere);
        }
        let passing = |reason| Err(MetadataFault::Passing(reason));
        if !verdict::is_success(status) {
            return passing(asked.status_alone(status));
        }
        let (shape, members) = answer::read(answer.content_type, answer.body);
        if shape != Shape::Whole {
            return passing(asked.without_members(status, shape));
        }
        if members.error != Member::Absent {
            return passing(asked.provider_error(status, &members));
        }
        let text = String::from_utf8_lossy(answer.body);
        match serde_json::from_str(answer::trim(&text)) {
            Ok(members) => Ok(Self(members)),
            // A form, or JSON of which a part cannot be read.
            Err(_) => passing(asked.without_members(status, Shape::Other)),
        }
    }

    /// RFC 8414 section 3.3: they are somebody else's unless they name exactly who was asked for.
    fn check_issuer(&self, issuer: &Issuer, dialect: Dialect) -> Result<(), MetadataFault> {
        let wrong = |reason: String| Err(MetadataFault::Wrong(reason));
        let written = &issuer.identifier;
        let Some(Value::String(came)) = self.0.get("issuer") else {
            return wrong("the provider's metadata do not say whose they are: there is no issuer in them (is issuer right?)".into());
        };
        let is_same = came == written;
        if is_same || dialect.issuer_template && is_tenant_of(written, came) {
            return Ok(());
        }
        let bare = |text: &str| text.strip_suffix('/').unwrap_or(text).to_owned();
        let hint = if bare(came) == bare(written) {
            "only the '/' at the end differs, so write it as the provider does"
        } else {
            "they must be the same, character by character"
        };
        wrong(format!(
            "the metadata are those of '{}', and issuer is '{}': {hint}",
            printable::text(came),
            printable::text(written)
        ))
    }

    fn endpoint(&self, name: &str) -> Result<Option<Url>, MetadataFault> {
        let wrong =
            |why: String| MetadataFault::Wrong(format!("the provider's metadata are wrong: {why}"));
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.is_empty() => Ok(None),
            Some(Value::String(text)) => endpoint(name, text).map(Some).map_err(wrong),
            Some(_) => Err(wrong(format!("{name} is not a text"))),
        }
    }

    fn promises(&self, name: &str) -> bool {
        matches!(self.0.get(name), Some(Value::Bool(true)))
    }

    /// A list of words; some who have one word write it without the list.
    fn list(&self, name: &str) -> Vec<String> {
        let items = match self.0.get(name) {
            Some(Value::Array(items)) => items.as_slice(),
            Some(item) => std::slice::from_ref(item),
            None => &[],
        };
        let words = items.iter().filter_map(Value::as_str);
        // What cannot be printed as it is cannot be compared with anything either.
        let words = words.filter(|word| word.len() <= MAX_ITEM && printable::text(word) == **word);
        words.take(MAX_ITEMS).map(Into::into).collect()
    }
}

/// An endpoint that the provider publishes, held to the rules for one that is written down.
///
/// # Errors
/// What is wrong with it, safe to print.
fn endpoint(name: &str, text: &str) -> Result<Url, String> {
    config::endpoint::endpoint(text).map_err(|bad| {
        let why = match bad {
            BadUri::Unencrypted => "would be asked without encryption",
            BadUri::Scheme(_) => "is not a URL with https",
            BadUri::Fragment => "has a fragment",
            BadUri::Credentials => "has a user's name or password in it",
            BadUri::Blanks
            | BadUri::NoScheme
            | BadUri::NoHost(_)
            | BadUri::International
            | BadUri::NotAUri(_) => "is not a URL",
        };
        format!("{name} '{}' {why}", printable::text(text))
    })
}

/// Whether `came` is what Microsoft calls the issuer that it also knows as `written`: one part of
/// the path is a tenant's identifier, or stands for one, where `written` has an alias.
fn is_tenant_of(written: &str, came: &str) -> bool {
    let (written, came): (Vec<_>, Vec<_>) =
        (written.split('/').collect(), came.split('/').collect());
    if written.len() != came.len() {
        return false;
    }
    let mut differing = written
        .iter()
        .zip(&came)
        .enumerate()
        .filter(|(_, (a, b))| a != b);
    let (Some((at, (alias, tenant))), None) = (differing.next(), differing.next()) else {
        return false;
    };
    let stands_for_one = *tenant == TENANT || is_uuid(tenant) && !is_uuid(alias);
    at >= PATH_AT && !alias.is_empty() && stands_for_one
}

/// Whether it is written as tenants' identifiers are.
fn is_uuid(text: &str) -> bool {
    let lengths = text.split('-').map(str::len);
    lengths.eq([8, 4, 4, 4, 12])
        && text
            .bytes()
            .all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests;
