//! The HTML that the browser shows when it comes back from the provider.
//!
//! Data in, a complete HTTP/1.1 response out. Knows how outcomes are put to people; knows no
//! socket, no token, and not how an outcome came about. Whatever was not written in this file is
//! escaped, and a page fetches nothing: all of it is in the one response.

mod layout;
#[cfg(test)]
mod tests;

use self::layout::{Action, Content, Look, html};
use crate::shell_word::shell_word;

/// What the browser is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page<'a> {
    /// There is a token.
    LoggedIn {
        /// The account's name.
        account: &'a str,
        /// Until when the token is valid, as people write it.
        expires: Option<&'a str>,
    },
    /// The provider refused, or the code could not be exchanged.
    Failed {
        /// The account's name.
        account: &'a str,
        /// The provider's reason, or pizauth's own.
        reason: &'a str,
    },
    /// The code is being exchanged, and the browser has waited long enough.
    StillWorking {
        /// The account's name.
        account: &'a str,
    },
    /// A callback whose `state` is unknown, used or stale.
    UnknownRequest,
    /// `GET /` without a query: somebody is curious.
    Welcome,
    /// No account's redirect URI has this path.
    NotFound,
    /// Not a callback, for this reason.
    BadRequest(&'a str),
    /// Another method than GET.
    MethodNotAllowed,
    /// The request's head did not arrive in time.
    TimedOut,
    /// The request's head is longer than is read.
    TooLarge,
    /// Too many browsers at once.
    Busy,
}

/// The whole response with this page in it. `nonce` must be fresh for each response, and base64
/// of either alphabet.
#[must_use]
pub fn response(page: &Page<'_>, nonce: &str) -> Vec<u8> {
    // Anything else could end the header, or the attribute, that the nonce is put into.
    let nonce: String = nonce.chars().filter(|c| is_base64(*c)).collect();
    let content = content(page);
    let body = html(&content, &nonce);
    let mut response = head(&content, &nonce, body.len()).into_bytes();
    response.extend_from_slice(body.as_bytes());
    response
}

/// The whole response that has the browser ask again for the same `target`, a path of this host.
#[must_use]
pub fn again(target: &str) -> String {
    format!(
        "HTTP/1.1 307 Temporary Redirect\r\nLocation: {target}\r\nContent-Length: 0\r\n\
         Connection: close\r\nCache-Control: no-store\r\nReferrer-Policy: no-referrer\r\n\r\n"
    )
}

const fn is_base64(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '-' | '_' | '=')
}

fn content<'a>(page: &Page<'a>) -> Content<'a> {
    match *page {
        Page::LoggedIn { account, expires } => logged_in(account, expires),
        Page::Failed { account, reason } => failed(account, reason),
        Page::StillWorking { account } => still_working(account),
        Page::UnknownRequest => unknown_request(),
        Page::Welcome => welcome(),
        Page::NotFound => not_found(),
        Page::BadRequest(reason) => bad_request(reason),
        Page::MethodNotAllowed => method_not_allowed(),
        Page::TimedOut => timed_out(),
        Page::TooLarge => too_large(),
        Page::Busy => busy(),
    }
}

/// What most pages have in common: something is not right, and no account is known.
const PLAIN: Content<'static> = Content {
    status: "400 Bad Request",
    extra_headers: "",
    look: Look::Note,
    heading: "",
    account: None,
    told: "",
    detail: None,
    next: "",
    action: Action::Nothing,
    reloadable: false,
};

fn logged_in<'a>(account: &'a str, expires: Option<&'a str>) -> Content<'a> {
    Content {
        status: "200 OK",
        look: Look::Good,
        heading: "You are logged in",
        account: Some(account),
        told: "pizauth has received an access token for this account.",
        detail: expires.map(|time| ("Valid until", time)),
        next: "<strong>You can close this window.</strong>",
        ..PLAIN
    }
}

fn failed<'a>(account: &'a str, reason: &'a str) -> Content<'a> {
    Content {
        look: Look::Bad,
        heading: "The login failed",
        account: Some(account),
        told: "pizauth has received no access token for this account.",
        detail: Some(("Reason", reason)),
        next: "<strong>You can close this window.</strong> To try again, run",
        action: Action::Run(command("show", account)),
        ..PLAIN
    }
}

