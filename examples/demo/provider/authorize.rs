//! The authorisation endpoint and the login page's form (RFC 6749 section 4.1.1 and 4.1.2).

use pizauth::clock;
use url::{Host, Url};

use super::http::{Fields, Request, Response};
use super::ledger::Wish;
use super::page::{self, Login};
use super::{CLIENT_ID, Office, SCOPES, SUGGESTED_USER};

/// The longest user name, in characters.
const MAX_USER: usize = 64;
/// The length of an S256 challenge: 256 bits in base64url.
const CHALLENGE_LENGTH: usize = 43;

/// A request that cannot be granted, as the client is told (RFC 6749 section 4.1.2.1).
type Refusal = (&'static str, &'static str);

impl Office {
    /// Shows the login page.
    pub(super) fn authorize(&self, request: &Request) -> Response {
        let fields = request.query_fields();
        // Until client and redirect URI are known to be right, nobody is sent anywhere.
        let redirect_uri = match trusted_redirect(&fields) {
            Ok(redirect_uri) => redirect_uri,
            Err(reason) => return page::problem("400 Bad Request", reason),
        };
        let state = (!fields.repeats("state"))
            .then(|| fields.get("state").map(str::to_owned))
            .flatten();
        let wish = match read_wish(&fields, redirect_uri, state.clone()) {
            Ok(wish) => wish,
            Err((error, description)) => {
                let answer = [("error", error), ("error_description", description)];
                return self.send_back(redirect_uri, &answer, state.as_deref());
            }
        };
        let user = fields.get("login_hint").unwrap_or(SUGGESTED_USER);
        self.show_login(wish, user, None)
    }

    /// Takes the login page's form.
    pub(super) fn login(&self, request: &Request) -> Response {
        let Some(form) = request.form() else {
            return page::problem("415 Unsupported Media Type", "This is not a form");
        };
        let now = clock::moment();
        let page = form.get("page").unwrap_or_default();
        let Some(wish) = self.ledger().close_page(page, now) else {
            return page::problem(
                "400 Bad Request",
                "This login page has been used or is too old",
            );
        };
        let redirect_uri = wish.redirect_uri.clone();
        let state = wish.state.clone();
        if form.get("decision") != Some("allow") {
            let answer = [
                ("error", "access_denied"),
                ("error_description", "You did not allow it"),
            ];
            return self.send_back(&redirect_uri, &answer, state.as_deref());
        }
        let user = form.get("user").unwrap_or_default().trim();
        if let Some(complaint) = complaint(user, form.get("password")) {
            return self.show_login(wish, user, Some(complaint));
        }
        let code = self.ledger().issue_code(wish, user, now);
        match code {
            Ok(code) => self.send_back(&redirect_uri, &[("code", &code)], state.as_deref()),
            Err(_) => self.send_back(
                &redirect_uri,
                &[("error", "server_error")],
                state.as_deref(),
            ),
        }
    }

    fn show_login(&self, wish: Wish, user: &str, complaint: Option<&str>) -> Response {
        let scopes: Vec<_> = wish.scope.split(' ').filter_map(described).collect();
        let redirect_uri = wish.redirect_uri.clone();
        match self.ledger().open_page(wish, clock::moment()) {
            Ok(page) => page::login(&Login {
                page: &page,
                user,
                scopes: &scopes,
                complaint,
                redirect_uri: &redirect_uri,
            }),
            Err(_) => page::problem("500 Internal Server Error", "There are no random numbers"),
        }
    }

    /// Sends the browser back to the client. 303 turns the form's POST into a GET, and nothing of
    /// the form goes along.
    fn send_back(&self, uri: &str, answer: &[(&str, &str)], state: Option<&str>) -> Response {
        let Ok(mut location) = Url::parse(uri) else {
            return page::problem("400 Bad Request", "The redirect URI is not one");
        };
        location
            .query_pairs_mut()
            .extend_pairs(answer)
            .extend_pairs(state.map(|state| ("state", state)))
            .append_pair("iss", &self.issuer());
        Response {
            status: "303 See Other",
            headers: vec![
                ("Location", location.into()),
                ("Referrer-Policy", "no-referrer".into()),
            ],
            body: String::new(),
        }
    }
}

/// The redirect URI, if it is the right one for the client.
fn trusted_redirect(fields: &Fields) -> Result<&str, &'static str> {
    if fields.repeats("client_id") || fields.repeats("redirect_uri") {
        return Err("The client says something twice");
    }
    if fields.get("client_id") != Some(CLIENT_ID) {
        return Err("The client is not registered here");
    }
    let uri = fields
        .get("redirect_uri")
        .ok_or("The client does not say where to go from here")?;
    if is_registered(uri) {
        return Ok(uri);
    }
    Err("The redirect URI is not registered: it must be http on a loopback host, with path /")
}

/// Any port of a loopback host will do (RFC 8252 section 7.3).
fn is_registered(uri: &str) -> bool {
    let Ok(url) = Url::parse(uri) else {
        return false;
    };
    let is_loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address == std::net::Ipv4Addr::LOCALHOST,
        Some(Host::Ipv6(address)) => address == std::net::Ipv6Addr::LOCALHOST,
        None => false,
    };
    let is_bare = url.username().is_empty() && url.password().is_none() && url.query().is_none();
    is_loopback && is_bare && url.scheme() == "http" && url.path() == "/" && !uri.contains('#')
}

fn read_wish(fields: &Fields, redirect: &str, state: Option<String>) -> Result<Wish, Refusal> {
    const INVALID: &str = "invalid_request";
    if fields.repeated().is_some() {
        return Err((INVALID, "a parameter is there twice"));
    }
    match fields.get("response_type") {
        Some("code") => {}
        Some(_) => return Err(("unsupported_response_type", "only code is supported")),
        None => return Err((INVALID, "response_type is missing")),
    }
    // RFC 7636 section 4.4.1 has these words.
    let challenge = fields
        .get("code_challenge")
        .ok_or((INVALID, "code challenge required"))?;
    if fields.get("code_challenge_method") != Some("S256") {
        return Err((INVALID, "transform algorithm not supported"));
    }
    let is_base64url = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'_';
    if challenge.len() != CHALLENGE_LENGTH || !challenge.bytes().all(is_base64url) {
        return Err((INVALID, "the code challenge is not one of S256"));
    }
    let scope = fields.get("scope").unwrap_or("mail.read");
    if !scope.split(' ').all(|scope| described(scope).is_some()) {
        return Err(("invalid_scope", "the scopes are mail.read and mail.send"));
    }
    Ok(Wish {
        client_id: CLIENT_ID.to_owned(),
        redirect_uri: redirect.to_owned(),
        scope: scope.to_owned(),
        challenge: challenge.to_owned(),
        state,
    })
}

fn described(scope: &str) -> Option<&'static str> {
    let found = SCOPES.iter().find(|(name, _)| *name == scope);
    found.map(|(_, description)| *description)
}

/// What is wrong with what the user entered. Any name and any password are right.
fn complaint(user: &str, password: Option<&str>) -> Option<&'static str> {
    if user.is_empty() {
        return Some("Enter a user name");
    }
    if user.chars().count() > MAX_USER || user.chars().any(char::is_control) {
        return Some("Enter a shorter user name");
    }
    password.is_none().then_some("Enter a password")
}
