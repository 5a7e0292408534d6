//! What holds where an option is not set.

use std::sync::LazyLock;
use std::time::Duration;

use super::RedirectUri;

const MINUTE: Duration = Duration::from_secs(60);

/// How long until a person is reminded of a login.
pub(super) const AUTH_NOTIFY_INTERVAL: Duration = MINUTE.saturating_mul(15);
/// The first gap after a passing failure.
pub(super) const REFRESH_RETRY: Duration = Duration::from_secs(40);
/// How long before its expiry a token is refreshed.
pub(super) const REFRESH_BEFORE_EXPIRY: Duration = Duration::from_secs(90);
/// How often a token is refreshed at least.
pub(super) const REFRESH_AT_LEAST: Duration = MINUTE.saturating_mul(90);
/// Where the browser comes back to; the listener's port is put in.
const REDIRECT_URI: &str = "http://localhost/";

/// Where the browser comes back to. It is parsed once: of thousands of accounts hardly one says
/// anything else.
pub(super) fn redirect_uri() -> Option<RedirectUri> {
    static PARSED: LazyLock<Option<RedirectUri>> =
        LazyLock::new(|| RedirectUri::parse(REDIRECT_URI).ok());
    PARSED.clone()
}
