//! How the client authenticates (RFC 6749 section 2.3), with its secret at hand.

use std::sync::Arc;

use crate::config::{ClientAuth, SecretSource};
use crate::secret::ClientSecret;

/// What a request to the provider proves the client with.
#[derive(Clone, Debug)]
pub enum Authentication {
    /// Nothing but its identifier: a public client.
    None,
    /// The secret, in the body.
    Post(Arc<ClientSecret>),
    /// The secret, in the HTTP Basic header.
    Basic(Arc<ClientSecret>),
}

impl Authentication {
    /// What `client_auth` asks for; `run` brings the secret that a command prints.
    ///
    /// # Errors
    /// Those of `run`.
    pub fn new<E>(
        client_auth: &ClientAuth,
        run: impl FnOnce(&str) -> Result<Arc<ClientSecret>, E>,
    ) -> Result<Self, E> {
        let fetch = |source: &SecretSource| match source {
            SecretSource::Written(secret) => Ok(Arc::clone(secret)),
            SecretSource::Command(command) => run(command),
        };
        Ok(match client_auth {
            ClientAuth::None => Self::None,
            ClientAuth::Post(source) => Self::Post(fetch(source)?),
            ClientAuth::Basic(source) => Self::Basic(fetch(source)?),
        })
    }

    /// The secret, where there is one.
    #[must_use]
    pub const fn secret(&self) -> Option<&Arc<ClientSecret>> {
        match self {
            Self::None => None,
            Self::Post(secret) | Self::Basic(secret) => Some(secret),
        }
    }
}
