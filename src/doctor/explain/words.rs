//! Error codes of OAuth2 and of Google, HTTP statuses, and what pizauth itself says of networks and
//! certificates.
//!
//! Knows the words; who says them matters only where one provider means something of its own.

use super::{Meaning, Who, has_word};

/// A word or a part of a sentence, what it means, and what to do.
type Row = (&'static str, &'static str, &'static str);

/// What these words mean from `who` alone.
pub(super) fn special_to(who: Who, reason: &str) -> Option<Meaning> {
    let rows: &[Row] = match who {
        Who::Google => &GOOGLE,
        Who::Fastmail => &FASTMAIL,
        Who::Yahoo => &YAHOO,
        _ => return None,
    };
    find(rows, reason, has_word)
}

/// What these words mean from anyone.
pub(super) fn explain(reason: &str) -> Option<Meaning> {
    let contains = |reason: &str, words: &str| reason.contains(words);
    find(&CODES, reason, has_word)
        .or_else(|| find(&SENTENCES, reason, contains))
        .or_else(|| find(&STATUSES, reason, has_word))
        .or_else(|| server_error(reason))
}

fn find(rows: &[Row], reason: &str, fits: impl Fn(&str, &str) -> bool) -> Option<Meaning> {
    let row = rows.iter().find(|(words, ..)| fits(reason, words));
    row.map(|(_, meaning, advice)| Meaning { meaning, advice })
}

/// A status between 500 and 599.
fn server_error(reason: &str) -> Option<Meaning> {
    let status = reason.split_once("HTTP ")?.1.get(..3)?;
    let is_error = status.starts_with('5') && status.bytes().all(|byte| byte.is_ascii_digit());
    is_error.then_some(Meaning {
        meaning: "something is wrong on the provider's side",
        advice: "wait: it is tried again by itself; 'pizauth refresh ACCOUNT' tries at once",
    })
}

/// After Google's OAuth 2.0 documentation and its help pages on blocked logins.
static GOOGLE: [Row; 7] = [
    (
        "invalid_grant",
        "Google has ended the login: the password was changed, the access withdrawn, nothing used for six months, more than a hundred logins made with this client - or the app's publishing status is \"Testing\", which ends each after seven days",
        "run 'pizauth login ACCOUNT'; if it comes every week, set the publishing status to \"In production\"",
    ),
    (
        "redirect_uri_mismatch",
        "the client is not one for desktop programs, which alone may come back to this machine",
        "make a client of the type \"Desktop app\", and put its id and secret in the configuration",
    ),
    (
        "access_denied",
        "you refused, or the app is being tested and you are not a test user of it",
        "agree to it, or add yourself as a test user on the page of the app's audience; then run 'pizauth login ACCOUNT'",
    ),
    (
        "admin_policy_enforced",
        "the administrator of your Workspace does not allow this client",
        "give the administrator the client id, to be trusted",
    ),
    (
        "org_internal",
        "the app is for the members of its own organisation only",
        "log in as a member, or set the app's user type to \"External\"",
    ),
    (
        "deleted_client",
        "the client was deleted in Google's console",
        "restore it there, which is possible for 30 days, or make another one",
    ),
    (
        "disallowed_useragent",
        "the login page was opened inside a program",
        "open it in a web browser",
    ),
];

static FASTMAIL: [Row; 1] = [(
    "invalid_target",
    "Fastmail wants to be told for which of its services the token is",
    "add resource = \"https://api.fastmail.com/jmap/session\" to the account",
)];

static YAHOO: [Row; 1] = [(
    "invalid_scope",
    "this client id may not ask for access to mail, which new ones are not given",
    "check 'scopes' and 'client_id'; ask Yahoo for access to mail for this client",
)];

const CLIENT: &str = "correct 'client_id' and the client's secret ('client_secret', 'client_secret_cmd'), or 'client_auth'; then run 'pizauth reload'";

/// RFC 6749 sections 4.1.2.1 and 5.2, RFC 8628 section 3.5, RFC 8707 section 2.
static CODES: [Row; 24] = [
    (
        "redirect_uri_mismatch",
        "the redirect URI is not one that is registered for this client",
        "register 'redirect_uri' at the provider as it is in the configuration",
    ),
    (
        "invalid_redirect_uri",
        "the redirect URI is not one that is registered for this client",
        "register 'redirect_uri' at the provider as it is in the configuration",
    ),
    (
        "invalid_grant",
        "the provider has ended the login: the password was changed, the access withdrawn, or the token not used for too long",
        "run 'pizauth login ACCOUNT'",
    ),
    (
        "invalid_client",
        "the provider does not know the client, or its secret is wrong",
        CLIENT,
    ),
    (
        "deleted_client",
        "the client was deleted at the provider",
        "register another one",
    ),
    (
        "unauthorized_client",
        "the client may not log people in this way",
        "check at the provider what the client is registered for, and 'client_id' and 'grant' in the configuration; then run 'pizauth reload'",
    ),
    (
        "invalid_scope",
        "a scope is misspelt, or not allowed for this client",
        "correct 'scopes', or allow them for the client at the provider; then run 'pizauth reload'",
    ),
    (
        "access_denied",
        "you, or the provider, refused",
        "run 'pizauth login ACCOUNT' and agree",
    ),
    (
        "authorization_declined",
        "you, or the provider, refused",
        "run 'pizauth login ACCOUNT' and agree",
    ),
    (
        "admin_policy_enforced",
        "the administrator of your organisation does not allow this client",
        "give the administrator the client id",
    ),
    (
        "org_internal",
        "the client is for the members of its own organisation only",
        "log in as a member",
    ),
    (
        "invalid_target",
        "the provider does not know the resource, or wants one to be named",
        "correct 'resource', then run 'pizauth reload'",
    ),
    (
        "expired_token",
        "the code was not typed in in time",
        "run 'pizauth login ACCOUNT' for a new one",
    ),
    (
        "bad_verification_code",
        "the code is not known to the provider any more",
        "run 'pizauth login ACCOUNT' for a new one",
    ),
    (
        "unsupported_grant_type",
        "the provider does not have this kind of login",
        "set 'grant' to another one, then run 'pizauth reload'",
    ),
    (
        "unsupported_response_type",
        "the provider does not have this kind of login",
        "check 'auth_uri', and what the client is registered for",
    ),
    (
        "interaction_required",
        "the provider wants to talk to you",
        "run 'pizauth login ACCOUNT' and finish what the page asks for",
    ),
    (
        "consent_required",
        "the provider wants you to agree",
        "run 'pizauth login ACCOUNT' and agree",
    ),
    (
        "login_required",
        "the provider wants you to log in",
        "run 'pizauth login ACCOUNT'",
    ),
    (
        "account_selection_required",
        "the provider wants to know who of several you are",
        "set 'login_hint', then run 'pizauth login ACCOUNT'",
    ),
    (
        "disallowed_useragent",
        "the login page was opened inside a program",
        "open it in a web browser",
    ),
    (
        "invalid_request",
        "the provider finds something missing or wrong in the request",
        "check 'auth_uri_fields', 'redirect_uri' and 'resource' against the provider's documentation",
    ),
    (
        "slow_down",
        "the provider was asked too often",
        "wait: the gaps grow by themselves",
    ),
    (
        "server_error",
        "something is wrong on the provider's side",
        "wait: it is tried again by itself",
    ),
];

/// Parts of what pizauth itself says.
static SENTENCES: [Row; 17] = [
    (
        "client_secret_cmd",
        "the command that should print the client's secret does not",
        "run it by hand, in an environment like the server's: is the password store unlocked?",
    ),
    (
        "web page instead of",
        "something between here and the provider answers in its place, as the login pages of wireless networks (captive portals) do",
        "open any page in a browser, and log in to the network; then run 'pizauth refresh ACCOUNT'",
    ),
    (
        "nobody trusted has issued it",
        "the certificate is from an authority that this machine does not know; a proxy that looks into connections has such ones",
        "if it is rightly so, put the authority's certificate into a file and name that in 'ca_file'",
    ),
    (
        "it has expired, or the clock",
        "the certificate's time is over, or the clock of this machine is ahead",
        "check the clock; if that is right, only the provider can help",
    ),
    (
        "it is not valid yet, or the clock",
        "the certificate's time has not begun, or the clock of this machine is behind",
        "check the clock; if that is right, only the provider can help",
    ),
    (
        "it is for another name",
        "somebody else than the one asked answers",
        "check the host's name in the configuration, and whether the network redirects to a page of its own",
    ),
    (
        "is not accepted",
        "the certificate cannot be trusted",
        "look at it with 'openssl s_client -connect HOST:443'",
    ),
    (
        "has no certificates: install",
        "without certificates to trust, nobody can be asked",
        "install the package ca-certificates, or name a file with 'SSL_CERT_FILE'",
    ),
    (
        "cannot be found",
        "the name has no address: the network is down, or the name is misspelt",
        "check the connection and the name's spelling",
    ),
    (
        "lookup address information",
        "the name has no address: the network is down, or the name is misspelt",
        "check the connection and the name's spelling",
    ),
    (
        "refuses the connection",
        "nobody listens at that port",
        "check the port in the endpoint, and the proxy if there is one (HTTPS_PROXY)",
    ),
    (
        "no connection to",
        "nothing comes back from there: no network, or a firewall in between",
        "check the connection; behind a proxy, set HTTPS_PROXY for the server too",
    ),
    (
        "did not answer within",
        "the provider or the network is too slow",
        "wait: it is tried again by itself; 'pizauth refresh ACCOUNT' tries at once",
    ),
    (
        "no secure connection to",
        "the two cannot agree on how to encrypt",
        "check that the endpoint's port is one for https, and whether a proxy interferes",
    ),
    (
        "the proxy wants a login",
        "the proxy wants a name and a password",
        "set them in HTTPS_PROXY (http://NAME:PASSWORD@HOST:PORT) for the server, and restart it",
    ),
    (
        "network is unreachable",
        "there is no network",
        "check the connection",
    ),
    (
        "tells nothing of its endpoints",
        "the issuer publishes nothing where it should",
        "correct 'issuer', or set 'auth_uri' and 'token_uri' in its place",
    ),
];

static STATUSES: [Row; 5] = [
    (
        "temporarily_unavailable",
        "the provider is overloaded or being maintained",
        "wait: it is tried again by itself",
    ),
    (
        "HTTP 429",
        "the provider was asked too often, by this machine or its neighbours",
        "wait: it is tried again by itself",
    ),
    (
        "HTTP 403",
        "the provider lets nobody in from here, or not with this request",
        "try from another network; check the endpoint in the configuration",
    ),
    (
        "HTTP 404",
        "there is nothing there: the endpoint is misspelt, or has moved",
        "check the endpoint in the configuration against the provider's documentation",
    ),
    (
        "HTTP 405",
        "the endpoint is for something else",
        "check the endpoint in the configuration against the provider's documentation",
    ),
];
