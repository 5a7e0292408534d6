//! For tests of this room only: an account's authority, and random numbers that are the same in
//! every run.

use crate::config::{Authority, ClientAuth, GrantType, RedirectUri, SecretSource};
use crate::oauth::client::Authentication;
use crate::secret::ClientSecret;
use url::Url;

/// An authority in which every text has characters that must be encoded.
pub(super) fn authority(client_auth: ClientAuth) -> Authority {
    Authority {
        auth_uri: Url::parse("https://login.example/authorize").ok(),
        token_uri: Url::parse("https://login.example/token").ok(),
        issuer: None,
        grant: GrantType::AuthorizationCode,
        client_id: "id:with/odd chars".into(),
        client_auth,
        scopes: vec![
            "https://mail.example/IMAP.All".into(),
            "offline_access".into(),
        ],
        resource: None,
        redirect_uri: RedirectUri::parse("http://localhost/").unwrap(),
        auth_uri_fields: Vec::new(),
    }
}

/// A confidential client's secret.
pub(super) fn secret(text: &str) -> SecretSource {
    SecretSource::written(ClientSecret::new(text.into()))
}

/// How a client whose secret is written down authenticates.
pub(super) fn authentication(authority: &Authority) -> Authentication {
    let none = |_: &str| Err("there is no command");
    Authentication::new(&authority.client_auth, none).unwrap()
}

/// Marsaglia's xorshift.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `limit`, which is not 0.
    pub(super) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).unwrap()
    }

    /// `valid`, cut off or with a few bytes changed, removed, inserted or repeated.
    pub(super) fn mutate(&mut self, valid: &[u8]) -> Vec<u8> {
        let mut mutated = valid.to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(mutated.len() + 1);
            let end = (at + self.below(12)).min(mutated.len());
            match self.below(6) {
                0 => mutated.truncate(at),
                1 => drop(mutated.drain(at..end)),
                2 => mutated.insert(at, self.byte()),
                3 if at < mutated.len() => mutated[at] = self.byte(),
                4 => {
                    let part = mutated[at..end].to_vec();
                    mutated.splice(at..at, part);
                }
                _ => {
                    let piece = PIECES[self.below(PIECES.len())];
                    mutated.splice(at..end, piece.bytes());
                }
            }
        }
        mutated
    }

    /// Half of the time one that means something to a parser.
    fn byte(&mut self) -> u8 {
        const MARKS: &[u8] = b"{}[]\":,\\&=%+-.0e \n\x1b\0";
        match self.below(2) {
            0 => MARKS[self.below(MARKS.len())],
            _ => u8::try_from(self.below(256)).unwrap(),
        }
    }
}

/// What may come in the place of something else.
const PIECES: &[&str] = &[
    "null",
    "false",
    "{}",
    "[",
    "\"\"",
    "-1",
    "1e999",
    "99999999999999999999999999999999999999999",
    "\\ud800",
    "\\u001b[2J",
    "\u{202e}",
    "%0d%0a",
    "\",\"error\":\"",
    "\"access_token\":\"x\",",
    "&error=x",
];
