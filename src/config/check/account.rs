//! One account: which of its options go together, and what follows from those that are not set.

use url::Url;

use super::super::ast;
use super::super::diagnostic::{Diagnostic, quoted};
use super::Context;
use super::block::Block;
use super::options::{Key, Place, mandatory_keys};
use super::values::Method;
use crate::config::lexeme::Span;
use crate::config::{
    Account, AccountName, Authority, ClientAuth, Dialect, GrantType, RefreshPolicy, SecretSource,
    default,
};

/// Checks `account`, whose name is `name` unless that was no good. `None` where something of it is
/// missing; that has been reported then.
pub(super) fn check(
    context: &mut Context<'_>,
    globals: &Block,
    account: &ast::Account,
    name: Option<AccountName>,
) -> Option<Account> {
    let mut block = Block::read(context, account.settings.iter(), Place::Account);
    if !context.source.damage.touches(account.span) {
        missing(context, &block, account.name.span, name.as_ref());
        secret_fits_method(context, &block);
    }
    reserved_fields(context, &block);
    reserved_in_query(context, &block);

    let refresh = refresh_policy(globals, &block);
    let transient_error_if_cmd =
        level_with(globals, &block, Key::TransientErrorIfCmd).text(Key::TransientErrorIfCmd);
    let ca_file = level_with(globals, &block, Key::CaFile).file(Key::CaFile);
    let authority = authority(&mut block)?;
    Some(Account {
        name: name?,
        authority,
        refresh,
        transient_error_if_cmd,
        ca_file,
        device_uri: None,
        revoke_uri: None,
        dialect: Dialect::default(),
    })
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
    let login_hint = block
        .text(Key::LoginHint)
        .map(|hint| ("login_hint".to_owned(), hint));
    let fields = block.fields(Key::AuthUriFields).iter();
    let fields = fields.map(|field| (field.key.clone(), field.value.clone()));
    let auth_uri_fields = login_hint.into_iter().chain(fields).collect();
    let redirect_uri = match block.take_redirect(Key::RedirectUri) {
        Some(uri) => uri,
        None => default::redirect_uri()?,
    };
    Some(Authority {
        auth_uri: Some(block.endpoint(Key::AuthUri)?.clone()),
        token_uri: Some(block.endpoint(Key::TokenUri)?.clone()),
        issuer: None,
        grant: GrantType::AuthorizationCode,
        client_id: block.text(Key::ClientId)?,
        scopes: block.take_scopes(Key::Scopes).unwrap_or_default(),
        resource: block.text(Key::Resource),
        redirect_uri,
        auth_uri_fields,
        client_auth: client_auth(block)?,
    })
}

/// `None` where the method and the secret do not go together.
fn client_auth(block: &mut Block) -> Option<ClientAuth> {
    let secret = block.take_secret(Key::ClientSecret);
    match (block.method(Key::ClientAuth), secret) {
        (None | Some(Method::None), None) => Some(ClientAuth::None),
        (None | Some(Method::Post), Some(secret)) => {
            Some(ClientAuth::Post(SecretSource::written(secret)))
        }
        (Some(Method::Basic), Some(secret)) => {
            Some(ClientAuth::Basic(SecretSource::written(secret)))
        }
        (Some(Method::Post | Method::Basic), None) | (Some(Method::None), Some(_)) => None,
    }
}

fn secret_fits_method(context: &mut Context<'_>, block: &Block) {
    let (Some(method), Some(span)) = (
        block.method(Key::ClientAuth),
        block.value_span(Key::ClientAuth),
    ) else {
        return;
    };
    let has_secret = block.sets(Key::ClientSecret);
    match method {
        Method::None if has_secret => {
            let title = "'client_auth' is none, but there is a 'client_secret'";
            let label = "write \"post\" or \"basic\", or take out the secret";
            context.report(Diagnostic::new(span, title, label));
        }
        // Where it was misspelt, that has been reported.
        Method::Post | Method::Basic if !has_secret && !block.meant(Key::ClientSecret) => {
            let title = "'client_auth' needs a 'client_secret', and there is none";
            let label = "leave this out, or add the secret";
            context.report(Diagnostic::new(span, title, label));
        }
        _ => {}
    }
}

