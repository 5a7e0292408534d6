//! Whether the browser was sent back by the right provider (RFC 9207): without this, a provider
//! that the user does not trust could have another one's codes sent to itself.
//!
//! Compares and says; what is done about it is for others.

use std::fmt;

use super::endpoints::ExpectedIssuer;
use super::printable;

/// Somebody else answered than was asked, or one who does not say who it is. All texts are safe
/// to print.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WrongIssuer {
    /// The `iss` is another one's.
    Another {
        /// Who answered, or so it says.
        came: String,
        /// Who should have.
        expected: String,
    },
    /// There is no `iss`, although the provider's metadata promise one.
    Missing {
        /// Who should have answered, where that is known.
        expected: Option<String>,
    },
}

impl ExpectedIssuer {
    /// Holds the `iss` of a redirect against what is known (RFC 9207 section 2.4). It must be done
    /// before anything else is believed, an `error` in the same redirect included.
    ///
    /// # Errors
    /// Where another provider answered, or where the answer should name its provider and does not.
    pub fn check(&self, iss: Option<&str>) -> Result<(), WrongIssuer> {
        match (iss, self.identifier.as_deref()) {
            // Character by character (RFC 3986 section 6.2.1): no two spellings are the same.
            (Some(came), Some(expected)) if came != expected => Err(WrongIssuer::Another {
                came: printable::text(came),
                expected: printable::text(expected),
            }),
            (None, expected) if self.promised => Err(WrongIssuer::Missing {
                expected: expected.map(printable::text),
            }),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for WrongIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const AGAIN: &str = "somebody may have interfered with this login: begin it anew";
        match self {
            Self::Another { came, expected } => write!(
                f,
                "the answer comes from '{came}', and '{expected}' was asked; {AGAIN}"
            ),
            Self::Missing { expected } => {
                f.write_str("the answer does not say who it comes from, which ")?;
                match expected {
                    Some(expected) => write!(f, "'{expected}'")?,
                    None => f.write_str("the provider")?,
                }
                write!(f, " promises to do; {AGAIN}")
            }
        }
    }
}

impl std::error::Error for WrongIssuer {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::authorize::Callback;

    const ISSUER: &str = "https://login.example/a";

    fn expecting(identifier: Option<&str>, promised: bool) -> ExpectedIssuer {
        ExpectedIssuer {
            identifier: identifier.map(Into::into),
            promised,
        }
    }

    #[test]
    fn who_may_answer() {
        let known = expecting(Some(ISSUER), false);
        let promised = expecting(Some(ISSUER), true);
        let unnamed = expecting(None, true);
        let unknown = ExpectedIssuer::default();
        let cases = [
            (&known, Some(ISSUER), true),
            (&known, None, true),
            (&known, Some("https://login.example/a/"), false),
            (&known, Some("https://LOGIN.example/a"), false),
            (&known, Some("https://login.example:443/a"), false),
            (&known, Some("https://login.example/%61"), false),
            (&known, Some(""), false),
            (&promised, Some(ISSUER), true),
            (&promised, Some("https://evil.example"), false),
            (&promised, None, false),
            (&unnamed, Some("https://any.example"), true),
            (&unnamed, None, false),
            (&unknown, Some("https://any.example"), true),
            (&unknown, None, true),
        ];
        for (expected, iss, good) in cases {
            assert_eq!(expected.check(iss).is_ok(), good, "{expected:?} {iss:?}");
        }
    }

    #[test]
    fn an_error_must_come_from_the_right_one_too() {
        let callback =
            Callback::parse("error=access_denied&state=s&iss=https%3A%2F%2Fevil.example").unwrap();
        assert!(callback.outcome.is_err());
        let check = expecting(Some(ISSUER), true).check(callback.iss.as_deref());
        assert!(matches!(check, Err(WrongIssuer::Another { .. })));
    }

    #[test]
    fn what_is_said_is_plain_and_safe() {
        let other = expecting(Some(ISSUER), false).check(Some("https://e\u{202e}vil\n\u{1b}[2J"));
        assert_eq!(
            other.unwrap_err().to_string(),
            "the answer comes from 'https://evil [2J', and 'https://login.example/a' was asked; \
             somebody may have interfered with this login: begin it anew"
        );
        for (identifier, who) in [(None, "the provider"), (Some("https://a"), "'https://a'")] {
            let silent = expecting(identifier, true).check(None).unwrap_err();
            let said = format!("who it comes from, which {who} promises to do; ");
            assert!(silent.to_string().contains(&said), "{silent}");
        }
        let long = expecting(Some(ISSUER), false).check(Some(&"x".repeat(1 << 20)));
        assert!(long.unwrap_err().to_string().chars().count() < 600);
    }
}
