//! An answer of the provider, and what OAuth2 members its body has, be it JSON or a form.
//!
//! Reads and does not judge: statuses and error codes mean nothing here. Secrets go from the body
//! straight into buffers that are wiped; members that nobody knows are not stored at all.

use std::fmt;
use std::mem;

use serde::Deserialize;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::{form, json_text};

/// An HTTP answer of the provider.
#[derive(Clone, Copy)]
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

impl fmt::Debug for Answer<'_> {
    /// Leaves the body out, which may hold tokens.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("status", &self.status)
            .field("content_type", &self.content_type)
            .field("retry_after", &self.retry_after)
            .finish_non_exhaustive()
    }
}

/// What a body turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// An OAuth2 answer, or at least a whole object of whatever members.
    Whole,
    /// A JSON object that cannot be read to its end. The members before that place are there: the
    /// refresh token among them may be the only one that still works.
    Broken,
    /// Nothing at all.
    Empty,
    /// A page for people.
    WebPage,
    /// None of these.
    Other,
}

/// The members of an OAuth2 answer (RFC 6749 sections 5.1 and 5.2, RFC 8628 section 3.2).
#[derive(Default)]
pub(super) struct Members {
    pub(super) access_token: Member,
    pub(super) token_type: Member,
    pub(super) expires_in: Member,
    pub(super) refresh_token: Member,
    pub(super) scope: Member,
    pub(super) error: Member,
    pub(super) error_description: Member,
    pub(super) device_code: Member,
    pub(super) user_code: Member,
    pub(super) verification_uri: Member,
    /// What `verification_uri` was called before the RFC, and still is by some.
    pub(super) verification_url: Member,
    pub(super) verification_uri_complete: Member,
    pub(super) interval: Member,
}

/// One member of an answer.
#[derive(Default, PartialEq, Eq)]
pub(super) enum Member {
    /// It is not there, or has no value, which is the same (RFC 6749 section 3.1).
    #[default]
    Absent,
    /// Its text, or its number's digits; never empty.
    Text(Zeroizing<String>),
    /// It is there, but of a type that it cannot have, or twice with different values.
    Unusable,
}

/// The names of members.
#[derive(Clone, Copy, Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Name {
    AccessToken,
    TokenType,
    ExpiresIn,
    RefreshToken,
    Scope,
    Error,
    ErrorDescription,
    DeviceCode,
    UserCode,
    VerificationUri,
    VerificationUrl,
    VerificationUriComplete,
    Interval,
    #[serde(other)]
    Unknown,
}

/// Reads a body. JSON is told by how it begins, because some providers mislabel it; a form needs
/// its label, because any text can be read as one.
pub(super) fn read(content_type: Option<&str>, body: &[u8]) -> (Shape, Members) {
    let replaced;
    let text = if let Ok(text) = str::from_utf8(body) {
        text
    } else {
        replaced = form::lossy(body);
        &replaced
    };
    let text = trim(text);
    let content_type = content_type.map_or("", media_type);
    let is_html = content_type.eq_ignore_ascii_case("text/html");
    match text.as_bytes() {
        [] => (Shape::Empty, Members::default()),
        [b'{', ..] => read_json(text),
        [first, ..] if *first == b'<' || is_html => (Shape::WebPage, Members::default()),
        _ if may_be_form(content_type) => read_form(text),
        _ => (Shape::Other, Members::default()),
    }
}

/// `text` without what some put around a body.
pub(super) fn trim(text: &str) -> &str {
    text.trim_start_matches('\u{feff}').trim_ascii()
}

/// A Content-Type without its parameters.
fn media_type(content_type: &str) -> &str {
    let end = content_type.find(';').unwrap_or(content_type.len());
    content_type[..end].trim()
}

fn may_be_form(content_type: &str) -> bool {
    ["application/x-www-form-urlencoded", "text/plain"]
        .iter()
        .any(|form| content_type.eq_ignore_ascii_case(form))
}

fn read_form(text: &str) -> (Shape, Members) {
    let mut members = Members::default();
    for (name, value) in form::fields(text) {
        if let Some(member) = Name::of(&name).and_then(|name| members.slot(name)) {
            member.put(Member::of(value));
        }
    }
    // Without one of these it is just some text.
    let known = [
        &members.access_token,
        &members.refresh_token,
        &members.error,
        &members.device_code,
    ];
    if known.into_iter().all(|member| *member == Member::Absent) {
        return (Shape::Other, members);
    }
    (Shape::Whole, members)
}

