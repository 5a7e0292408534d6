//! What providers answer. The first line of an input is the status, the media type and, after a
//! bar, the Retry-After header; the body follows.

use std::time::Duration;

use pizauth::clock::Timestamp;
use pizauth::config::{self, Dialect, Issuer};
use pizauth::oauth::device::{self, PollFailure};
use pizauth::oauth::endpoints::Endpoints;
use pizauth::oauth::metadata::{self, MetadataFault};
use pizauth::oauth::token::{self, Answer, Failure, FailureKind, Grant};
use pizauth::oauth::{printable, revocation};
use serde_json::Value;
use url::{Host, Url};

use super::{SECRET, assert_line, split_line};

/// The longest that a provider can make us wait.
const AN_HOUR: Duration = Duration::from_secs(60 * 60);
const A_MINUTE: Duration = Duration::from_secs(60);
const ISSUER: &str = "https://login.example/tenant";
/// 10 March 2025, 12:25:00 UTC.
const NOW: i64 = 1_741_609_500;
/// The members whose text is shown to people.
const SHOWN: [&str; 4] = [
    "\"error\"",
    "\"error_description\"",
    "\"token_type\"",
    "\"verification_ur",
];

fn answer(data: &[u8]) -> Answer<'_> {
    let (line, body) = split_line(data);
    let (line, retry_after) = match line.split_once('|') {
        Some((line, header)) => (line, Some(header)),
        None => (line, None),
    };
    let (status, content_type) = line.split_once(' ').unwrap_or((line, ""));
    Answer {
        status: status.parse().unwrap_or(200),
        content_type: Some(content_type).filter(|it| !it.is_empty()),
        retry_after,
        body,
    }
}

fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap_or_default()
}

/// An answer of the token endpoint.
pub(crate) fn token_answer(data: &[u8]) {
    let answer = answer(data);
    match token::parse(answer, now()) {
        Ok(grant) => assert_grant(answer, &grant),
        Err(failure) => assert_failure(answer, &failure),
    }
}

fn assert_grant(answer: Answer<'_>, grant: &Grant) {
    assert!(matches!(answer.status, 200..=299));
    let token = grant.access_token.expose();
    assert!(token.bytes().all(|byte| matches!(byte, b' '..=b'~')));
    assert!(!token.trim().is_empty());
    assert!(grant.lifetime != Some(Duration::ZERO));
    assert!(grant.lifetime.is_none_or(|it| it <= token::MAX_LIFETIME));
    let refresh_token = grant.refresh_token.as_ref();
    assert!(refresh_token.is_none_or(|it| !it.expose().is_empty()));
    grant.scope.as_deref().into_iter().for_each(assert_scope);
}

fn assert_scope(scope: &str) {
    assert!(!scope.is_empty());
    assert_eq!(printable::scope(scope), scope);
}

fn assert_failure(answer: Answer<'_>, failure: &Failure) {
    assert_reason(answer, &failure.reason);
    assert!(
        failure
            .rotated
            .as_ref()
            .is_none_or(|it| !it.expose().is_empty())
    );
    match failure.kind {
        FailureKind::Passing { retry_after } => {
            assert!(retry_after.is_none_or(|wait| wait <= AN_HOUR));
        }
        FailureKind::InvalidGrant => {
            assert_final(answer);
            assert!(may_say(answer.body, "invalid_grant"), "nobody said so");
            assert!(failure.rotated.is_none(), "a token came with it");
        }
        FailureKind::Misconfigured => assert_final(answer),
    }
}

/// Only where OAuth2 reports errors can one be final.
fn assert_final(answer: Answer<'_>) {
    assert!(matches!(answer.status, 200..=299 | 400 | 401), "{answer:?}");
}

/// Whether `body` can have `word` in it; it may be spelled with escapes.
fn may_say(body: &[u8], word: &str) -> bool {
    let text = String::from_utf8_lossy(body);
    text.contains(['\\', '%']) || text.contains(word)
}

fn assert_reason(answer: Answer<'_>, reason: &str) {
    assert_line(reason);
    if is_silent_of_secrets(answer.body) {
        assert!(!reason.contains(SECRET), "{reason}");
    }
}

/// Whether no member of a JSON object that is shown to people has a secret in it. The provider's
/// own words are shown, whatever they are.
fn is_silent_of_secrets(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body);
    let is_plain = !text.contains('\\') && SHOWN.iter().all(|it| text.matches(it).count() <= 1);
    let Ok(Value::Object(members)) = serde_json::from_str(&text) else {
        return false;
    };
    let shows = |(name, value): (&String, &Value)| {
        SHOWN.iter().any(|it| format!("\"{name}\"").starts_with(it))
            && value.to_string().contains(SECRET)
    };
    is_plain && !members.iter().any(shows)
}

/// An answer of the device authorisation endpoint.
pub(crate) fn device_answer(data: &[u8]) {
    let answer = answer(data);
    let authorization = match device::parse_authorization(answer, now()) {
        Ok(authorization) => authorization,
        Err(failure) => {
            assert!(failure.rotated.is_none());
            assert!(failure.kind != FailureKind::InvalidGrant);
            return assert_failure(answer, &failure);
        }
    };
    assert!(!authorization.device_code.expose().is_empty());
    assert_line(&authorization.user_code);
    let complete = authorization.verification_uri_complete.iter();
    for uri in complete.chain([&authorization.verification_uri]) {
        assert_line(uri);
        assert!(
            uri.starts_with("https://") || uri.starts_with("http://"),
            "{uri}"
        );
        assert!(uri.is_ascii() && !uri.contains(' '), "{uri}");
    }
    let (lifetime, interval) = (authorization.lifetime, authorization.interval);
    assert!(!lifetime.is_zero() && lifetime <= AN_HOUR, "{lifetime:?}");
    assert!(!interval.is_zero() && interval <= A_MINUTE, "{interval:?}");
}

