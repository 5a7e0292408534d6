//! Whether an answer is a success, and if not, what to say of it and what follows: the rules that
//! all of the provider's endpoints share.
//!
//! Knows no endpoint's own error codes: whoever asks says what those mean.

use std::time::Duration;

use super::answer::{Answer, Member, Members, Shape};
use super::{printable, retry_after};
use crate::clock::Timestamp;
use crate::secret::RefreshToken;

/// A request to the provider that did not bring what was asked for.
#[derive(Debug)]
pub struct Failure {
    /// What follows from it.
    pub kind: FailureKind,
    /// What the provider said, or what went wrong on the way: safe to print, and with no full
    /// stop but the provider's own.
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
    /// `invalid_client`, `unauthorized_client`, `invalid_scope` and their like: the configuration
    /// is wrong, here or at the provider.
    Misconfigured,
}

/// Who was asked, and for what: only for words.
#[derive(Clone, Copy)]
pub(super) struct Asked {
    /// The option that says where to ask.
    option: &'static str,
    /// What should have come.
    wanted: &'static str,
}

/// The token endpoint (RFC 6749 section 3.2).
pub(super) const TOKEN: Asked = Asked {
    option: "token_uri",
    wanted: "a token",
};
/// The device authorisation endpoint (RFC 8628 section 3.1).
pub(super) const DEVICE: Asked = Asked {
    option: "device_uri",
    wanted: "a device code",
};
/// The revocation endpoint (RFC 7009 section 2).
pub(super) const REVOCATION: Asked = Asked {
    option: "revoke_uri",
    wanted: "a confirmation",
};
/// Where the metadata are (RFC 8414 section 3).
pub(super) const METADATA: Asked = Asked {
    option: "issuer",
    wanted: "the provider's metadata",
};

/// Why something did not come.
pub(super) struct Fault {
    cause: Cause,
    reason: String,
}

/// What kind of failure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    MayPass,
    InvalidGrant,
    Misconfigured,
}

impl Fault {
    pub(super) fn passing(reason: impl Into<String>) -> Self {
        Self {
            cause: Cause::MayPass,
            reason: reason.into(),
        }
    }

    /// The failure that is told, with what else came in `answer`.
    pub(super) fn into_failure(
        self,
        answer: Answer<'_>,
        now: Timestamp,
        rotated: Option<RefreshToken>,
    ) -> Failure {
        let kind = match self.cause {
            Cause::MayPass => FailureKind::Passing {
                retry_after: retry_after(answer, now),
            },
            Cause::InvalidGrant => FailureKind::InvalidGrant,
            Cause::Misconfigured => FailureKind::Misconfigured,
        };
        Failure {
            kind,
            reason: self.reason,
            rotated,
        }
    }
}

fn retry_after(answer: Answer<'_>, now: Timestamp) -> Option<Duration> {
    retry_after::parse(answer.retry_after?, now)
}

impl Asked {
    /// Whether an answer is a success, as far as its status and its error tell. `cause` says what
    /// follows from an error code.
    ///
    /// An error is final only where OAuth2 reports errors (RFC 6749 section 5.2; some do it with
    /// HTTP 200), and never beside a token, which contradicts it.
    pub(super) fn success(
        self,
        status: u16,
        shape: Shape,
        members: &Members,
        cause: impl FnOnce(&str) -> Cause,
    ) -> Result<(), Fault> {
        if shape != Shape::Whole {
            return Err(Fault::passing(self.without_members(status, shape)));
        }
        if members.error != Member::Absent {
            let is_final = is_oauth_status(status) && !has_token(members);
            // Compared as it was sent: what only looks like a code after cleaning is not one.
            let error = members.error.text().filter(|_| is_final);
            return Err(Fault {
                cause: error.map_or(Cause::MayPass, cause),
                reason: self.provider_error(status, members),
            });
        }
        if !is_success(status) {
            return Err(Fault::passing(self.status_alone(status)));
        }
        Ok(())
    }

    /// An error in the provider's words, with the status where that says more than they do.
    pub(super) fn provider_error(self, status: u16, members: &Members) -> String {
        let words = words(members);
        if is_oauth_status(status) {
            return words;
        }
        format!("HTTP {status}: {words}{}", self.hint(status))
    }

    /// What to say of an answer that has nothing of OAuth2 in it.
    pub(super) fn without_members(self, status: u16, shape: Shape) -> String {
        if !is_success(status) {
            return self.status_alone(status);
        }
        let Self { option, wanted } = self;
        let came = match shape {
            Shape::WebPage => {
                format!("a web page instead of {wanted} (a captive portal or proxy?)")
            }
            Shape::Empty => format!("an empty body instead of {wanted}"),
            Shape::Broken => "a JSON object that is broken or cut off".into(),
            Shape::Other | Shape::Whole => {
                format!("something other than {wanted} (is {option} right?)")
            }
        };
        format!("HTTP {status} with {came}")
    }

    /// What to say where there is nothing but a status.
    pub(super) fn status_alone(self, status: u16) -> String {
        format!("HTTP {status}{}", self.hint(status))
    }

    fn hint(self, status: u16) -> String {
        let option = self.option;
        match status {
            300..=399 => format!(" (a redirect, which is not followed: is {option} right?)"),
            404 | 405 | 410 => format!(" (is {option} right?)"),
            407 => " (the proxy wants a login)".into(),
            429 => " (too many requests)".into(),
            511 => " (a captive portal?)".into(),
            _ => String::new(),
        }
    }
}

/// The provider's own words for an error, made safe to print.
pub(super) fn words(members: &Members) -> String {
    let error = members.error.text().map(printable::code);
    let error = error
        .filter(|error| !error.is_empty())
        .unwrap_or_else(|| "an error that is not named as OAuth2 wants it".into());
    let description = members.error_description.text().map(printable::text);
    match description.filter(|text| !text.is_empty()) {
        Some(description) => format!("{error}: {description}"),
        None => error,
    }
}

/// Whether an answer has a token in it.
pub(super) fn has_token(members: &Members) -> bool {
    members.access_token != Member::Absent || members.refresh_token != Member::Absent
}

/// Whether a request was carried out, if the status is to be believed.
pub(super) const fn is_success(status: u16) -> bool {
    matches!(status, 200..=299)
}

/// Whether OAuth2 itself may be speaking. Proxies, portals and overloaded front ends answer with
/// the other statuses, whatever is in their bodies.
pub(super) const fn is_oauth_status(status: u16) -> bool {
    is_success(status) || matches!(status, 400 | 401)
}
