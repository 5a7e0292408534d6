//! A provider's endpoints, when all that is to be known of them is known.
//!
//! Joins what the account writes with what the provider publishes; asks nobody.

use url::Url;

use super::metadata::Metadata;
use super::printable;
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
        if authority.issuer.as_ref().is_some_and(|it| it.discovery) {
            return None;
        }
        Some(Self {
            auth_uri: authority.auth_uri.clone(),
            token_uri: authority.token_uri.clone()?,
            device_uri: account.device_uri.clone(),
            revoke_uri: account.revoke_uri.clone(),
            issuer: ExpectedIssuer::of(account, false),
        })
    }

    /// Those that the provider publishes; what the account writes itself wins over them.
    ///
    /// # Errors
    /// Where one is missing that the account's grant needs, or where a login by it is sure to
    /// fail; safe to print.
    pub fn discovered(account: &Account, metadata: &Metadata) -> Result<Self, String> {
        let authority = &account.authority;
        let or = |written: &Option<Url>, published: &Option<Url>| {
            written.clone().or_else(|| published.clone())
        };
        let token_uri = or(&authority.token_uri, &metadata.token_endpoint)
            .ok_or_else(|| missing("token_endpoint", "token_uri"))?;
        let endpoints = Self {
            auth_uri: or(&authority.auth_uri, &metadata.authorization_endpoint),
            token_uri,
            device_uri: or(&account.device_uri, &metadata.device_authorization_endpoint),
            revoke_uri: or(&account.revoke_uri, &metadata.revocation_endpoint),
            issuer: ExpectedIssuer::of(account, metadata.iss_promised),
        };
        match authority.grant {
            grant if endpoints.allow(grant) => {}
            GrantType::DeviceCode => {
                return Err(missing("device_authorization_endpoint", "device_uri"));
            }
            _ => return Err(missing("authorization_endpoint", "auth_uri")),
        }
        check_challenge_methods(authority.grant, metadata)?;
        Ok(endpoints)
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

impl ExpectedIssuer {
    fn of(account: &Account, promised: bool) -> Self {
        // Where the issuer stands for many tenants, nobody knows which of theirs answers.
        let issuer = account.authority.issuer.as_ref();
        let issuer = issuer.filter(|_| !account.dialect.issuer_template);
        Self {
            identifier: issuer.map(|issuer| issuer.identifier.clone()),
            promised,
        }
    }
}

fn missing(published: &str, option: &str) -> String {
    format!(
        "the provider's metadata name no {published}, which this account's grant needs: set {option}"
    )
}

/// RFC 8414 section 2: who lists methods takes no others. Who lists none may know nothing of PKCE,
/// and then ignores it (RFC 7636 section 5).
fn check_challenge_methods(grant: GrantType, metadata: &Metadata) -> Result<(), String> {
    let methods = &metadata.code_challenge_methods;
    let has_s256 = methods.is_empty() || methods.iter().any(|method| method == "S256");
    if has_s256 || grant != GrantType::AuthorizationCode {
        return Ok(());
    }
    let methods = printable::text(&methods.join(", "));
    Err(format!(
        "the provider takes no PKCE challenge by S256 (only by: {methods}), and pizauth makes no others"
    ))
}

#[cfg(test)]
mod tests;
