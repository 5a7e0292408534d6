//! Replies as bytes, and back.

use std::fmt;

use zeroize::Zeroizing;

use super::{message, number, quoted, split_line, utf8};
use crate::protocol::{LoginPlace, MAX_REPLY, Reply};
use crate::secret::{AccessToken, SecretText};

/// The longest kind and length that a reply begins with: `document 67108864` and some room.
pub(super) const MAX_REPLY_HEAD: usize = 64;

/// Why what a server sent is not a reply.
#[derive(Debug, PartialEq, Eq)]
pub enum BadReply {
    /// It ends before its announced end.
    CutOff,
    /// It is nothing that this version knows.
    NotUnderstood(String),
}

impl fmt::Display for BadReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CutOff => f.write_str("the server closed the connection before it had answered"),
            Self::NotUnderstood(why) => write!(
                f,
                "the server's answer is not understood ({why}): \
                 if it is another version of pizauth, restart it"
            ),
        }
    }
}

impl std::error::Error for BadReply {}

impl Reply {
    /// The reply as it is sent; wiped when dropped, since most of what is sent is secret.
    #[must_use]
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let (kind, payload) = match self {
            Self::Done(text) => ("done", text.as_str()),
            Self::Token(token) => ("token", token.expose()),
            Self::Document(text) => ("document", text.expose()),
            Self::LoginNeeded(place) => {
                let Some(user_code) = &place.user_code else {
                    return reply("login", &[&place.url]);
                };
                return reply("login", &[&place.url, "\n", user_code]);
            }
            Self::TryLater(reason) => ("later", reason.as_str()),
            Self::Error(reason) => ("error", reason.as_str()),
        };
        reply(kind, &[payload])
    }

    /// Reads everything that a server sent until it closed the connection.
    ///
    /// # Errors
    /// If that is not exactly one reply.
    pub fn decode(received: &[u8]) -> Result<Self, BadReply> {
        let Some((line, payload)) = split_line(received) else {
            return Err(match received.len() < MAX_REPLY_HEAD {
                true => BadReply::CutOff,
                false => not_understood("it does not begin like one"),
            });
        };
        let (kind, length) = reply_head(line)?;
        if payload.len() < length {
            return Err(BadReply::CutOff);
        }
        if payload.len() > length {
            return Err(not_understood("there is something after its end"));
        }
        let text = utf8(payload).ok_or_else(|| not_understood("it is not valid UTF-8"))?;
        let text = text.to_owned();
        Ok(match kind {
            Kind::Done => Self::Done(text),
            Kind::Token => Self::Token(AccessToken::new(text)),
            Kind::Document => Self::Document(SecretText::new(text)),
            Kind::Login => Self::LoginNeeded(login_place(text)),
            Kind::Later => Self::TryLater(text),
            Kind::Error => Self::Error(text),
        })
    }
}

/// A reply whose payload is these parts.
fn reply(kind: &str, payload: &[&str]) -> Zeroizing<Vec<u8>> {
    let length: usize = payload.iter().map(|part| part.len()).sum();
    let length = length.to_string();
    let head = [kind, " ", &length, "\n"];
    let parts: Vec<&str> = head.iter().chain(payload).copied().collect();
    message(&parts)
}

/// A URL has no line breaks: what follows one is the code.
fn login_place(text: String) -> LoginPlace {
    match text.split_once('\n') {
        Some((url, user_code)) => LoginPlace {
            url: url.into(),
            user_code: Some(user_code.into()),
        },
        None => LoginPlace {
            url: text,
            user_code: None,
        },
    }
}

/// What a reply's first line can say it is.
#[derive(Clone, Copy)]
enum Kind {
    Done,
    Token,
    Document,
    Login,
    Later,
    Error,
}

/// The kind of a reply and how many bytes follow its first line.
fn reply_head(line: &[u8]) -> Result<(Kind, usize), BadReply> {
    let space = line.iter().position(|&byte| byte == b' ');
    let space = space.ok_or_else(|| not_understood("it does not begin like one"))?;
    let kind = match &line[..space] {
        b"done" => Kind::Done,
        b"token" => Kind::Token,
        b"document" => Kind::Document,
        b"login" => Kind::Login,
        b"later" => Kind::Later,
        b"error" => Kind::Error,
        other => {
            return Err(BadReply::NotUnderstood(format!(
                "it is of the unknown kind '{}'",
                quoted(other)
            )));
        }
    };
    let length = number(&line[space + 1..]).ok_or_else(|| not_understood("it has no length"))?;
    if length > MAX_REPLY {
        return Err(not_understood("it is too long"));
    }
    Ok((kind, length))
}

fn not_understood(why: &str) -> BadReply {
    BadReply::NotUnderstood(why.to_owned())
}
