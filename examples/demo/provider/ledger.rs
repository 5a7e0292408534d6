//! What the provider remembers: logins under way, codes, logins, and their tokens.
//!
//! Pure but for random numbers: the time is handed in. Knows no HTTP.

use std::collections::HashMap;
use std::io;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pizauth::clock::Moment;
use rand::TryRng as _;
use rand::rngs::SysRng;
use sha2::{Digest as _, Sha256};

use super::LIFETIME;

/// How long a login page can be used.
const PAGE_LIFETIME: Duration = Duration::from_secs(10 * 60);
/// How long a code can be exchanged: RFC 6749 section 4.1.2 allows ten minutes at the most, and
/// no program needs one.
const CODE_LIFETIME: Duration = Duration::from_secs(60);
/// Login pages that are open at once; beyond it, the oldest ends.
const MAX_PAGES: usize = 100;

/// 256 random bits, as they can stand in a URL.
pub(super) fn random() -> io::Result<String> {
    let mut bytes = [0; 32];
    SysRng
        .try_fill_bytes(&mut bytes)
        .map_err(io::Error::other)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// What a client asked for at the authorisation endpoint.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    pub(super) client_id: String,
    pub(super) redirect_uri: String,
    pub(super) scope: String,
    pub(super) challenge: String,
    pub(super) state: Option<String>,
}

/// Everything that there is to know.
#[derive(Default)]
pub(super) struct Ledger {
    /// Login pages that have been shown, by their one-time name.
    pages: HashMap<String, (Wish, Moment)>,
    codes: HashMap<String, Code>,
    /// What each login may do, and whether it still may; tokens name it by its place.
    logins: Vec<Login>,
    refresh_tokens: HashMap<String, RefreshToken>,
    access_tokens: HashMap<String, AccessToken>,
    refreshes: usize,
}

struct Code {
    wish: Wish,
    user: String,
    until: Moment,
    /// The login that it was exchanged for. A code is kept for as long as the ledger is, so that
    /// a second use is noticed.
    login: Option<usize>,
}

struct Login {
    client_id: String,
    user: String,
    scope: String,
    ended: bool,
}

struct RefreshToken {
    login: usize,
    spent: bool,
}

struct AccessToken {
    login: usize,
    scope: String,
    until: Moment,
}

/// Tokens for a client.
pub(super) struct Tokens {
    pub(super) access: String,
    pub(super) refresh: String,
    pub(super) scope: String,
}

/// What can be told of an access token that is good.
pub(super) struct Facts<'a> {
    pub(super) client_id: &'a str,
    pub(super) user: &'a str,
    pub(super) scope: &'a str,
    pub(super) until: Moment,
}

/// What a client presents to have a code exchanged.
pub(super) struct Exchange<'a> {
    pub(super) code: &'a str,
    pub(super) client_id: &'a str,
    pub(super) redirect_uri: &'a str,
    pub(super) verifier: &'a str,
}

/// Why there are no tokens.
#[derive(Clone, Copy, Debug)]
pub(super) enum Refused {
    /// `invalid_grant`, for this reason.
    Grant(&'static str),
    /// `invalid_scope`.
    Scope,
    /// The system has no random numbers.
    NoRandomness,
}

impl From<io::Error> for Refused {
    fn from(_: io::Error) -> Self {
        Self::NoRandomness
    }
}

impl Ledger {
    /// Remembers that a login page is shown, and gives it a name that is good for one use.
    pub(super) fn open_page(&mut self, wish: Wish, now: Moment) -> io::Result<String> {
        self.pages.retain(|_, (_, until)| *until > now);
        if self.pages.len() >= MAX_PAGES {
            let oldest = self.pages.iter().min_by_key(|(_, (_, until))| *until);
            let oldest = oldest.map(|(page, _)| page.clone());
            oldest.and_then(|page| self.pages.remove(&page));
        }
        let page = random()?;
        self.pages.insert(page.clone(), (wish, now + PAGE_LIFETIME));
        Ok(page)
    }

    /// What a login page is about, once.
    pub(super) fn close_page(&mut self, page: &str, now: Moment) -> Option<Wish> {
        let (wish, until) = self.pages.remove(page)?;
        (until > now).then_some(wish)
    }

