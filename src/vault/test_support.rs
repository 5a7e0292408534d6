//! Builders that the vault's tests share.

use std::sync::Arc;
use std::time::Duration;

use url::Url;

use crate::clock::{Moment, Now, Timestamp};
use crate::config::{
    Account, AccountName, Authority, ClientAuth, Config, Dialect, GrantType, HttpsCertificate,
    Listen, RedirectUri, RefreshPolicy,
};
use crate::oauth::authorize::{AuthorizationError, AuthorizationRequest, Callback};
use crate::oauth::device::DeviceAuthorization;
use crate::oauth::endpoints::ExpectedIssuer;
use crate::oauth::token::{Failure, FailureKind, Grant};
use crate::secret::{AccessToken, AuthState, Code, DeviceCode, RefreshToken, Verifier};
use crate::vault::snapshot::ReadDump;
use crate::vault::token::{Access, Exchanging, Means, Policy, RenewableLogin, TokenState};

/// A dump that must be one.
pub(super) fn read(text: &str) -> ReadDump {
    ReadDump::read(text).unwrap_or_else(|bad| panic!("{bad}"))
}

pub(super) const fn at(seconds: i64) -> Moment {
    Moment::from_millis(seconds * 1000)
}

pub(super) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Both clocks `seconds` after the test's beginning.
pub(super) fn now(seconds: i64) -> Now {
    set_to(seconds, seconds)
}

/// As [`now`], with a wall clock that shows something else.
pub(super) fn set_to(seconds: i64, wall: i64) -> Now {
    Now {
        moment: at(seconds),
        wall: Timestamp::from_second(1_700_000_000 + wall).unwrap(),
    }
}

pub(super) const fn refresh_policy() -> RefreshPolicy {
    RefreshPolicy {
        before_expiry: secs(90),
        at_least: secs(5400),
        retry: secs(40),
    }
}

pub(super) const fn policy() -> Policy {
    Policy {
        refresh: refresh_policy(),
        remind_every: Some(secs(900)),
        probes: true,
        asks_for_itself: false,
        repeats_redirect_uri: false,
        spread: 7,
    }
}

pub(super) fn access(token: &str, obtained: i64, expires: i64) -> Access {
    Access {
        token: AccessToken::new(token.into()),
        obtained: at(obtained),
        expires: at(expires),
        scope: None,
    }
}

pub(super) fn refresh_token(token: &str) -> RefreshToken {
    RefreshToken::new(token.into())
}

pub(super) fn renewable(token: &str) -> RenewableLogin {
    RenewableLogin {
        refresh_token: refresh_token(token),
        redirect_uri: None,
    }
}

pub(super) fn exchanging(carried: Option<Access>) -> TokenState {
    TokenState::Exchanging(Exchanging {
        redirect_uri: "http://localhost:7777/".into(),
        carried,
    })
}

pub(super) fn login(token: &str) -> Means {
    Means::RefreshToken(renewable(token))
}

pub(super) fn device_authorization(code: &str) -> DeviceAuthorization {
    DeviceAuthorization {
        device_code: DeviceCode::new(code.into()),
        user_code: format!("user code of {code}"),
        verification_uri: "https://provider.example/device".into(),
        verification_uri_complete: None,
        lifetime: secs(600),
        interval: secs(5),
    }
}

pub(super) fn request(state: &str) -> AuthorizationRequest {
    AuthorizationRequest {
        url: format!("https://provider.example/auth?state={state}"),
        state: AuthState::new(state.into()),
        verifier: Verifier::new(format!("verifier of {state}")),
        redirect_uri: "http://localhost:7777/".into(),
        issuer: ExpectedIssuer::default(),
    }
}

pub(super) fn callback(state: &str) -> Callback {
    Callback {
        state: AuthState::new(state.into()),
        outcome: Ok(Code::new(format!("code for {state}"))),
        iss: None,
    }
}

pub(super) fn refusal(state: &str) -> Callback {
    Callback {
        outcome: Err(AuthorizationError {
            error: "access_denied".into(),
            description: None,
        }),
        ..callback(state)
    }
}

pub(super) fn grant(access: &str, lifetime: Option<u64>, refresh: Option<&str>) -> Grant {
    Grant {
        access_token: AccessToken::new(access.into()),
        lifetime: lifetime.map(secs),
        refresh_token: refresh.map(refresh_token),
        scope: None,
    }
}

pub(super) const PASSING: FailureKind = FailureKind::Passing { retry_after: None };

pub(super) fn failure(kind: FailureKind) -> Failure {
    Failure {
        kind,
        reason: "the reason".into(),
        rotated: None,
    }
}

pub(super) fn rotating_failure(kind: FailureKind, rotated: &str) -> Failure {
    Failure {
        rotated: Some(refresh_token(rotated)),
        ..failure(kind)
    }
}

pub(super) fn authority() -> Authority {
    Authority {
        auth_uri: Url::parse("https://provider.example/auth").ok(),
        token_uri: Url::parse("https://provider.example/token").ok(),
        issuer: None,
        grant: GrantType::AuthorizationCode,
        client_id: "client".into(),
        client_auth: ClientAuth::None,
        scopes: vec!["mail".into(), "offline".into()],
        resource: None,
        redirect_uri: RedirectUri::parse("http://localhost/back").unwrap(),
        auth_uri_fields: vec![("login_hint".into(), "me@example.com".into())],
    }
}

pub(super) fn account(name: &str) -> Account {
    Account {
        name: AccountName::new(name).unwrap(),
        authority: authority(),
        refresh: refresh_policy(),
        transient_error_if_cmd: None,
        ca_file: None,
        device_uri: None,
        revoke_uri: None,
        dialect: Dialect::default(),
    }
}

pub(super) fn config(accounts: impl IntoIterator<Item = Account>) -> Config {
    Config {
        accounts: accounts.into_iter().map(Arc::new).collect(),
        auth_notify_cmd: Some("notify".into()),
        auth_notify_interval: secs(900),
        error_notify_cmd: None,
        token_event_cmd: None,
        persist_cmd: None,
        restore_cmd: None,
        startup_cmd: None,
        http_listen: Listen::FreePort,
        https_listen: Listen::Off,
        https_certificate: HttpsCertificate::SelfSigned,
    }
}
