//! Device codes: forms for the device authorisation endpoint and for polling, and what the answers
//! mean (RFC 8628).
//!
//! Neither waits nor counts: how often a question was asked and for how long is for others to know.

use std::time::Duration;

use super::answer::{self, Member, Members, Shape};
use super::printable;
use super::token::{self, Answer, Failure, FailureKind, Grant, TokenRequest};
use super::verdict::{self, Cause, Fault};
use crate::clock::Timestamp;
use crate::config::{Authority, Dialect, endpoint};
use crate::oauth::client::Authentication;
use crate::secret::DeviceCode;

/// The `grant_type` of a poll (RFC 8628 section 3.4).
const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// Between two questions, where the provider names no interval (RFC 8628 section 3.2).
const DEFAULT_INTERVAL: Duration = Duration::from_secs(5);
/// Longer intervals are slips, milliseconds for example: nobody would wait so long after having
/// typed a code.
const MAX_INTERVAL: Duration = Duration::from_secs(60);
/// A code's life, where the provider does not name it, although it must (RFC 8628 section 3.2):
/// as long as those of Microsoft and GitHub.
const DEFAULT_LIFETIME: Duration = Duration::from_secs(15 * 60);
/// Who has not typed a code in an hour has gone, and asking goes on for as long as it lives.
const MAX_LIFETIME: Duration = Duration::from_secs(60 * 60);
/// More than anyone would type.
const MAX_USER_CODE: usize = 64;
/// More than a terminal shows or a QR code holds with ease.
const MAX_URI: usize = 1024;

/// A code for the user to type into a browser anywhere (RFC 8628 section 3.2).
#[derive(Debug)]
pub struct DeviceAuthorization {
    /// What the token endpoint is asked with; never shown.
    pub device_code: DeviceCode,
    /// What the user types; safe to print.
    pub user_code: String,
    /// Where; http or https, and safe to print.
    pub verification_uri: String,
    /// The same with the code in it, where the provider has such a thing.
    pub verification_uri_complete: Option<String>,
    /// How long the code is good.
    pub lifetime: Duration,
    /// How long to wait between two questions, at least.
    pub interval: Duration,
}

/// A question for the token that brought none (RFC 8628 section 3.5).
#[derive(Debug)]
pub enum PollFailure {
    /// The user has not decided yet.
    Pending,
    /// The same, and the questions come too often: ask less often from now on, for good.
    SlowDown,
    /// The code is good no more.
    Expired,
    /// The user refused, or the provider did; safe to print.
    Refused(String),
    /// Anything else. What may pass leaves the code alone.
    Failed(Failure),
}

/// The form that asks for a device code (RFC 8628 section 3.1).
#[must_use]
pub fn authorization_request(
    authority: &Authority,
    authentication: &Authentication,
    dialect: Dialect,
) -> TokenRequest {
    let scope = authority.scopes.join(" ");
    let fields = [("scope", scope.as_str())];
    let fields = if scope.is_empty() { &[] } else { &fields[..] };
    // Yandex wants the identifier in the body, and no secret before there is something to give.
    let authentication = if dialect.yandex {
        &Authentication::None
    } else {
        authentication
    };
    token::request(authority, authentication, fields)
}

/// What an answer of the device authorisation endpoint means (RFC 8628 section 3.2); `now` is for
/// a Retry-After that names a date.
///
/// # Errors
/// Whenever it brings no code that a person can use. No token is at stake here, so every error in
/// OAuth2's words is final that does not call itself passing.
pub fn parse_authorization(
    answer: Answer<'_>,
    now: Timestamp,
) -> Result<DeviceAuthorization, Failure> {
    let (shape, mut members) = answer::read(answer.content_type, answer.body);
    let cause = |error: &str| cause(error, Cause::Misconfigured);
    verdict::DEVICE
        .success(answer.status, shape, &members, cause)
        .and_then(|()| authorization(answer.status, &mut members))
        .map_err(|fault| fault.into_failure(answer, now, None))
        .map_err(|failure| with_hint(failure, &members))
}

/// The form that asks whether the user has decided (RFC 8628 section 3.4).
#[must_use]
pub fn poll_request(
    authority: &Authority,
    authentication: &Authentication,
    dialect: Dialect,
    device_code: &DeviceCode,
) -> TokenRequest {
    let code = device_code.expose();
    let grant = if dialect.yandex {
        [("grant_type", "device_code"), ("code", code)]
    } else {
        [("grant_type", GRANT_TYPE), ("device_code", code)]
    };
    token::request(authority, authentication, &grant)
}

/// What an answer to a poll means (RFC 8628 section 3.5); `now` is for a Retry-After that names a
/// date.
///
/// # Errors
/// Whenever it brings no access token. [`FailureKind::InvalidGrant`] says that the code is dead,
/// as is every error in OAuth2's words that does not call itself passing.
pub fn parse_poll(answer: Answer<'_>, now: Timestamp) -> Result<Grant, PollFailure> {
    let (shape, members) = answer::read(answer.content_type, answer.body);
    if let Some(failure) = undecided_or_refused(answer.status, shape, &members) {
        return Err(failure);
    }
    let hint = members.error.text().and_then(hint);
    let cause = |error: &str| cause(error, Cause::InvalidGrant);
    token::grant(answer, shape, members, now, cause)
        .map_err(|failure| PollFailure::Failed(hinted(failure, hint)))
}