    /// A code for what the user has allowed.
    pub(super) fn issue_code(&mut self, wish: Wish, user: &str, now: Moment) -> io::Result<String> {
        let code = random()?;
        let issued = Code {
            wish,
            user: user.to_owned(),
            until: now + CODE_LIFETIME,
            login: None,
        };
        self.codes.insert(code.clone(), issued);
        Ok(code)
    }

    /// The first tokens of a login.
    pub(super) fn exchange(&mut self, asked: &Exchange, now: Moment) -> Result<Tokens, Refused> {
        let code = self
            .codes
            .get_mut(asked.code)
            .ok_or(Refused::Grant("the code is unknown"))?;
        if code.wish.client_id != asked.client_id {
            return Err(Refused::Grant("the code is another client's"));
        }
        // A second use means that somebody else has the code, too (RFC 6749 section 4.1.2).
        if let Some(login) = code.login {
            self.logins[login].ended = true;
            return Err(Refused::Grant("the code has been used already"));
        }
        if code.until <= now {
            return Err(Refused::Grant("the code has expired"));
        }
        if code.wish.redirect_uri != asked.redirect_uri {
            return Err(Refused::Grant("the code was sent to another redirect URI"));
        }
        if challenge_of(asked.verifier) != code.wish.challenge {
            return Err(Refused::Grant("the code verifier is not the right one"));
        }
        let login = self.logins.len();
        code.login = Some(login);
        self.logins.push(Login {
            client_id: code.wish.client_id.clone(),
            user: code.user.clone(),
            scope: code.wish.scope.clone(),
            ended: false,
        });
        Ok(self.issue_tokens(login, None, now)?)
    }

    /// New tokens for a refresh token, which is spent by that.
    pub(super) fn refresh(
        &mut self,
        token: &str,
        client_id: &str,
        scope: Option<&str>,
        now: Moment,
    ) -> Result<Tokens, Refused> {
        let unknown = Refused::Grant("the refresh token is unknown");
        let presented = self.refresh_tokens.get_mut(token).ok_or(unknown)?;
        let login = &mut self.logins[presented.login];
        if login.client_id != client_id {
            return Err(Refused::Grant("the refresh token is another client's"));
        }
        // One of two who have it stole it, and there is no telling which (RFC 9700 section 4.14).
        if presented.spent {
            login.ended = true;
            return Err(Refused::Grant("the refresh token has been used already"));
        }
        if login.ended {
            return Err(Refused::Grant("the login has ended"));
        }
        if !scope.is_none_or(|scope| is_within(scope, &login.scope)) {
            return Err(Refused::Scope);
        }
        presented.spent = true;
        let login = presented.login;
        let tokens = self.issue_tokens(login, scope, now)?;
        self.refreshes += 1;
        Ok(tokens)
    }

    fn issue_tokens(
        &mut self,
        login: usize,
        scope: Option<&str>,
        now: Moment,
    ) -> io::Result<Tokens> {
        let (access, refresh) = (random()?, random()?);
        let scope = scope.unwrap_or(&self.logins[login].scope).to_owned();
        self.access_tokens.retain(|_, token| token.until > now);
        let token = AccessToken {
            login,
            scope: scope.clone(),
            until: now + LIFETIME,
        };
        self.access_tokens.insert(access.clone(), token);
        let spent = false;
        self.refresh_tokens
            .insert(refresh.clone(), RefreshToken { login, spent });
        Ok(Tokens {
            access,
            refresh,
            scope,
        })
    }

    /// What is known of an access token, if it is good.
    pub(super) fn introspect(&self, token: &str, now: Moment) -> Option<Facts<'_>> {
        let token = self.access_tokens.get(token)?;
        let login = &self.logins[token.login];
        (token.until > now && !login.ended).then_some(Facts {
            client_id: &login.client_id,
            user: &login.user,
            scope: &token.scope,
            until: token.until,
        })
    }

    /// How often a token has been refreshed.
    pub(super) fn refreshes(&self) -> usize {
        self.refreshes
    }
}

/// RFC 7636 section 4.6.
fn challenge_of(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))
}

fn is_within(scope: &str, granted: &str) -> bool {
    let is_granted = |wanted| granted.split(' ').any(|scope| scope == wanted);
    scope.split(' ').all(is_granted)
}
