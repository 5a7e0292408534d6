//! What a good provider keeps: codes that are good once, for who asked for them; refresh tokens,
//! and which of them are spent.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use sha2::{Digest, Sha256};
use url::Url;

use super::{Answer, Request};
use crate::support::browser;

#[derive(Default)]
pub(super) struct Ledger {
    /// What `expires_in` says.
    pub(super) lifetime: Option<u64>,
    /// Whether a refresh token is good for one use.
    pub(super) rotates: bool,
    /// Whether the last spent token is taken once more, as long as nobody has used the one that it
    /// was replaced with: that one may have been lost on its way.
    pub(super) forgives: bool,
    /// What a client must not do.
    pub(super) faults: Vec<String>,
    pub(super) last_token: String,
    pub(super) last_refresh_token: String,
    codes: HashMap<String, Consent>,
    /// By spent refresh tokens, what each was replaced with.
    successors: HashMap<String, String>,
    /// The good refresh tokens.
    refresh_tokens: HashMap<String, Login>,
    /// Refresh tokens of logins that the provider has ended: nobody is to blame for sending them.
    ended: Vec<String>,
    in_flight: HashMap<String, usize>,
    numbers: u64,
}

/// A code that was given out.
struct Consent {
    client: String,
    redirect_uri: String,
    challenge: String,
    scope: String,
}

/// A login.
#[derive(Clone)]
struct Login {
    scope: String,
}

impl Ledger {
    /// See [`super::Provider::consent`].
    #[track_caller]
    pub(super) fn consent(&mut self, url: &str) -> String {
        let get = |name: &str| browser::field(url, name);
        let must = |name: &str| get(name).unwrap_or_else(|| panic!("no '{name}' in {url}"));
        assert_eq!(must("response_type"), "code");
        assert_eq!(must("code_challenge_method"), "S256");
        let code = self.fresh("code");
        let consent = Consent {
            client: must("client_id"),
            redirect_uri: must("redirect_uri"),
            challenge: must("code_challenge"),
            scope: get("scope").unwrap_or_default(),
        };
        let mut back = Url::parse(&consent.redirect_uri).unwrap();
        back.query_pairs_mut()
            .append_pair("code", &code)
            .append_pair("state", &must("state"));
        self.codes.insert(code, consent);
        back.into()
    }

    /// A refresh has come in: there must be no other one with the same token.
    pub(super) fn begin(&mut self, request: &Request) -> Option<String> {
        let token = request.field("refresh_token")?.to_owned();
        let count = self.in_flight.entry(token.clone()).or_default();
        *count += 1;
        if *count > 1 {
            self.faults.push(format!("{token} in flight {count} times"));
        }
        Some(token)
    }

    /// It has been answered.
    pub(super) fn end(&mut self, in_flight: Option<String>) {
        let count = in_flight.and_then(|token| self.in_flight.get_mut(&token));
        if let Some(count) = count {
            *count -= 1;
        }
    }

    pub(super) fn end_logins(&mut self) {
        self.ended
            .extend(self.refresh_tokens.drain().map(|(token, _)| token));
    }

    pub(super) fn answer(&mut self, request: &Request) -> Answer {
        let answer = match request.field("grant_type") {
            Some("authorization_code") => self.exchange(request),
            Some("refresh_token") => self.refresh(request),
            other => Err(format!("the grant_type is {other:?}")),
        };
        answer.unwrap_or_else(|fault| {
            let answer = Answer::error(400, "invalid_grant", &fault);
            self.faults.push(fault);
            answer
        })
    }

    /// RFC 6749 section 4.1.3, RFC 7636 section 4.6.
    fn exchange(&mut self, request: &Request) -> Result<Answer, String> {
        let code = request.field("code").unwrap_or_default();
        let Some(consent) = self.codes.remove(code) else {
            return Err(format!("the code '{code}' is unknown or spent"));
        };
        let verifier = request.field("code_verifier").unwrap_or_default();
        if URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)) != consent.challenge {
            return Err("the verifier is not that of the challenge".to_owned());
        }
        if request.field("redirect_uri") != Some(&consent.redirect_uri) {
            return Err(format!("not the redirect URI '{}'", consent.redirect_uri));
        }
        if request.header("authorization").is_none() && request.client() != consent.client {
            return Err("another client".to_owned());
        }
        let refresh_token = self.fresh("rt");
        let login = Login {
            scope: consent.scope,
        };
        Ok(self.grant(refresh_token, login, true))
    }

    fn refresh(&mut self, request: &Request) -> Result<Answer, String> {
        let spent = request.field("refresh_token").unwrap_or_default();
        if self.ended.iter().any(|token| token == spent) {
            let why = "the login has been ended";
            return Ok(Answer::error(400, "invalid_grant", why));
        }
        let lost = self.successors.get(spent).filter(|_| self.forgives);
        let good = lost.map_or(spent, String::as_str).to_owned();
        let Some(login) = self.refresh_tokens.get(&good).cloned() else {
            return Err(format!("'{spent}' is unknown or spent"));
        };
        if !self.rotates {
            return Ok(self.grant(good, login, false));
        }
        self.refresh_tokens.remove(&good);
        let refresh_token = self.fresh("rt");
        let spent = spent.to_owned();
        self.successors.insert(spent, refresh_token.clone());
        Ok(self.grant(refresh_token, login, true))
    }

    fn grant(&mut self, refresh_token: String, login: Login, is_new: bool) -> Answer {
        let access_token = self.fresh("at");
        let mut answer = json!({
            "access_token": access_token,
            "token_type": "Bearer",
            "scope": login.scope,
        });
        if is_new {
            answer["refresh_token"] = refresh_token.clone().into();
        }
        if let Some(lifetime) = self.lifetime {
            answer["expires_in"] = lifetime.into();
        }
        self.last_token = access_token;
        self.last_refresh_token.clone_from(&refresh_token);
        self.refresh_tokens.insert(refresh_token, login);
        Answer::json(200, &answer.to_string()).header("Cache-Control", "no-store")
    }

    /// Something that nobody had before; see [`crate::support::pizauth::SECRET`].
    fn fresh(&mut self, kind: &str) -> String {
        self.numbers += 1;
        format!("SECRET-{kind}-{}", self.numbers)
    }
}
