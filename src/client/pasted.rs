//! What somebody pasted, as the URL that a browser ended at.
//!
//! Pure. Finds the usual mistakes before the server is asked; whose login it is, and whether its
//! state and code are right, only the server knows.

use zeroize::Zeroizing;

use crate::protocol::MAX_URL;
use crate::secret::{SecretText, joined};

/// What a bare query is put behind where its login is not known.
const LISTENER: &str = "http://localhost/";

/// The URL that is in `text`, without what is often around it; a query alone will do, which goes
/// behind the redirect URI of the login that began at one of the URLs `begun`.
///
/// # Errors
/// What is wrong with it, and what to paste instead.
pub(crate) fn redirect(
    text: &str,
    begun: impl FnOnce() -> Vec<String>,
) -> Result<SecretText, String> {
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
    let url = whole(bare, begun)?;
    check(&url)?;
    Ok(SecretText::new((*url).clone()))
}

fn whole(text: &str, begun: impl FnOnce() -> Vec<String>) -> Result<Zeroizing<String>, String> {
    let is_url = text.split_once("://").is_some_and(|(scheme, _)| {
        let part_of_one = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
        !scheme.is_empty() && scheme.chars().all(part_of_one)
    });
    if is_url {
        return Ok(joined(&[text]));
    }
    let is_host = |host: &str| host.contains([':', '/']) && !host.contains('=');
    match text.split_once('?') {
        // Some browsers show no scheme, and copy none.
        Some((host, _)) if is_host(host) => return Ok(joined(&["http://", text])),
        _ if text.contains('=') => {}
        _ => return Err(format!("that is no URL: {WHAT_TO_PASTE}")),
    }
    let query = text.strip_prefix('?').unwrap_or(text);
    let state = fields(query).find(|(name, _)| *name == "state");
    let uri = state.and_then(|(_, state)| redirect_uri(&begun(), state));
    let uri = uri.as_deref().unwrap_or(LISTENER);
    let separator = if uri.contains('?') { "&" } else { "?" };
    Ok(joined(&[uri, separator, query]))
}

/// The redirect URI of the login with this state.
fn redirect_uri(begun: &[String], state: &str) -> Option<String> {
    let login = begun.iter().find(|url| {
        let mut fields = fields(query_of(url));
        fields.any(|(name, value)| name == "state" && value == state)
    })?;
    let login = url::Url::parse(login).ok()?;
    let mut fields = login.query_pairs();
    let field = fields.find(|(name, _)| name == "redirect_uri")?;
    Some(field.1.into_owned())
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
    let has = |wanted: &str| fields(query_of(url)).any(|(name, _)| name == wanted);
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

fn query_of(url: &str) -> &str {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    query.split('#').next().unwrap_or_default()
}

/// The fields of a query, as they are written.
fn fields(query: &str) -> impl Iterator<Item = (&str, &str)> {
    let fields = query.split('&');
    fields.map(|field| field.split_once('=').unwrap_or((field, "")))
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
            assert_eq!(
                redirect(text, Vec::new).unwrap().expose(),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn a_bare_query_goes_where_its_login_expects_it() {
        let login = |state: &str, uri: &str| {
            format!("https://e.com/a?client_id=c&state={state}&redirect_uri={uri}")
        };
        let begun = || {
            vec![
                login("a", "http%3A%2F%2Flocalhost%3A1%2Fa"),
                login("b", "http%3A%2F%2Flocalhost%3A2%2Fb%3Fc%3Dd"),
            ]
        };
        let cases = [
            ("?state=a&code=c", "http://localhost:1/a?state=a&code=c"),
            ("code=c&state=b", "http://localhost:2/b?c=d&code=c&state=b"),
            ("?state=x&code=c", "http://localhost/?state=x&code=c"),
        ];
        for (text, expected) in cases {
            assert_eq!(redirect(text, begun).unwrap().expose(), expected);
        }
        let url = "http://localhost/?state=a&code=c";
        assert_eq!(redirect(url, begun).unwrap().expose(), url);
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
            let reason = redirect(text, Vec::new).unwrap_err();
            assert!(reason.contains(expected), "{reason:?} lacks {expected:?}");
            assert!(!reason.contains("code=c"), "{reason}");
        }
    }
}