fn read_json(text: &str) -> (Shape, Members) {
    let mut members = Members::default();
    let mut json = serde_json::Deserializer::from_str(text);
    // The parser's own errors are dropped: they say where, which helps nobody, and might say what.
    let whole = JsonObject(&mut members).deserialize(&mut json).is_ok() && json.end().is_ok();
    let shape = if whole { Shape::Whole } else { Shape::Broken };
    (shape, members)
}

impl Name {
    fn of(name: &str) -> Option<Self> {
        use serde::de::IntoDeserializer;
        use serde::de::value::{Error, StrDeserializer};
        let name: StrDeserializer<'_, Error> = name.into_deserializer();
        Self::deserialize(name).ok()
    }
}

impl Members {
    const fn slot(&mut self, name: Name) -> Option<&mut Member> {
        Some(match name {
            Name::AccessToken => &mut self.access_token,
            Name::TokenType => &mut self.token_type,
            Name::ExpiresIn => &mut self.expires_in,
            Name::RefreshToken => &mut self.refresh_token,
            Name::Scope => &mut self.scope,
            Name::Error => &mut self.error,
            Name::ErrorDescription => &mut self.error_description,
            Name::DeviceCode => &mut self.device_code,
            Name::UserCode => &mut self.user_code,
            Name::VerificationUri => &mut self.verification_uri,
            Name::VerificationUrl => &mut self.verification_url,
            Name::VerificationUriComplete => &mut self.verification_uri_complete,
            Name::Interval => &mut self.interval,
            Name::Unknown => return None,
        })
    }
}

impl Member {
    /// The text, where it has one.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Absent | Self::Unusable => None,
        }
    }

    /// The number that it is, or that it spells; infinite where that is beyond all measure.
    pub(super) fn number(&self) -> Option<f64> {
        let text = self.text()?.trim();
        // Keeps out the words that Rust takes for numbers, such as `inf` and `nan`.
        let is_numeric = |byte: u8| byte.is_ascii_digit() || b"+-.eE".contains(&byte);
        if !text.bytes().all(is_numeric) {
            return None;
        }
        text.parse().ok()
    }

    /// Takes the text out, without a copy of it.
    pub(super) fn take(&mut self) -> Option<String> {
        match mem::take(self) {
            Self::Text(mut text) => Some(mem::take(&mut *text)),
            Self::Absent | Self::Unusable => None,
        }
    }

    fn of(text: Zeroizing<String>) -> Self {
        if text.is_empty() {
            return Self::Absent;
        }
        Self::Text(text)
    }

    /// Reads a member of a JSON object.
    fn of_json(name: Name, raw: &str) -> Self {
        if let Some(text) = json_text::unescape(raw) {
            return Self::of(text);
        }
        match (name, raw.as_bytes()) {
            // Some write false where RFC 8259 has null: `"error": false`.
            (_, b"null" | b"false") => Self::Absent,
            // The number itself, because it may be beyond any type.
            (Name::ExpiresIn | Name::Interval | Name::UserCode, [b'-' | b'0'..=b'9', ..]) => {
                Self::of(raw.to_owned().into())
            }
            (Name::Scope, [b'[', ..]) => join(raw),
            _ => Self::Unusable,
        }
    }

    /// Where a member comes twice, only what both agree on counts.
    fn put(&mut self, next: Self) {
        if *self == Self::Absent {
            *self = next;
        } else if next != Self::Absent && next != *self {
            *self = Self::Unusable;
        }
    }
}

/// Some providers list scopes as a JSON array.
fn join(raw: &str) -> Member {
    let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(raw) else {
        return Member::Unusable;
    };
    let texts: Vec<_> = items
        .into_iter()
        .filter_map(|item| json_text::unescape(item.get()))
        .collect();
    let texts: Vec<&str> = texts.iter().map(|text| text.as_str()).collect();
    Member::of(texts.join(" ").into())
}

/// Reads a JSON object into members, which keep what was read where it breaks off.
struct JsonObject<'m>(&'m mut Members);

impl<'de> DeserializeSeed<'de> for JsonObject<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for JsonObject<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<Name>()? {
            let Some(member) = self.0.slot(name) else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            member.put(Member::of_json(name, map.next_value::<&RawValue>()?.get()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
