//! One account: what follows from its options, those that its provider's preset fills in, and the
//! defaults of those that are not set. Whether they go together, others check.

use url::Url;

use super::super::ast;
use super::block::Block;
use super::endpoints::{device_uri, grant, revoke_uri, take_auth_uri, take_token_uri};
use super::listeners::Redirect;
use super::options::{Key, Place};
use super::values::Method;
use super::{Context, reserved, together};
use crate::config::providers::{self, Provider};
use crate::config::{
    Account, AccountName, Authority, ClientAuth, Dialect, GrantType, Issuer, RedirectUri,
    RefreshPolicy, SecretSource, default,
};

/// Checks `account`, whose name is `name` unless that was no good. No account where something of it
/// is missing; that has been reported then. Also where its browser comes back to, if one does.
pub(super) fn check(
    context: &mut Context<'_>,
    globals: &Block,
    account: &ast::Account,
    name: Option<AccountName>,
) -> (Option<Account>, Option<Redirect>) {
    let mut block = Block::read(context, &account.settings, Place::Account);
    let mut redirect = None;
    if !context.source.damage.touches(account.span) {
        together::check(context, &block, account.name.span, name.as_ref());
        redirect = is_https_redirect(&block).map(|is_https| Redirect {
            account: account.name.span,
            is_https,
        });
    }
    reserved::check(context, &block);
    (assemble(globals, &mut block, name), redirect)
}

fn assemble(globals: &Block, block: &mut Block, name: Option<AccountName>) -> Option<Account> {
    let refresh = refresh_policy(globals, block);
    let transient_error_if_cmd =
        level_with(globals, block, Key::TransientErrorIfCmd).text(Key::TransientErrorIfCmd);
    let ca_file = level_with(globals, block, Key::CaFile).file(Key::CaFile);
    // Before the token endpoint is taken out: whether they belong to the same server decides.
    let (device_uri, revoke_uri) = (device_uri(block), revoke_uri(block));
    let named = block.provider().map(Provider::dialect);
    let authority = authority(block)?;
    let found = authority.server().map(providers::dialect_at);
    Some(Account {
        name: name?,
        dialect: either(named.unwrap_or_default(), found.unwrap_or_default()),
        authority,
        refresh,
        transient_error_if_cmd,
        ca_file,
        device_uri,
        revoke_uri,
    })
}

const fn either(one: Dialect, other: Dialect) -> Dialect {
    Dialect {
        redirect_uri_on_refresh: one.redirect_uri_on_refresh || other.redirect_uri_on_refresh,
        yandex: one.yandex || other.yandex,
        issuer_template: one.issuer_template || other.issuer_template,
    }
}

/// Where the option is to be looked up: an account's setting wins, even if it is `none`.
fn level_with<'b>(globals: &'b Block, account: &'b Block, key: Key) -> &'b Block {
    if account.mentions(key) {
        account
    } else {
        globals
    }
}

fn refresh_policy(globals: &Block, account: &Block) -> RefreshPolicy {
    let time = |key| level_with(globals, account, key).time(key);
    RefreshPolicy {
        before_expiry: time(Key::RefreshBeforeExpiry).unwrap_or(default::REFRESH_BEFORE_EXPIRY),
        at_least: time(Key::RefreshAtLeast).unwrap_or(default::REFRESH_AT_LEAST),
        retry: time(Key::RefreshRetry).unwrap_or(default::REFRESH_RETRY),
    }
}

fn authority(block: &mut Block) -> Option<Authority> {
    let grant = grant(block)?;
    let auth_uri = take_auth_uri(block, grant);
    let token_uri = take_token_uri(block);
    let issuer = issuer(block, auth_uri.as_ref());
    if !issuer.as_ref().is_some_and(|issuer| issuer.discovery) {
        token_uri.as_ref()?;
        if grant == GrantType::AuthorizationCode {
            auth_uri.as_ref()?;
        }
    }
    Some(Authority {
        auth_uri_fields: auth_uri_fields(block, grant, auth_uri.as_ref()),
        auth_uri,
        token_uri,
        issuer,
        grant,
        client_id: block.take_text(Key::ClientId)?,
        scopes: scopes(block, grant),
        resource: block.take_text(Key::Resource),
        redirect_uri: redirect_uri(block)?,
        client_auth: client_auth(block)?,
    })
}

