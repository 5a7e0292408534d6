//! What is known of providers: endpoints, mail scopes, and what they want or do otherwise than the
//! RFCs have it; by the name that an account gives, or by an endpoint of theirs.
//!
//! Knows nothing of accounts: what one writes itself, and which of this it needs, others decide.

mod presets;

use url::Url;

use self::presets::{GITLAB, MICROSOFT, NAMES, NO_DIALECT, Preset, YANDEX};
use super::Dialect;

/// What people call a provider by one of the names above.
const OTHER_NAMES: [(&str, &str); 9] = [
    ("gmail", "google"),
    ("googlemail", "google"),
    ("outlook", "microsoft"),
    ("hotmail", "microsoft-personal"),
    ("live", "microsoft-personal"),
    ("office365", "microsoft-work"),
    ("exchange", "microsoft-work"),
    ("m365", "microsoft-work"),
    ("azure", "microsoft-work"),
];

/// The names that stand for any tenant of theirs (Microsoft's identity platform documentation).
const MICROSOFT_ALIASES: [&str; 3] = ["common", "organizations", "consumers"];

/// A longer name is no host's or domain's (RFC 1035 section 2.3.4).
const MAX_NAME: usize = 253;

/// A provider as an account names it.
#[derive(Clone)]
pub(super) struct Provider {
    preset: &'static Preset,
    /// What `{}` in its URIs stands for.
    place: String,
}

/// Why a name is no provider's.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoProvider {
    /// It is not known; perhaps this one was meant.
    Unknown(Option<&'static str>),
    /// It is known that there is no access to mail with OAuth2.
    NoMail,
    /// What follows the colon is no tenant of Microsoft's.
    BadTenant,
    /// What follows the colon is no host.
    BadHost,
    /// Nothing may follow this name.
    OnlyOne(&'static str),
}

impl Provider {
    /// Finds the provider that `written` names.
    pub(super) fn find(written: &str) -> Result<Self, NoProvider> {
        let (name, place) = match written.split_once(':') {
            Some((name, place)) => (name, Some(place)),
            None => (written, None),
        };
        if name.eq_ignore_ascii_case("zoho") {
            return Err(NoProvider::NoMail);
        }
        let known = NAMES.iter().find(|(known, ..)| *known == name);
        let Some((name, preset, default_place)) = known else {
            return Err(NoProvider::Unknown(nearest(name)));
        };
        let place = match (place, *name) {
            (None, _) => *default_place,
            (Some(tenant), "microsoft") if is_tenant(tenant) => tenant,
            (Some(_), "microsoft") => return Err(NoProvider::BadTenant),
            (Some(host), "gitlab") if is_host(host) => host,
            (Some(_), "gitlab") => return Err(NoProvider::BadHost),
            (Some(_), _) => return Err(NoProvider::OnlyOne(name)),
        };
        Ok(Self {
            preset,
            place: place.into(),
        })
    }

    fn expand(&self, uri: &str) -> Option<Url> {
        Url::parse(&uri.replace("{}", &self.place)).ok()
    }

    /// The authorisation endpoint.
    pub(super) fn auth_uri(&self) -> Option<Url> {
        self.expand(self.preset.auth_uri)
    }

    /// The token endpoint.
    pub(super) fn token_uri(&self) -> Option<Url> {
        self.expand(self.preset.token_uri)
    }

    /// The device authorisation endpoint, where it can be used for what the scopes are for.
    pub(super) fn device_uri(&self) -> Option<Url> {
        self.expand(self.preset.device_uri?)
    }

    /// The revocation endpoint.
    pub(super) fn revoke_uri(&self) -> Option<Url> {
        self.expand(self.preset.revoke_uri?)
    }

    /// What a user is asked to allow.
    pub(super) const fn scopes(&self) -> &'static [&'static str] {
        self.preset.scopes
    }

    /// What a client asks for in its own name.
    pub(super) const fn client_scopes(&self) -> &'static [&'static str] {
        self.preset.client_scopes
    }

    /// What must be in the authorisation URL.
    pub(super) const fn auth_uri_fields(&self) -> &'static [(&'static str, &'static str)] {
        self.preset.auth_uri_fields
    }

    /// The redirect URI, where the usual one is not what the provider wants.
    pub(super) const fn redirect_uri(&self) -> Option<&'static str> {
        self.preset.redirect_uri
    }

    /// What it does otherwise than the RFCs have it.
    pub(super) const fn dialect(&self) -> Dialect {
        self.preset.dialect
    }

    /// Whether it is Microsoft, which refuses resource indicators (AADSTS901002).
    pub(super) fn is_microsoft(&self) -> bool {
        std::ptr::eq(self.preset, &MICROSOFT)
    }

    /// Whether it is Microsoft without a tenant being named, to which a client cannot speak for
    /// itself (Microsoft's documentation of the client credentials flow).
    pub(super) fn lacks_tenant(&self) -> bool {
        self.is_microsoft() && MICROSOFT_ALIASES.contains(&self.place.as_str())
    }
}

