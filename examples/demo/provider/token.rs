//! The token endpoint (RFC 6749 section 4.1.3 and 6) and introspection (RFC 7662).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pizauth::clock;
use serde_json::{Value, json};

use super::http::{Fields, Request, Response};
use super::ledger::{Exchange, Refused, Tokens};
use super::{CLIENT_ID, LIFETIME, Office, page, unix_time};

/// The one resource server that may ask what a token is worth.
pub(super) const RESOURCE_SERVER: &str = "mail-server";
/// How long a code verifier is (RFC 7636 section 4.1).
const VERIFIER_LENGTH: std::ops::RangeInclusive<usize> = 43..=128;

/// An error as RFC 6749 section 5.2 has it, and its description.
type Refusal = (&'static str, &'static str);

impl Office {
    /// Answers a request for tokens.
    pub(super) fn token(&self, request: &Request) -> Response {
        match self.grant(request) {
            Ok(tokens) => json_response(
                "200 OK",
                &json!({
                    "access_token": tokens.access,
                    "token_type": "Bearer",
                    "expires_in": LIFETIME.as_secs(),
                    "refresh_token": tokens.refresh,
                    "scope": tokens.scope,
                }),
            ),
            Err((error, description)) => {
                let status = match error {
                    "invalid_client" => "401 Unauthorized",
                    "server_error" => "500 Internal Server Error",
                    _ => "400 Bad Request",
                };
                let body = json!({ "error": error, "error_description": description });
                let mut response = json_response(status, &body);
                if error == "invalid_client" && request.header("authorization").is_some() {
                    response.headers.push(challenge());
                }
                response
            }
        }
    }

    fn grant(&self, request: &Request) -> Result<Tokens, Refusal> {
        const INVALID: &str = "invalid_request";
        let form = request.form().ok_or((INVALID, "this is not a form"))?;
        if form.repeated().is_some() {
            return Err((INVALID, "a parameter is there twice"));
        }
        // The client is a public one, which has nothing to prove itself with.
        if request.header("authorization").is_some() || form.get("client_secret").is_some() {
            return Err(("invalid_client", "the client has no secret"));
        }
        let client_id = form
            .get("client_id")
            .ok_or((INVALID, "client_id is missing"))?;
        if client_id != CLIENT_ID {
            return Err(("invalid_client", "the client is not registered here"));
        }
        match form.get("grant_type") {
            Some("authorization_code") => self.grant_for_code(&form, client_id),
            Some("refresh_token") => self.grant_for_refresh_token(&form, client_id),
            Some(_) => Err((
                "unsupported_grant_type",
                "there are codes and refresh tokens",
            )),
            None => Err((INVALID, "grant_type is missing")),
        }
    }

    fn grant_for_code(&self, form: &Fields, client_id: &str) -> Result<Tokens, Refusal> {
        let field = |name, missing| form.get(name).ok_or(("invalid_request", missing));
        let verifier = field("code_verifier", "code_verifier is missing")?;
        let is_unreserved = |c: u8| c.is_ascii_alphanumeric() || b"-._~".contains(&c);
        if !VERIFIER_LENGTH.contains(&verifier.len()) || !verifier.bytes().all(is_unreserved) {
            return Err(("invalid_request", "the code verifier is not one"));
        }
        let asked = Exchange {
            code: field("code", "code is missing")?,
            client_id,
            redirect_uri: field("redirect_uri", "redirect_uri is missing")?,
            verifier,
        };
        let granted = self.ledger().exchange(&asked, clock::moment());
        granted.map_err(refusal)
    }

    fn grant_for_refresh_token(&self, form: &Fields, client_id: &str) -> Result<Tokens, Refusal> {
        let token = form
            .get("refresh_token")
            .ok_or(("invalid_request", "refresh_token is missing"))?;
        let scope = form.get("scope");
        let granted = self
            .ledger()
            .refresh(token, client_id, scope, clock::moment());
        granted.map_err(refusal)
    }

    /// Tells a resource server what an access token is worth.
    pub(super) fn introspect(&self, request: &Request) -> Response {
        if request.header("authorization") != Some(&self.expected_authorization()) {
            let mut response =
                json_response("401 Unauthorized", &json!({"error": "invalid_client"}));
            response.headers.push(challenge());
            return response;
        }
        let form = request.form();
        let Some(token) = form.as_ref().and_then(|form| form.get("token")) else {
            return json_response("400 Bad Request", &json!({"error": "invalid_request"}));
        };
        let ledger = self.ledger();
        let facts = match ledger.introspect(token, clock::moment()) {
            Some(facts) => json!({
                "active": true,
                "username": facts.user,
                "client_id": facts.client_id,
                "scope": facts.scope,
                "token_type": "Bearer",
                "exp": unix_time(facts.until),
                "iss": self.issuer(),
            }),
            // Nothing more is said of a token that is not good (RFC 7662 section 2.2).
            None => json!({ "active": false }),
        };
        drop(ledger);
        json_response("200 OK", &facts)
    }

    fn expected_authorization(&self) -> String {
        let credentials = format!("{RESOURCE_SERVER}:{}", self.secret);
        format!("Basic {}", STANDARD.encode(credentials))
    }
}

/// What a 401 says of how to do better.
fn challenge() -> (&'static str, String) {
    (
        "WWW-Authenticate",
        "Basic realm=\"example provider\"".into(),
    )
}

fn refusal(refused: Refused) -> Refusal {
    match refused {
        Refused::Grant(reason) => ("invalid_grant", reason),
        Refused::Scope => ("invalid_scope", "this was not granted"),
        Refused::NoRandomness => ("server_error", "there are no random numbers"),
    }
}

fn json_response(status: &'static str, body: &Value) -> Response {
    Response {
        status,
        headers: vec![
            ("Content-Type", "application/json".into()),
            ("Pragma", "no-cache".into()),
            page::no_sniffing(),
        ],
        body: body.to_string(),
    }
}