/// The issuer that is written, or else the one that is known to answer at `auth_uri`, however that
/// came to be known: a token is the same whether its endpoints were typed or are from a preset.
fn issuer(block: &Block, auth_uri: Option<&Url>) -> Option<Issuer> {
    if let Some(issuer) = block.issuer() {
        return Some(issuer.clone());
    }
    let identifier = providers::issuer_at(auth_uri?)?;
    Some(Issuer {
        identifier: identifier.into(),
        uri: Url::parse(identifier).ok()?,
        discovery: false,
    })
}

fn scopes(block: &mut Block, grant: GrantType) -> Vec<String> {
    let preset = block.provider().map(|provider| match grant {
        GrantType::ClientCredentials => provider.client_scopes(),
        GrantType::AuthorizationCode | GrantType::DeviceCode => provider.scopes(),
    });
    let preset = preset.unwrap_or_default();
    let written = block.take_scopes(Key::Scopes);
    written.unwrap_or_else(|| preset.iter().map(|&scope| scope.into()).collect())
}

/// The preset's fields but for those that the account has itself, and then the account's. One of
/// the preset's that the account sets to nothing is not sent at all, which means the same (RFC
/// 6749 section 3.1).
fn auth_uri_fields(
    block: &mut Block,
    grant: GrantType,
    auth_uri: Option<&Url>,
) -> Vec<(String, String)> {
    let own = block.take_fields(Key::AuthUriFields);
    let hint = block.take_text(Key::LoginHint);
    let in_query = |key: &str| {
        let mut query = auth_uri.into_iter().flat_map(Url::query_pairs);
        query.any(|(known, _)| known == key)
    };
    let preset = match (block.provider(), grant) {
        (Some(provider), GrantType::AuthorizationCode) => provider.auth_uri_fields(),
        _ => &[],
    };
    let is_own = |key: &str| own.iter().any(|field| field.key == key) || in_query(key);
    let is_preset = |key: &str| preset.iter().any(|(known, _)| *known == key);

    let hint = hint.map(|hint| ("login_hint".to_owned(), hint));
    let added = preset.iter().filter(|(key, _)| !is_own(key));
    let added = added.map(|&(key, value)| (key.to_owned(), value.to_owned()));
    let mut fields: Vec<_> = hint.into_iter().chain(added).collect();
    let own = own
        .into_iter()
        .filter(|field| !(field.value.is_empty() && is_preset(&field.key)));
    fields.extend(own.map(|field| (field.key, field.value)));
    fields
}

/// Where the browser comes back to, if that can be told.
fn redirect_uri(block: &Block) -> Option<RedirectUri> {
    if block.mentions(Key::RedirectUri) {
        return block.redirect().cloned();
    }
    let preset = match grant(block)? {
        GrantType::AuthorizationCode => block.provider().and_then(Provider::redirect_uri),
        GrantType::DeviceCode | GrantType::ClientCredentials => None,
    };
    match preset {
        Some(preset) => RedirectUri::parse(preset).ok(),
        None => default::redirect_uri(),
    }
}

/// Whether the browser comes back by https; `None` where none does, or that cannot be told.
fn is_https_redirect(block: &Block) -> Option<bool> {
    let is_known = !block.meant(Key::RedirectUri)
        && !block.meant(Key::Provider)
        && (block.provider().is_some() || !block.mentions(Key::Provider));
    if !is_known || grant(block)? != GrantType::AuthorizationCode {
        return None;
    }
    Some(redirect_uri(block)?.is_https())
}

/// `None` where the method and the secret do not go together.
fn client_auth(block: &mut Block) -> Option<ClientAuth> {
    let written = block.take_secret(Key::ClientSecret);
    let secret = match (written, block.take_text(Key::ClientSecretCmd)) {
        (Some(secret), None) => Some(SecretSource::written(secret)),
        (None, Some(command)) => Some(SecretSource::Command(command)),
        (None, None) => None,
        (Some(_), Some(_)) => return None,
    };
    match (block.method(Key::ClientAuth), secret) {
        (None | Some(Method::None), None) => Some(ClientAuth::None),
        (None | Some(Method::Post), Some(secret)) => Some(ClientAuth::Post(secret)),
        (Some(Method::Basic), Some(secret)) => Some(ClientAuth::Basic(secret)),
        (Some(Method::Post | Method::Basic), None) | (Some(Method::None), Some(_)) => None,
    }
}