fn still_working(account: &str) -> Content<'_> {
    Content {
        status: "202 Accepted",
        look: Look::Wait,
        heading: "Still waiting for the provider",
        account: Some(account),
        told: "Your login has arrived. The provider has yet to hand over the access token.",
        next: "<strong>You can close this window:</strong> pizauth carries on. \
               To see how it ends, run",
        action: Action::Run("pizauth status".into()),
        ..PLAIN
    }
}

fn unknown_request() -> Content<'static> {
    Content {
        heading: "This login is not expected",
        told: "It has been used already, a newer one has taken its place, or pizauth has been \
               restarted since.",
        next: "To see which accounts need a login, and where to go for it, run",
        action: Action::Run("pizauth status".into()),
        ..PLAIN
    }
}

fn welcome() -> Content<'static> {
    Content {
        status: "200 OK",
        look: Look::Calm,
        heading: "pizauth is listening",
        told: "Your provider sends the browser back to this address once you have logged in. \
               Until then, there is nothing to do here.",
        next: "To see which accounts need a login, run",
        action: Action::Run("pizauth status".into()),
        ..PLAIN
    }
}

fn not_found() -> Content<'static> {
    Content {
        status: "404 Not Found",
        heading: "There is nothing here",
        told: "pizauth is listening at this address, but no account comes back to this path.",
        next: "If your provider sent you here, compare <code>redirect_uri</code> in \
               <code>pizauth.conf</code> with the redirect URI that is registered there.",
        ..PLAIN
    }
}

fn bad_request(reason: &str) -> Content<'_> {
    Content {
        heading: "This is not a login",
        told: "The browser came back with something that pizauth cannot use.",
        detail: Some(("Reason", reason)),
        next: "<strong>You can close this window.</strong> To start again, run",
        action: Action::Run("pizauth status".into()),
        ..PLAIN
    }
}

fn method_not_allowed() -> Content<'static> {
    Content {
        status: "405 Method Not Allowed",
        extra_headers: "Allow: GET\r\n",
        heading: "This is not how logins come back",
        told: "pizauth only answers GET requests.",
        next: "If your provider sent you here, its <code>response_mode</code> must be \
               <code>query</code>.",
        ..PLAIN
    }
}

fn timed_out() -> Content<'static> {
    Content {
        status: "408 Request Timeout",
        heading: "The browser took too long",
        told: "Its request had not arrived in full when pizauth stopped waiting. \
               Your login has not been used yet.",
        next: "Load this page again to carry on.",
        action: Action::Reload,
        reloadable: true,
        ..PLAIN
    }
}

fn too_large() -> Content<'static> {
    Content {
        status: "431 Request Header Fields Too Large",
        heading: "The browser’s request is too long",
        told: "pizauth has stopped reading it. Your login has not been used yet.",
        next: "Cookies that other programs have set for this address are a likely cause. \
               Remove them, then load this page again.",
        action: Action::Reload,
        reloadable: true,
        ..PLAIN
    }
}

fn busy() -> Content<'static> {
    Content {
        status: "503 Service Unavailable",
        extra_headers: "Retry-After: 5\r\n",
        look: Look::Wait,
        heading: "pizauth is busy",
        told: "Too many browser connections are open. Your login has not been used yet.",
        next: "Load this page again in a few seconds.",
        action: Action::Reload,
        reloadable: true,
        ..PLAIN
    }
}

/// The command line as it can be pasted into a shell.
fn command(verb: &str, account: &str) -> String {
    format!("pizauth {verb} {}", shell_word(account))
}

fn head(content: &Content<'_>, nonce: &str, length: usize) -> String {
    let Content {
        status,
        extra_headers,
        ..
    } = content;
    format!(
        "HTTP/1.1 {status}\r\n\
         Content-Type: text/html; charset=utf-8\r\n\
         Content-Length: {length}\r\n\
         Connection: close\r\n\
         Cache-Control: no-store\r\n\
         Referrer-Policy: no-referrer\r\n\
         X-Content-Type-Options: nosniff\r\n\
         X-Frame-Options: DENY\r\n\
         Cross-Origin-Opener-Policy: same-origin\r\n\
         Cross-Origin-Resource-Policy: same-origin\r\n\
         Content-Security-Policy: default-src 'none'; style-src 'nonce-{nonce}'; \
         script-src 'nonce-{nonce}'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'\r\n\
         {extra_headers}\r\n"
    )
}
