//! The revocation endpoint: forms to send, and whether the provider did as it was told (RFC 7009).
//!
//! Knows no token's life: what is forgotten here and in which order tokens are revoked is for
//! others to say.

use super::answer::{self, Member, Shape};
use super::token::{self, Answer, TokenRequest};
use super::{retry_after, verdict};
use crate::config::{Authority, Dialect};
use crate::oauth::client::Authentication;
use crate::secret::{AccessToken, RefreshToken};

/// A longer wait is not told to people: nobody sits it out.
const MAX_SECONDS_TOLD: u64 = 60 * 60;

/// What is to be revoked. The refresh token goes first: with it go the access tokens that came of
/// it, where the provider can do that (RFC 7009 section 2.1).
#[derive(Clone, Copy, Debug)]
pub enum Token<'a> {
    /// A refresh token.
    Refresh(&'a RefreshToken),
    /// An access token.
    Access(&'a AccessToken),
}

impl Token<'_> {
    /// Whether a provider of this dialect can be asked to revoke it at all: Yandex takes access
    /// tokens only, and its refresh tokens die with them.
    #[must_use]
    pub const fn is_revocable(&self, dialect: Dialect) -> bool {
        matches!(self, Self::Access(_)) || !dialect.yandex
    }

    fn expose(&self) -> &str {
        match self {
            Self::Refresh(token) => token.expose(),
            Self::Access(token) => token.expose(),
        }
    }

    /// Its `token_type_hint` (RFC 7009 section 2.1).
    const fn hint(&self) -> &'static str {
        match self {
            Self::Refresh(_) => "refresh_token",
            Self::Access(_) => "access_token",
        }
    }
}

/// The form that revokes a token (RFC 7009 section 2.1); there is no `resource` in it.
#[must_use]
pub fn request(
    authority: &Authority,
    authentication: &Authentication,
    dialect: Dialect,
    token: Token<'_>,
) -> TokenRequest {
    let fields = if dialect.yandex {
        vec![("access_token", token.expose())]
    } else {
        vec![("token", token.expose()), ("token_type_hint", token.hint())]
    };
    token::authenticated(&authority.client_id, authentication, fields)
}

/// Whether the token is good no more.
///
/// # Errors
/// The reason why it may still be good, safe to print.
pub fn parse(answer: Answer<'_>) -> Result<(), String> {
    let (shape, members) = answer::read(answer.content_type, answer.body);
    let status = answer.status;
    if members.error != Member::Absent {
        let error = members.error.text();
        // RFC 7009 section 2.2 wants this to be a success, since there is nothing left to do, and
        // some call it an error all the same.
        if verdict::is_oauth_status(status) && error == Some("invalid_token") {
            return Ok(());
        }
        let reason = verdict::REVOCATION.provider_error(status, &members);
        let hint = error.map_or("", hint);
        return Err(format!("{reason}{hint}{}", later(answer)));
    }
    if !verdict::is_success(status) {
        let reason = verdict::REVOCATION.status_alone(status);
        return Err(format!("{reason}{}", later(answer)));
    }
    // The body of a success is of no matter (RFC 7009 section 2.2), unless it is a page that
    // somebody on the way has put there.
    if shape == Shape::WebPage {
        return Err(verdict::REVOCATION.without_members(status, shape));
    }
    Ok(())
}

/// Whether the client itself was refused, so that a newer secret may help (RFC 7009 section 2.2.1).
#[must_use]
pub fn refuses_client(answer: Answer<'_>) -> bool {
    let (_, members) = answer::read(answer.content_type, answer.body);
    members.error.text() == Some("invalid_client")
}

/// What an error code means here.
fn hint(error: &str) -> &'static str {
    match error {
        "unsupported_token_type" => " (the provider does not revoke tokens of this kind)",
        _ => "",
    }
}

/// When the provider wants to be asked again, if it says so in seconds.
fn later(answer: Answer<'_>) -> String {
    let header = answer.retry_after.map(str::trim).unwrap_or_default();
    let wait = retry_after::seconds(header).map_or(0, |wait| wait.as_secs());
    match wait {
        1..=MAX_SECONDS_TOLD => format!(", to be tried again in {wait} seconds"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests;