fn missing(context: &mut Context<'_>, block: &Block, span: Span, name: Option<&AccountName>) {
    let missing: Vec<String> = mandatory_keys()
        .filter(|&key| !block.mentions(key) && !block.meant(key))
        .map(|key| format!("'{}'", key.name()))
        .collect();
    let Some((last, others)) = missing.split_last() else {
        return;
    };
    let list = if others.is_empty() {
        last.clone()
    } else {
        format!("{} and {last}", others.join(", "))
    };
    let account = name.map_or("an account".into(), |name| {
        format!("account {}", quoted(name.as_str()))
    });
    let label = if others.is_empty() {
        "add it to this account"
    } else {
        "add them to this account"
    };
    context.report(Diagnostic::new(
        span,
        format!("{account} lacks {list}"),
        label,
    ));
}

/// Why a field of the authorisation URL may not be set by hand.
enum Reserved {
    /// pizauth sets it.
    Ours,
    /// This option does.
    Option(Key),
    /// It would tell a secret to the browser and whoever sees its history.
    Leak,
    /// The answer must come in the query.
    ResponseMode,
}

impl Reserved {
    /// `None` where `key` may be set to `value`.
    fn find(block: &Block, key: &str, value: &str) -> Option<Self> {
        match key {
            "client_id" => Some(Self::Option(Key::ClientId)),
            "redirect_uri" => Some(Self::Option(Key::RedirectUri)),
            "scope" => Some(Self::Option(Key::Scopes)),
            "resource" if block.sets(Key::Resource) => Some(Self::Option(Key::Resource)),
            "login_hint" if block.sets(Key::LoginHint) => Some(Self::Option(Key::LoginHint)),
            "response_type" | "state" | "code_challenge" | "code_challenge_method" => {
                Some(Self::Ours)
            }
            "client_secret" | "code_verifier" => Some(Self::Leak),
            "response_mode" if value != "query" => Some(Self::ResponseMode),
            _ => None,
        }
    }

    /// The mistake of setting `key` at `span`, which is in `whence`.
    fn mistake(
        &self,
        context: &Context<'_>,
        block: &Block,
        key: &str,
        span: Span,
        whence: &str,
    ) -> Diagnostic {
        let key = quoted(key);
        match self {
            Self::Ours => {
                let title = format!("{whence} may not set {key}");
                Diagnostic::new(span, title, "pizauth sets this field itself: take it out")
            }
            Self::Option(option) => {
                let title = format!("{whence} may not set {key}");
                let label = format!("the option '{}' does: take this out", option.name());
                let mistake = Diagnostic::new(span, title, label);
                match block.name_span(*option) {
                    Some(set) => {
                        mistake.note(format!("that option is set on line {}", context.line(set)))
                    }
                    None => mistake,
                }
            }
            Self::Leak => {
                let title = format!("{whence} would give {key} away");
                Diagnostic::new(span, title, "take it out")
                    .note("the authorisation URL is seen by the browser, its history and the provider's logs")
            }
            Self::ResponseMode => {
                let title = format!("{whence} asks for an answer that pizauth cannot read");
                Diagnostic::new(span, title, "'response_mode' can only be \"query\"")
                    .note("a fragment never leaves the browser, and a form is not read: the code must come in the URL's query")
            }
        }
    }
}

fn reserved_fields(context: &mut Context<'_>, block: &Block) {
    for field in block.fields(Key::AuthUriFields) {
        if let Some(reserved) = Reserved::find(block, &field.key, &field.value) {
            let span = match reserved {
                Reserved::ResponseMode => field.value_span,
                _ => field.key_span,
            };
            let mistake = reserved.mistake(context, block, &field.key, span, "'auth_uri_fields'");
            context.report(mistake);
        }
    }
}

/// What the authorisation endpoint's own query has is sent as well (RFC 6749 section 3.1).
fn reserved_in_query(context: &mut Context<'_>, block: &Block) {
    let (Some(url), Some(span)) = (block.endpoint(Key::AuthUri), block.value_span(Key::AuthUri))
    else {
        return;
    };
    for (key, value) in Url::query_pairs(url) {
        if let Some(reserved) = Reserved::find(block, &key, &value) {
            let mistake = reserved.mistake(context, block, &key, span, "the query of 'auth_uri'");
            context.report(mistake);
        }
    }
}
