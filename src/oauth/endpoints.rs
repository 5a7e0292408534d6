//! A provider's endpoints, when all that is to be known of them is known.

use url::Url;

use crate::config::{Account, GrantType};

/// Where to ask, and who is expected to answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// The authorisation endpoint (RFC 6749 section 3.1); without it no browser can be sent there.
    pub auth_uri: Option<Url>,
    /// The token endpoint (RFC 6749 section 3.2).
    pub token_uri: Url,
    /// The device authorisation endpoint (RFC 8628 section 3.1).
    pub device_uri: Option<Url>,
    /// The revocation endpoint (RFC 7009 section 2).
    pub revoke_uri: Option<Url>,
    /// Who must have sent the browser back (RFC 9207).
    pub issuer: ExpectedIssuer,
}

/// What an `iss` in the redirect is held against (RFC 9207 section 2.4).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExpectedIssuer {
    /// The issuer, where it is known.
    pub identifier: Option<String>,
    /// Whether the provider has promised to name itself, so that silence is an error.
    pub promised: bool,
}

impl Endpoints {
    /// Those that are written down; `None` where the issuer must be asked first.
    #[must_use]
    pub fn written(account: &Account) -> Option<Self> {
        let authority = &account.authority;
        let issuer = authority.issuer.as_ref();
        if issuer.is_some_and(|issuer| issuer.discovery) {
            return None;
        }
        Some(Self {
            auth_uri: authority.auth_uri.clone(),
            token_uri: authority.token_uri.clone()?,
            device_uri: account.device_uri.clone(),
            revoke_uri: account.revoke_uri.clone(),
            issuer: ExpectedIssuer {
                identifier: issuer.map(|issuer| issuer.identifier.clone()),
                promised: false,
            },
        })
    }

    /// Whether a login can be begun by `grant`.
    #[must_use]
    pub const fn allow(&self, grant: GrantType) -> bool {
        match grant {
            GrantType::AuthorizationCode => self.auth_uri.is_some(),
            GrantType::DeviceCode => self.device_uri.is_some(),
            GrantType::ClientCredentials => true,
        }
    }
}
