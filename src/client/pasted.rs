//! What somebody pasted, as the URL that a browser ended at.
//!
//! Pure. Finds the usual mistakes before the server is asked; whose login it is, and whether its
//! state and code are right, only the server knows.

use zeroize::Zeroizing;

use crate::protocol::MAX_URL;
use crate::secret::SecretText;

/// What a bare query is put behind: where the redirect listener is.
const LISTENER: &str = "http://localhost/?";

/// The URL that is in `text`, without what is often around it; a query alone will do.
///
/// # Errors
/// What is wrong with it, and what to paste instead.
pub(crate) fn redirect(text: &str) -> Result<SecretText, String> {
    // A terminal or a mail program may have broken the line; a URL has no blanks in it.
    let mut url = Zeroizing::new(String::with_capacity(LISTENER.len() + text.len()));
    url.extend(
        text.chars()
            .filter(|c| !c.is_whitespace() && !c.is_control()),
    );
    let bare = url.trim_matches(['<', '>', '"', '\'', '`']);
    if bare.is_empty() {
        return Err("nothing was entered".to_owned());
    }
    let url = whole(bare)?;
    check(&url)?;
    Ok(SecretText::new((*url).clone()))
}

fn whole(text: &str) -> Result<Zeroizing<String>, String> {
    let is_url = text.split_once("://").is_some_and(|(scheme, _)| {
        let part_of_one = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
        !scheme.is_empty() && scheme.chars().all(part_of_one)
    });
    let mut url = Zeroizing::new(String::with_capacity(LISTENER.len() + text.len()));
    if is_url {
        url.push_str(text);
        return Ok(url);
    }
    let is_host = |host: &str| host.contains([':', '/']) && !host.contains('=');
    match text.split_once('?') {
        // Some browsers show no scheme, and copy none.
        Some((host, _)) if is_host(host) => {
            url.push_str("http://");
            url.push_str(text);
        }
        Some(("", query)) => {
            url.push_str(LISTENER);
            url.push_str(query);
        }
        _ if text.contains('=') => {
            url.push_str(LISTENER);
            url.push_str(text);
        }
        _ => return Err(format!("that is no URL: {WHAT_TO_PASTE}")),
    }
    Ok(url)
}

const WHAT_TO_PASTE: &str =
    "paste the whole address that the browser shows when it has come back from the login";

/// Whether the URL has the fields of a redirect (RFC 6749 section 4.1.2).
fn check(url: &str) -> Result<(), String> {
    if url.len() > MAX_URL {
        return Err(format!(
            "that is longer than the {MAX_URL} bytes that a URL may have"
        ));
    }
    let has = |wanted: &str| fields(url).any(|name| name == wanted);
    if has("client_id") && has("response_type") {
        return Err(format!(
            "that is where the login begins, not where it ends: {WHAT_TO_PASTE}"
        ));
    }
    if !has("code") && !has("error") {
        return Err(format!("that URL has no code in it: {WHAT_TO_PASTE}"));
    }
    if !has("state") {
        return Err(format!(
            "that URL has no state in it, so that nobody can tell which login it is of: \
             {WHAT_TO_PASTE}"
        ));
    }
    Ok(())
}

/// The names in a URL's query.
fn fields(url: &str) -> impl Iterator<Item = &str> {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let query = query.split('#').next().unwrap_or_default();
    query
        .split('&')
        .map(|field| field.split('=').next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_is_found_in_what_is_around_it() {
        let url = "http://localhost:1420/?state=s&code=c";
        let cases = [
            (url, url),
            ("  http://localhost:1420/?state=s&code=c\r\n", url),
            ("<http://localhost:1420/?state=s&code=c>", url),
            ("\"http://localhost:1420/?state=s&code=c\"", url),
            ("'http://localhost:1420/?state=s&code=c'\n", url),
            ("http://localhost:1420/?sta\nte=s&c\r\n  ode=c", url),
            ("localhost:1420/?state=s&code=c", url),
            ("?state=s&code=c", "http://localhost/?state=s&code=c"),
            ("code=c&state=s", "http://localhost/?code=c&state=s"),
            ("code=4/c?&state=s", "http://localhost/?code=4/c?&state=s"),
            (
                "http://[::1]:1/cb?error=access_denied&state=s#",
                "http://[::1]:1/cb?error=access_denied&state=s#",
            ),
            (
                "code=c&state=s&iss=https://example.com",
                "http://localhost/?code=c&state=s&iss=https://example.com",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(redirect(text).unwrap().expose(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_none_gets_a_reason() {
        let long = format!("http://localhost/?state=s&code={}", "c".repeat(MAX_URL));
        let cases = [
            ("", "nothing"),
            (" \n", "nothing"),
            ("<>", "nothing"),
            ("no", "no URL"),
            ("http://localhost:1420/", "no code"),
            ("http://localhost:1420/#code=c&state=s", "no code"),
            ("http://localhost:1420/?code=c", "no state"),
            (
                "https://a.com/?response_type=code&client_id=x&state=s",
                "begins",
            ),
            (&long, "16384"),
        ];
        for (text, expected) in cases {
            let reason = redirect(text).unwrap_err();
            assert!(reason.contains(expected), "{reason:?} lacks {expected:?}");
            assert!(!reason.contains("code=c"), "{reason}");
        }
    }
}
