//! What browsers and people bring back from a login.

use pizauth::fuzzing;
use pizauth::oauth::authorize::Callback;
use pizauth::oauth::endpoints::ExpectedIssuer;
use pizauth::protocol::{Framing, MAX_URL, Request, framing};
use pizauth::server::page::{Page, again, response};

use super::{SECRET, assert_line};

/// As in the program.
const MAX_HEAD: usize = 16 * 1024;
/// How TLS begins.
const HANDSHAKE: u8 = 0x16;
const ISSUER: &str = "https://login.example/a";
/// Where the logins began that wait for what is pasted.
const BEGUN: [&str; 2] = [
    "https://login.example/?state=s&redirect_uri=https%3A%2F%2Flocalhost%3A1420%2Fcb%3Fx%3D1",
    "https://login.example/?state=t&redirect_uri=http%3A%2F%2F%5B%3A%3A1%5D%3A1420%2F",
];

/// The head of a browser's request, whole and in pieces, and the page for it.
pub(crate) fn http_head(data: &[u8]) {
    let at_once = fuzzing::head_is_whole(data, 0);
    let is_none = data.len() > MAX_HEAD || data.first() == Some(&HANDSHAKE);
    assert_eq!(at_once.is_err(), is_none, "{at_once:?}");
    if let Err(why) = &at_once {
        assert_line(why);
    }
    // What arrived before makes no difference, as long as it was no whole head.
    for known in pieces(data.len()) {
        if fuzzing::head_is_whole(&data[..known], 0) == Ok(false) {
            assert_eq!(fuzzing::head_is_whole(data, known), at_once, "from {known}");
        }
    }
    match fuzzing::request_target(data) {
        Err(page) => assert_response(&response(&page, "bm9uY2U")),
        Ok(target) => {
            // It is sent back in a header, and must not begin another one.
            let in_one_word = target.bytes().all(|byte| byte > b' ' && byte != 0x7f);
            assert!(in_one_word, "{target:?}");
            assert_response(again(target).as_bytes());
            assert_eq!(again(target).lines().count(), 7);
            let query = target.split_once('?').map_or("", |(_, query)| query);
            redirect_query(query.as_bytes());
        }
    }
    assert_nothing_is_injected(&String::from_utf8_lossy(data));
}

/// Whatever an account or a provider is called or says, a page has the same elements, but for
/// places where a long name may be broken.
fn assert_nothing_is_injected(text: &str) {
    let elements = |account: &str, reason: &str| {
        let page = response(&Page::Failed { account, reason }, text);
        assert_response(&page);
        let page = String::from_utf8_lossy(&page).replace("<wbr>", "");
        page.matches('<').count()
    };
    assert_eq!(elements(text, text), elements("a", "b"));
}

fn pieces(length: usize) -> impl Iterator<Item = usize> {
    let few = length / 8 + 1;
    (0..length).filter(move |at| at % few == 0 || at + 5 > length)
}

/// A head of HTTP/1.1 that keeps nothing, and a body as long as it says.
fn assert_response(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else {
        panic!("the response is not UTF-8");
    };
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        panic!("the response has no head: {text}");
    };
    assert!(head.starts_with("HTTP/1.1 "), "{head}");
    assert!(
        !head.replace("\r\n", "").contains(char::is_control),
        "{head:?}"
    );
    for line in ["Cache-Control: no-store", "Referrer-Policy: no-referrer"] {
        assert!(head.lines().any(|it| it == line), "{head}");
    }
    let length = format!("Content-Length: {}", body.len());
    assert!(head.lines().any(|line| line == length), "{head}");
}

/// The query of a redirect, and its issuer.
pub(crate) fn redirect_query(data: &[u8]) {
    let Ok(query) = str::from_utf8(data) else {
        return;
    };
    let callback = match Callback::parse(query) {
        Ok(callback) => callback,
        Err(why) => {
            let why = why.to_string();
            assert!(!why.contains(SECRET), "{why}");
            return assert_line(&why);
        }
    };
    assert!(!callback.state.expose().is_empty());
    let (name, value) = match &callback.outcome {
        Ok(code) => ("code", code.expose()),
        Err(refusal) => {
            assert_line(&refusal.to_string());
            ("error", refusal.error.as_str())
        }
    };
    assert!(!value.is_empty());
    assert_issuer(callback.iss.as_deref());
    // What was read says the same when it is written again.
    let mut written = url::form_urlencoded::Serializer::new(String::new());
    written.append_pair("state", callback.state.expose());
    written.append_pair(name, value);
    written.extend_pairs(callback.iss.as_ref().map(|iss| ("iss", iss)));
    let Ok(again) = Callback::parse(&written.finish()) else {
        panic!("not read again: {query}");
    };
    assert!(again.state == callback.state && again.iss == callback.iss);
    match (&again.outcome, &callback.outcome) {
        (Ok(again), Ok(code)) => assert!(again == code),
        (Err(again), Err(refusal)) => assert_eq!(again.error, refusal.error),
        _ => panic!("a code became an error, or the other way round: {query}"),
    }
}

fn assert_issuer(iss: Option<&str>) {
    for promised in [false, true] {
        let expected = ExpectedIssuer {
            identifier: Some(ISSUER.into()),
            promised,
        };
        let is_right = iss.map_or(!promised, |iss| iss == ISSUER);
        let checked = expected.check(iss);
        assert_eq!(checked.is_ok(), is_right, "{iss:?}");
        if let Err(wrong) = checked {
            assert_line(&wrong.to_string());
        }
    }
}

/// What somebody pasted as the URL that a browser ended at, on its way to the server.
pub(crate) fn pasted_url(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    // As the server reads what another client sends.
    if let Some((_, path, query)) = fuzzing::taken_apart(text) {
        assert!(!path.contains(char::is_control) && !query.contains(char::is_control));
        redirect_query(query.as_bytes());
    }
    let url = match fuzzing::pasted_url(text, &BEGUN) {
        Ok(url) => url,
        Err(why) => {
            assert!(!why.contains(SECRET), "{why}");
            return assert_line(&why);
        }
    };
    let found = url.expose();
    assert!(found.len() <= MAX_URL && !found.contains(char::is_whitespace));
    match fuzzing::pasted_url(found, &BEGUN) {
        Ok(again) => assert!(again == url, "{found} became {}", again.expose()),
        Err(why) => panic!("{found} is refused: {why}"),
    }
    let request = Request::Complete(None, url);
    let bytes = request.encode();
    assert_eq!(framing(&bytes), Framing::Whole);
    assert_eq!(Request::decode(&bytes).as_ref(), Ok(&request));
}
