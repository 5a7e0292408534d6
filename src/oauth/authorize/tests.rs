//! What is sent to the authorisation endpoint, and what is made of its answers.

use super::*;
use crate::config::{ClientAuth, RedirectUri};
use crate::oauth::testing::{Random, authority, secret};

const PORT: u16 = 51_234;

fn entropy() -> Entropy {
    Entropy(std::array::from_fn(|at| u8::try_from(at).unwrap()))
}

fn request(authority: &Authority) -> AuthorizationRequest {
    let auth_uri = authority.auth_uri.clone().unwrap();
    AuthorizationRequest::new(
        authority,
        &auth_uri,
        ExpectedIssuer::default(),
        PORT,
        entropy(),
    )
}

#[test]
fn the_challenge_is_that_of_rfc_7636_appendix_b() {
    let verifier = Verifier::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".into());
    assert_eq!(
        challenge(&verifier),
        "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    );
}

#[test]
fn the_url_has_every_field_in_order() {
    let mut authority = authority(ClientAuth::Post(secret("hush")));
    authority.resource = Some("https://api.example/jmap".into());
    authority.auth_uri_fields = [("prompt", "consent"), ("x", "1 +&"), ("x", "2")]
        .map(|(name, value)| (name.into(), value.into()))
        .to_vec();
    let request = request(&authority);
    let challenge = challenge(&request.verifier);
    assert_eq!(
        request.url,
        format!(
            "https://login.example/authorize?response_type=code\
             &client_id=id%3Awith%2Fodd%20chars\
             &redirect_uri=http%3A%2F%2Flocalhost%3A51234%2F\
             &scope=https%3A%2F%2Fmail.example%2FIMAP.All%20offline_access\
             &state=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\
             &code_challenge={challenge}&code_challenge_method=S256\
             &resource=https%3A%2F%2Fapi.example%2Fjmap\
             &prompt=consent&x=1%20%2B%26&x=2"
        )
    );
    assert_eq!(request.redirect_uri, "http://localhost:51234/");
    assert!(
        request
            .state
            .matches("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8")
    );
    assert_eq!(
        request.verifier.expose(),
        "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8"
    );
    assert!(!request.url.contains("hush"));
    assert!(!request.url.contains(request.verifier.expose()));
}

#[test]
fn a_parser_of_urls_reads_what_was_meant() {
    let mut authority = authority(ClientAuth::None);
    authority.redirect_uri = RedirectUri::parse("http://[::1]:7/back?a=b&c=%20").unwrap();
    authority.auth_uri_fields = vec![("login_hint".into(), "jörg+mail@example.com".into())];
    let request = request(&authority);
    let url = Url::parse(&request.url).unwrap();
    let read = |wanted: &str| {
        let mut values = url.query_pairs().filter(|(name, _)| name == wanted);
        let value = values.next().map(|(_, value)| value.into_owned());
        assert!(values.next().is_none(), "{wanted} comes twice");
        value.unwrap()
    };
    assert_eq!(read("client_id"), authority.client_id);
    assert_eq!(read("redirect_uri"), "http://[::1]:7/back?a=b&c=%20");
    assert_eq!(read("redirect_uri"), request.redirect_uri);
    assert_eq!(read("scope"), authority.scopes.join(" "));
    assert_eq!(read("login_hint"), "jörg+mail@example.com");
    assert!(request.state.matches(&read("state")));
}

#[test]
fn without_scopes_there_is_no_scope() {
    let mut authority = authority(ClientAuth::None);
    authority.scopes.clear();
    assert!(!request(&authority).url.contains("scope"));
}

#[test]
fn the_endpoint_keeps_its_own_query() {
    let cases = [
        ("https://a.example", "https://a.example/?response_type="),
        ("https://a.example/x?", "https://a.example/x?response_type="),
        (
            "https://a.example/?t=1",
            "https://a.example/?t=1&response_type=",
        ),
        (
            "https://a.example/?t=1&",
            "https://a.example/?t=1&response_type=",
        ),
        (
            "https://a.example/?t=a%20b#top",
            "https://a.example/?t=a%20b&response_type=",
        ),
    ];
    for (endpoint, start) in cases {
        let mut authority = authority(ClientAuth::None);
        authority.auth_uri = Url::parse(endpoint).ok();
        let url = request(&authority).url;
        assert!(url.starts_with(start), "{url}");
    }
}

fn code(query: &str) -> String {
    let callback = Callback::parse(query).unwrap();
    callback.outcome.unwrap().expose().to_owned()
}

fn refusal(query: &str) -> String {
    let callback = Callback::parse(query).unwrap();
    callback.outcome.unwrap_err().to_string()
}

#[test]
fn codes_are_read() {
    let cases = [
        ("state=s&code=c", "c"),
        (
            "code=4/0Ab-_x&state=s&scope=a+b&authuser=0&prompt=consent",
            "4/0Ab-_x",
        ),
        ("code=4%2F0Ab%2B&state=s", "4/0Ab+"),
        ("%63ode=c&st%61te=s", "c"),
        ("&&code=c&&state=s&", "c"),
        (
            "code=c%3Dd=&state=s&session_state=1&session_state=2&x",
            "c=d=",
        ),
        (
            "code=M.C1_BAY.2.U.0-%24%21*&state=s&error=",
            "M.C1_BAY.2.U.0-$!*",
        ),
    ];
    for (query, expected) in cases {
        assert_eq!(code(query), expected, "{query}");
    }
}

#[test]
fn refusals_are_read() {
    let cases = [
        ("error=access_denied&state=s", "access_denied"),
        (
            "error=access_denied&error_description=&state=s",
            "access_denied",
        ),
        (
            "state=s&error=access_denied&error_description=AADSTS65004%3a+User+declined.%0d%0aTrace+ID%3a+1",
            "access_denied: AADSTS65004: User declined. Trace ID: 1",
        ),
        ("error=e&code=c&state=s", "e"),
        (
            "error=%1b[2Je&error_description=a%e2%80%aeb%9b&state=s",
            "[2Je: ab\u{fffd}",
        ),
        (
            "error=%00&state=s",
            "an error that is not named as OAuth2 wants it",
        ),
    ];
    for (query, expected) in cases {
        assert_eq!(refusal(query), expected, "{query}");
    }
    let long = refusal(&format!(
        "state=s&error={0}&error_description={0}",
        "é".repeat(9_000)
    ));
    assert!(long.chars().count() < 400, "{long}");
}

#[test]
fn state_and_issuer_come_as_they_are() {
    let callback = Callback::parse("code=c&state=a%20b&iss=https%3A%2F%2Fid.example%2F").unwrap();
    assert!(callback.state.matches("a b"));
    assert_eq!(callback.iss.as_deref(), Some("https://id.example/"));
    let callback = Callback::parse("error=x&state=s&iss=").unwrap();
    assert_eq!(callback.iss, None);
}

#[test]
fn what_is_no_callback() {
    for query in [
        "",
        "code=c",
        "state=s",
        "error=x",
        "state=&code=c",
        "state&code=c",
        "state=s&code=",
        "state=s&error=&error_description=x",
        "State=s&Code=c",
        "utm_source=x",
        "?state=s&code=c",
    ] {
        assert_eq!(
            Callback::parse(query).unwrap_err(),
            BadCallback::NotACallback,
            "{query}"
        );
    }
}

#[test]
fn what_comes_twice_is_refused() {
    for name in PARAMETERS {
        for twice in [format!("{name}=x&{name}=x"), format!("{name}=&{name}=x")] {
            let query = format!("{twice}&state=s&code=c");
            let bad = Callback::parse(&query).unwrap_err();
            assert_eq!(bad, BadCallback::Repeated(name), "{query}");
        }
    }
    let bad = Callback::parse("code=c&%63ode=d&state=s").unwrap_err();
    assert_eq!(bad.to_string(), "the provider sent 'code' twice");
}

#[test]
fn huge_and_odd_values_work() {
    let huge = "0123456789abcdef".repeat(1024);
    assert_eq!(code(&format!("code={huge}&state={huge}")), huge);
    assert_eq!(code("code=%ff%fe&state=%80"), "\u{fffd}\u{fffd}");
    let many = format!("{}code=c&state=s", "a=b&".repeat(100_000));
    assert_eq!(code(&many), "c");
}

#[test]
fn no_query_makes_it_panic() {
    let mut random = Random::new(1);
    let valid = b"state=abc&code=4%2F0A&iss=https%3A%2F%2Fa&error=x&error_description=%F6";
    for _ in 0..20_000 {
        let query = random.mutate(valid);
        let Ok(callback) = Callback::parse(&String::from_utf8_lossy(&query)) else {
            continue;
        };
        assert!(!callback.state.matches(""));
        match callback.outcome {
            Ok(code) => assert!(!code.expose().is_empty()),
            Err(error) => assert!(!error.to_string().contains(char::is_control)),
        }
    }
}

#[test]
fn nothing_secret_is_in_debug_output() {
    let request = request(&authority(ClientAuth::None));
    let shown = format!("{:?} {:?}", request.state, request.verifier);
    assert_eq!(shown, "AuthState(..) Verifier(..)");
    let callback = format!("{:?}", Callback::parse("code=hush&state=hush").unwrap());
    assert!(!callback.contains("hush"), "{callback}");
}
