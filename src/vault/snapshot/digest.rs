//! What tokens in a dump were issued under, as a digest that tells nothing of it.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use crate::config::{Authority, ClientAuth};

/// A digest of all that a token was issued under, in hexadecimal.
pub(in crate::vault) fn authority_digest(authority: &Authority) -> String {
    // Taken apart by name, so that a field which is added to the authority cannot be forgotten.
    let Authority {
        auth_uri,
        token_uri,
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
    for field in [
        auth_uri.as_str(),
        token_uri.as_str(),
        client_id,
        &redirect_uri.to_string(),
    ] {
        add(field);
    }
    let (method, secret) = match client_auth {
        ClientAuth::None => ("none", ""),
        ClientAuth::Post(secret) => ("post", secret.expose()),
        ClientAuth::Basic(secret) => ("basic", secret.expose()),
    };
    add(method);
    add(secret);
    add(&scopes.join(" "));
    add(resource.as_deref().unwrap_or_default());
    for (key, value) in auth_uri_fields {
        add(key);
        add(value);
    }
    digest
        .finalize()
        .iter()
        .fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}
