//! How an account comes by tokens, and where: from its own options, or from its provider's preset.

use url::Url;

use super::block::Block;
use super::options::Key;
use crate::config::GrantType;
use crate::config::providers::Provider;

/// How tokens are come by; `None` where that cannot be told.
pub(super) fn grant(block: &Block) -> Option<GrantType> {
    if block.mentions(Key::Grant) || block.meant(Key::Grant) {
        return block.grant();
    }
    Some(GrantType::AuthorizationCode)
}

/// The preset, where it is what knows the endpoints: an issuer that is named has them itself.
fn endpoints(block: &Block) -> Option<&Provider> {
    block
        .provider()
        .filter(|_| !block.mentions(Key::Issuer) && !block.meant(Key::Issuer))
}

/// The same, for endpoints that are sent tokens and secrets: those of an account whose token
/// endpoint is somewhere else are nobody's business here.
fn same_server(block: &Block) -> Option<&Provider> {
    let provider = endpoints(block)?;
    let written = block.endpoint(Key::TokenUri);
    let is_elsewhere = written.is_some_and(|written| {
        let known = provider.token_uri();
        known.is_none_or(|known| known.origin() != written.origin())
    });
    (!is_elsewhere).then_some(provider)
}

/// The device authorisation endpoint, where it is written down here or in the preset.
pub(super) fn device_uri(block: &Block) -> Option<Url> {
    let written = block.endpoint(Key::DeviceUri).cloned();
    written.or_else(|| same_server(block)?.device_uri())
}

/// The revocation endpoint, in the same way.
pub(super) fn revoke_uri(block: &Block) -> Option<Url> {
    let written = block.endpoint(Key::RevokeUri).cloned();
    written.or_else(|| same_server(block)?.revoke_uri())
}

/// The authorisation endpoint.
pub(super) fn take_auth_uri(block: &mut Block, grant: GrantType) -> Option<Url> {
    let written = block.take_endpoint(Key::AuthUri);
    // Without a browser that comes back it means nothing, and what means nothing must not decide
    // whether a token is kept.
    let preset = || endpoints(block).filter(|_| grant == GrantType::AuthorizationCode);
    written.or_else(|| preset()?.auth_uri())
}

/// The token endpoint, where it is written down here or in the preset.
pub(super) fn take_token_uri(block: &mut Block) -> Option<Url> {
    let written = block.take_endpoint(Key::TokenUri);
    written.or_else(|| endpoints(block)?.token_uri())
}
