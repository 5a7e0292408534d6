//! Secrets: values that must never be printed and that are wiped when they are let go of.
//!
//! Those that are held for long are in memory that is not swapped out, where the system gives any.
//! Knows nothing of what the secrets are for. Every read of a secret goes through `expose`, so
//! that all places which handle one can be found by that word.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::sys::LockedText;

macro_rules! secrets {
    ($($(#[$doc:meta])* $name:ident in $memory:ty;)*) => {$(
        $(#[$doc])*
        pub struct $name($memory);

        impl $name {
            /// Takes the text over; it is wiped when this value is dropped.
            #[must_use]
            pub fn new(text: String) -> Self {
                Self(<$memory>::new(text))
            }

            /// The secret itself. Never log what this returns.
            #[must_use]
            pub fn expose(&self) -> &str {
                self.0.as_str()
            }

            /// A second copy of the secret, for a request that is about to be sent.
            #[must_use]
            pub fn duplicate(&self) -> Self {
                Self::new(self.expose().to_owned())
            }
        }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.expose() == other.expose()
            }
        }

        impl Eq for $name {}

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    )*};
}

secrets! {
    /// An access token (RFC 6749 section 1.4).
    AccessToken in LockedText;
    /// A refresh token (RFC 6749 section 1.5).
    RefreshToken in LockedText;
    /// The client's secret (RFC 6749 section 2.3.1).
    ClientSecret in LockedText;
    /// A PKCE code verifier (RFC 7636 section 4.1).
    Verifier in LockedText;
    /// An authorisation code (RFC 6749 section 1.3.1).
    Code in LockedText;
    /// A device code (RFC 8628 section 3.2).
    DeviceCode in LockedText;
    /// The `state` of an authorisation request (RFC 6749 section 10.12).
    AuthState in LockedText;
    /// A text that contains secrets: a dump, or a form on its way to the provider.
    SecretText in Zeroizing<String>;
}

/// The parts in one buffer, which is wiped, of exactly their size: growing it would leave copies of
/// them behind.
#[must_use]
pub fn joined(parts: &[&str]) -> Zeroizing<String> {
    let length = parts.iter().map(|part| part.len()).sum();
    let mut text = Zeroizing::new(String::with_capacity(length));
    for part in parts {
        text.push_str(part);
    }
    text
}

impl AuthState {
    /// Whether `candidate` is this state, in a time that does not depend on where they differ.
    #[must_use]
    pub fn matches(&self, candidate: &str) -> bool {
        self.expose().as_bytes().ct_eq(candidate.as_bytes()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing_of_a_secret() {
        let token = AccessToken::new("ya29.secret".into());
        assert_eq!(format!("{token:?}"), "AccessToken(..)");
    }

    #[test]
    fn parts_are_joined_in_a_buffer_that_never_grows() {
        let text = joined(&["a", "", "bé"]);
        assert_eq!(*text, "abé");
        assert_eq!(text.capacity(), text.len());
    }

    #[test]
    fn a_state_matches_only_itself() {
        let state = AuthState::new("abc".into());
        assert!(state.matches("abc"));
        assert!(!state.matches("abd"));
        assert!(!state.matches("ab"));
        assert!(!state.matches(""));
    }
}
