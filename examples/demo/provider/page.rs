//! The provider's pages: the login with its consent, and what is wrong.
//!
//! Whatever was not written in this file is escaped, and a page fetches nothing and runs nothing.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use url::{Host, Url};

use super::http::Response;

const STYLE: &str = include_str!("page.css");

/// What the login page shows.
pub(super) struct Login<'a> {
    /// The page's one-time name.
    pub(super) page: &'a str,
    /// The name to suggest.
    pub(super) user: &'a str,
    pub(super) scopes: &'a [&'static str],
    /// What was wrong with the last try.
    pub(super) complaint: Option<&'a str>,
    /// Where the form may lead to.
    pub(super) redirect_uri: &'a str,
}

/// The login page.
pub(super) fn login(login: &Login<'_>) -> Response {
    let scopes: String = login
        .scopes
        .iter()
        .map(|scope| format!("<li>{}</li>\n", escape(scope)))
        .collect();
    let complaint = login.complaint.map_or_else(String::new, |complaint| {
        format!(
            "<p class=\"complaint\" role=\"alert\">{}</p>\n",
            escape(complaint)
        )
    });
    let page = escape(login.page);
    let user = escape(login.user);
    // Allow comes first in the document, so that the return key means it.
    let content = format!(
        r#"<form method="post" action="/login" autocomplete="off">
<div class="top">
<h1>Log in to your mail</h1>
<p><strong>pizauth</strong> on this computer asks for access</p>
</div>
{complaint}<input type="hidden" name="page" value="{page}">
<label for="user">User name</label>
<input id="user" name="user" value="{user}" maxlength="64" required autocapitalize="none" spellcheck="false">
<label for="password">Password</label>
<input id="password" name="password" type="password" value="correct horse" autocomplete="off" required>
<p class="hint">This provider is the demo’s own: any name and any password will do</p>
<section>
<h2>pizauth will be able to</h2>
<ul>
{scopes}</ul>
</section>
<div class="buttons">
<button class="allow" name="decision" value="allow">Log in and allow</button>
<button name="decision" value="deny" formnovalidate>Deny</button>
</div>
</form>"#
    );
    let targets = format!("'self' {}", origin(login.redirect_uri));
    html("200 OK", "Log in", &content, &targets)
}

/// A page that says what is wrong. The heading is HTML of this program's own.
pub(super) fn problem(status: &'static str, heading: &'static str) -> Response {
    let content = format!(
        "<div class=\"problem\" role=\"alert\">\n<h1>{heading}</h1>\n\
         <p>Close this window, and start the login again where you came from</p>\n</div>"
    );
    html(status, heading, &content, "'none'")
}

/// A page for another method than `allowed`.
pub(super) fn not_allowed(allowed: &'static str) -> Response {
    let mut response = problem("405 Method Not Allowed", "This is not how it is asked for");
    response.headers.push(("Allow", allowed.into()));
    response
}

/// Keeps browsers from taking a text for something else.
pub(super) fn no_sniffing() -> (&'static str, String) {
    ("X-Content-Type-Options", "nosniff".into())
}

/// Browsers hold the redirect after a form against `form-action`, too. A policy cannot name an
/// IPv6 address.
fn origin(redirect_uri: &str) -> String {
    match Url::parse(redirect_uri) {
        Ok(url) if !matches!(url.host(), Some(Host::Ipv6(_))) => url.origin().ascii_serialization(),
        _ => "http:".into(),
    }
}

fn html(status: &'static str, title: &str, content: &str, form_action: &str) -> Response {
    let style = STANDARD.encode(Sha256::digest(STYLE));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; \
         form-action {form_action}; frame-ancestors 'none'"
    );
    let body = format!(
        r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title} – Example Mail</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<style>{STYLE}</style>
</head>
<body>
<header>
<svg viewBox="0 0 24 24" aria-hidden="true" focusable="false"><rect x="2.5" y="5" width="19" height="14" rx="2.5"/><path d="M3 7l9 6.5L21 7"/></svg>
Example Mail
</header>
<main>
{content}
</main>
<footer>An example provider, run by the pizauth demo on this computer</footer>
</body>
</html>
"#
    );
    Response {
        status,
        headers: vec![
            ("Content-Type", "text/html; charset=utf-8".into()),
            ("Content-Security-Policy", policy),
            ("Referrer-Policy", "no-referrer".into()),
            ("X-Frame-Options", "DENY".into()),
            no_sniffing(),
        ],
        body,
    }
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}