/// The errors that only a poll has (RFC 8628 section 3.5).
fn undecided_or_refused(status: u16, shape: Shape, members: &Members) -> Option<PollFailure> {
    let error = members.error.text()?;
    // As everywhere, an error beside a token contradicts it.
    if shape != Shape::Whole || verdict::has_token(members) {
        return None;
    }
    match error {
        // They cost nothing but another question, so any status will do: Google has 428 for the
        // first, and 403 for the second.
        "authorization_pending" => Some(PollFailure::Pending),
        "slow_down" => Some(PollFailure::SlowDown),
        _ if !is_decision_status(status) => None,
        // The second is from before the RFC.
        "expired_token" | "code_expired" => Some(PollFailure::Expired),
        // The second is Microsoft's.
        "access_denied" | "authorization_declined" => {
            Some(PollFailure::Refused(verdict::words(members)))
        }
        _ => None,
    }
}

/// Google and Auth0 tell with 403 what was decided.
const fn is_decision_status(status: u16) -> bool {
    verdict::is_oauth_status(status) || status == 403
}

/// What follows from an error code: it ends the login, by `otherwise` where the configuration
/// cannot be to blame (RFC 8628 section 3.5 has the client stop), unless it says of itself that it
/// may pass, or is not spelled as OAuth2's codes are.
fn cause(error: &str, otherwise: Cause) -> Cause {
    match error {
        "server_error"
        | "temporarily_unavailable"
        | "slow_down"
        | "rate_limit_exceeded"
        | "too_many_requests" => Cause::MayPass,
        "invalid_client"
        | "unauthorized_client"
        | "invalid_scope"
        | "invalid_target"
        | "unsupported_grant_type"
        // GitHub's.
        | "device_flow_disabled"
        | "incorrect_client_credentials" => Cause::Misconfigured,
        _ if is_spelled_as_a_code(error) => otherwise,
        _ => Cause::MayPass,
    }
}

/// All codes of the RFCs and of the known providers look like this; what a proxy writes into an
/// `error` hardly ever does.
fn is_spelled_as_a_code(error: &str) -> bool {
    let in_code = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    error.bytes().all(in_code)
}

fn with_hint(failure: Failure, members: &Members) -> Failure {
    hinted(failure, members.error.text().and_then(hint))
}

/// Adds what to look at, where it is for people to do something.
fn hinted(mut failure: Failure, hint: Option<&str>) -> Failure {
    let is_for_people = failure.kind == FailureKind::Misconfigured;
    if let Some(hint) = hint.filter(|_| is_for_people) {
        failure.reason.push_str(hint);
    }
    failure
}

fn hint(error: &str) -> Option<&'static str> {
    match error {
        "unauthorized_client" | "unsupported_grant_type" | "device_flow_disabled" => {
            Some(" (is the device flow enabled for this client at the provider?)")
        }
        "invalid_scope" => Some(" (does the provider grant these scopes by device code?)"),
        _ => None,
    }
}

/// The members of a success.
fn authorization(status: u16, members: &mut Members) -> Result<DeviceAuthorization, Fault> {
    let missing = |name: &str| Fault::passing(format!("HTTP {status} without a {name}"));
    let device_code = members.device_code.take();
    let device_code = device_code.ok_or_else(|| missing("device_code"))?;
    let user_code = members.user_code.text();
    let user_code = user_code.ok_or_else(|| missing("user_code"))?;
    let uri = members.verification_uri.text();
    let uri = uri.or_else(|| members.verification_url.text());
    let uri = uri.ok_or_else(|| missing("verification_uri"))?;
    let lifetime = lifetime(&members.expires_in);
    Ok(DeviceAuthorization {
        device_code: DeviceCode::new(device_code),
        user_code: readable_code(user_code)?,
        verification_uri: web_address(uri).ok_or_else(|| bad_uri(uri))?,
        verification_uri_complete: members
            .verification_uri_complete
            .text()
            .and_then(web_address),
        lifetime,
        interval: interval(&members.interval, lifetime),
    })
}

/// The code as a person reads it from a screen.
fn readable_code(raw: &str) -> Result<String, Fault> {
    let code = printable::code(raw);
    if code.is_empty() || code.chars().count() > MAX_USER_CODE {
        let reason = "the provider sent a user_code that nobody can type";
        return Err(Fault::passing(reason));
    }
    Ok(code)
}

/// `raw` as a browser reads it, if that leads to a web page: written in ASCII, with names of hosts
/// in other scripts spelled out, so that it looks like nothing but what it is.
fn web_address(raw: &str) -> Option<String> {
    let url = endpoint::parse(raw.trim()).ok()?;
    let is_web = matches!(url.scheme(), "http" | "https");
    // What stands before an '@' is there to be taken for the host.
    let is_plain = url.username().is_empty() && url.password().is_none();
    let url = String::from(url);
    (is_web && is_plain && url.len() <= MAX_URI).then_some(url)
}

fn bad_uri(raw: &str) -> Fault {
    let raw = printable::text(raw);
    Fault::passing(format!(
        "the provider sent the verification_uri '{raw}', which no browser should be sent to"
    ))
}

fn lifetime(expires_in: &Member) -> Duration {
    // A life of no length is a slip: whether the code is good is told when it is used.
    seconds(expires_in).map_or(DEFAULT_LIFETIME, |lifetime| lifetime.min(MAX_LIFETIME))
}

fn interval(interval: &Member, lifetime: Duration) -> Duration {
    seconds(interval)
        .filter(|interval| *interval <= MAX_INTERVAL && *interval < lifetime)
        .unwrap_or(DEFAULT_INTERVAL)
}

/// A number of seconds, rounded up; `None` where it is not above zero.
fn seconds(member: &Member) -> Option<Duration> {
    let seconds = member
        .number()?
        .ceil()
        .min(token::MAX_LIFETIME.as_secs_f64());
    let seconds = Duration::try_from_secs_f64(seconds).ok()?;
    Some(seconds).filter(|seconds| !seconds.is_zero())
}

#[cfg(test)]
mod tests;