/// An answer to the question whether the user has typed the code.
pub(crate) fn device_poll(data: &[u8]) {
    let answer = answer(data);
    match device::parse_poll(answer, now()) {
        Ok(grant) => assert_grant(answer, &grant),
        Err(PollFailure::Pending) => {
            assert!(may_say(answer.body, "authorization_pending"));
        }
        Err(PollFailure::SlowDown) => assert!(may_say(answer.body, "slow_down")),
        Err(PollFailure::Expired) => assert!(may_say(answer.body, "expired")),
        Err(PollFailure::Refused(reason)) => assert_reason(answer, &reason),
        Err(PollFailure::Failed(failure)) => {
            assert_reason(answer, &failure.reason);
            if !matches!(failure.kind, FailureKind::Passing { .. }) {
                assert_final(answer);
            }
        }
    }
}

/// An answer of the revocation endpoint.
pub(crate) fn revocation(data: &[u8]) {
    let answer = answer(data);
    match revocation::parse(answer) {
        Ok(()) => assert_final(answer),
        Err(reason) => assert_reason(answer, &reason),
    }
}

/// A provider's metadata, and what is made of them. The body can also be an issuer.
pub(crate) fn discovery(data: &[u8]) {
    let answer = answer(data);
    assert_locations(&String::from_utf8_lossy(answer.body));
    let Some(issuer) = issuer(ISSUER) else {
        panic!("the issuer is wrong");
    };
    for issuer_template in [false, true] {
        let dialect = Dialect {
            issuer_template,
            ..Dialect::default()
        };
        let metadata = match metadata::parse(&issuer, dialect, answer) {
            Ok(metadata) => metadata,
            Err(fault) => {
                assert_line(&fault.to_string());
                let first = MetadataFault::NotThere;
                assert_eq!(first.or(fault.clone()), fault);
                continue;
            }
        };
        assert!(matches!(answer.status, 200..=299));
        assert!(issuer_template || may_say(answer.body, ISSUER));
        assert_metadata(&metadata);
    }
}

fn assert_metadata(metadata: &metadata::Metadata) {
    let endpoints = [
        &metadata.authorization_endpoint,
        &metadata.token_endpoint,
        &metadata.device_authorization_endpoint,
        &metadata.revocation_endpoint,
    ];
    endpoints.into_iter().flatten().for_each(assert_endpoint);
    let words = [
        &metadata.token_endpoint_auth_methods,
        &metadata.code_challenge_methods,
        &metadata.grant_types,
        &metadata.scopes,
    ];
    for word in words.into_iter().flatten().filter(|it| !it.is_empty()) {
        assert_line(word);
    }
    let text = format!("account \"a\" {{ issuer = \"{ISSUER}\"; client_id = \"i\"; }}");
    let Ok(config) = config::parse(&text, "pizauth.conf") else {
        panic!("the configuration is wrong");
    };
    for account in &config.accounts {
        match Endpoints::discovered(account, metadata) {
            Ok(endpoints) => assert_endpoint(&endpoints.token_uri),
            Err(why) => assert_line(&why),
        }
    }
}

/// Secrets may go there.
fn assert_endpoint(endpoint: &Url) {
    let is_here = match endpoint.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    };
    let is_guarded = endpoint.scheme() == "https" || endpoint.scheme() == "http" && is_here;
    assert!(is_guarded, "{endpoint}");
    assert!(endpoint.fragment().is_none(), "{endpoint}");
    assert!(endpoint.username().is_empty() && endpoint.password().is_none());
}

fn issuer(identifier: &str) -> Option<Issuer> {
    Some(Issuer {
        identifier: identifier.into(),
        uri: config::endpoint::parse(identifier).ok()?,
        discovery: true,
    })
}

/// Whoever the issuer is, nobody else is asked for its metadata.
fn assert_locations(identifier: &str) {
    let Some(issuer) = issuer(identifier).filter(|it| matches!(it.uri.scheme(), "http" | "https"))
    else {
        return;
    };
    let locations = metadata::locations(&issuer);
    assert!((1..=3).contains(&locations.len()));
    for location in locations {
        assert_eq!(location.origin(), issuer.uri.origin());
        assert!(location.path().contains("/.well-known/"), "{location}");
        assert!(location.query().is_none() && location.fragment().is_none());
    }
}

/// A Retry-After header, after a line with the time that it is, in seconds since 1970.
pub(crate) fn retry_after(data: &[u8]) {
    let (line, header) = split_line(data);
    let Ok(header) = str::from_utf8(header) else {
        return;
    };
    let Ok(now) = Timestamp::from_second(line.parse().unwrap_or(NOW)) else {
        return;
    };
    let answer = Answer {
        status: 503,
        content_type: None,
        retry_after: Some(header),
        body: b"",
    };
    let wait = match token::parse(answer, now).map_err(|failure| failure.kind) {
        Err(FailureKind::Passing { retry_after }) => retry_after,
        other => panic!("a passing failure became {other:?}"),
    };
    assert!(wait.is_none_or(|wait| wait <= AN_HOUR), "{wait:?}");
    if let Ok(seconds) = header.trim().parse::<u32>()
        && !header.contains('+')
    {
        let told = Duration::from_secs(seconds.into());
        assert_eq!(wait, Some(told.min(AN_HOUR)), "{header}");
    }
    if let Err(told) = revocation::parse(answer) {
        assert_line(&told);
    }
}
