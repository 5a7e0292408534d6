//! What tokens in a dump were issued under, as a digest that tells nothing of it.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use url::Url;

use crate::config::{Authority, ClientAuth, GrantType, SecretSource};

/// A digest of all that a token was issued under, in hexadecimal.
pub(in crate::vault) fn authority_digest(authority: &Authority) -> String {
    // Taken apart by name, so that a field which is added to the authority cannot be forgotten.
    let Authority {
        auth_uri,
        token_uri,
        issuer,
        grant,
        client_id,
        client_auth,
        scopes,
        resource,
        redirect_uri,
        auth_uri_fields,
    } = authority;
    let mut digest = Sha256::new();
    let mut add = |field: &str| {
        // The length first: otherwise two fields could share their text out differently.
        digest.update((field.len() as u64).to_le_bytes());
        digest.update(field);
    };
    let uri = |uri: &'_ Option<Url>| uri.as_ref().map_or_else(String::new, Url::to_string);
    for field in [
        &uri(auth_uri),
        &uri(token_uri),
        client_id,
        &redirect_uri.to_string(),
    ] {
        add(field);
    }
    let (method, secret) = match client_auth {
        ClientAuth::None => ("none", ""),
        ClientAuth::Post(source) => ("post", secret_text(source)),
        ClientAuth::Basic(source) => ("basic", secret_text(source)),
    };
    add(method);
    add(secret);
    add(&scopes.join(" "));
    add(resource.as_deref().unwrap_or_default());
    for (key, value) in auth_uri_fields {
        add(key);
        add(value);
    }
    // Only where they say something, so that dumps from before there were such things stay good.
    // An issuer that is not asked follows from the endpoints.
    if let Some(issuer) = issuer.as_ref().filter(|issuer| issuer.discovery) {
        add("issuer");
        add(&issuer.identifier);
    }
    match grant {
        GrantType::AuthorizationCode => {}
        GrantType::DeviceCode => add("device_code"),
        GrantType::ClientCredentials => add("client_credentials"),
    }
    digest
        .finalize()
        .iter()
        .fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}

/// A command stands for the secret that it prints: that may be renewed without a new login.
fn secret_text(source: &SecretSource) -> &str {
    match source {
        SecretSource::Written(secret) => secret.expose(),
        SecretSource::Command(command) => command,
    }
}