/// Whose token endpoint or issuer `uri` is, among those with rules of their own that hold for
/// whoever asks there, whether or not the account has named the provider.
fn preset_at(uri: &Url) -> Option<&'static Preset> {
    match uri.host_str()? {
        // The endpoints without a version are an older protocol.
        "login.microsoftonline.com" if uri.path().contains("/v2.0") => Some(&MICROSOFT),
        "oauth.yandex.com" | "oauth.yandex.ru" => Some(&YANDEX),
        "gitlab.com" => Some(&GITLAB),
        _ => None,
    }
}

/// What is done otherwise at the token endpoint or issuer `uri` than the RFCs have it.
pub(super) fn dialect_at(uri: &Url) -> Dialect {
    preset_at(uri).map_or(NO_DIALECT, |preset| preset.dialect)
}

/// Whether `uri` is a token endpoint or an issuer of Microsoft's.
pub(super) fn is_microsoft_at(uri: &Url) -> bool {
    preset_at(uri).is_some_and(|preset| std::ptr::eq(preset, &MICROSOFT))
}

/// Who will name itself when the browser comes back from `auth_uri`, as far as that is known.
pub(super) fn issuer_at(auth_uri: &Url) -> Option<&'static str> {
    let without_query = auth_uri.as_str().split('?').next().unwrap_or_default();
    let presets = NAMES.iter().map(|(_, preset, _)| preset);
    presets
        .filter(|preset| preset.auth_uri == without_query)
        .find_map(|preset| preset.issuer)
}

/// The names of the providers, one for each. The examples and the man page are held against these.
pub fn names() -> impl Iterator<Item = &'static str> {
    let names = NAMES.iter().map(|(name, ..)| *name);
    names.filter(|name| *name != "mail.ru")
}

/// The name that was probably meant.
fn nearest(name: &str) -> Option<&'static str> {
    if name.len() > MAX_NAME {
        return None;
    }
    let name = name.to_ascii_lowercase();
    if let Some((_, known)) = OTHER_NAMES.iter().find(|(other, _)| *other == name) {
        return Some(known);
    }
    let most = (name.len() / 3).max(1);
    names()
        .map(|known| (strsim::osa_distance(&name, known), known))
        .filter(|(edits, _)| *edits <= most)
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, known)| known)
}

/// A tenant is named by its GUID, by a domain, or by an alias for several.
fn is_tenant(text: &str) -> bool {
    let is_guid = text.len() == 36
        && text.char_indices().all(|(at, character)| match at {
            8 | 13 | 18 | 23 => character == '-',
            _ => character.is_ascii_hexdigit(),
        });
    is_guid || MICROSOFT_ALIASES.contains(&text) || is_domain(text)
}

/// A host and perhaps a port.
fn is_host(text: &str) -> bool {
    let (host, port) = text.split_once(':').unwrap_or((text, "443"));
    is_domain(host) && port.parse::<u16>().is_ok_and(|port| port > 0)
}

/// At least two labels (RFC 1123 section 2.1).
fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        !label.is_empty()
            && label.bytes().all(allowed)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= MAX_NAME && text.contains('.') && text.split('.').all(is_label)
}

#[cfg(test)]
mod tests;
