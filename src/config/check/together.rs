//! Which of an account's options go together: those that it must have, and those that exclude each
//! other or mean nothing.

use cfgrammar::Span;

use super::super::diagnostic::{Diagnostic, quoted};
use super::Context;
use super::block::Block;
use super::endpoints::{device_uri, grant};
use super::options::Key;
use super::values::Method;
use crate::config::providers::{self, Provider};
use crate::config::{AccountName, GrantType};

/// Checks the account whose options are in `block`; its name is at `span`.
pub(super) fn check(
    context: &mut Context<'_>,
    block: &Block,
    span: Span,
    name: Option<&AccountName>,
) {
    missing(context, block, span, name);
    two_secrets(context, block);
    secret_fits_method(context, block);
    resource_for_microsoft(context, block);
    if grant(block) == Some(GrantType::ClientCredentials) {
        without_a_user(context, block);
        without_a_tenant(context, block);
    }
}

/// What the account lacks, as messages name it.
struct Lacks {
    names: Vec<String>,
    notes: Vec<String>,
}

fn missing(context: &mut Context<'_>, block: &Block, span: Span, name: Option<&AccountName>) {
    let mut lacks = Lacks {
        names: Vec::new(),
        notes: Vec::new(),
    };
    endpoints(context, block, &mut lacks);
    if !has(block, Key::ClientId) {
        lacks.names.push("'client_id'".into());
    }
    secret_of_its_own(block, &mut lacks);
    let Some((last, others)) = lacks.names.split_last() else {
        return;
    };
    let (list, label) = if others.is_empty() {
        (last.clone(), "add it to this account")
    } else {
        let list = format!("{} and {last}", others.join(", "));
        (list, "add them to this account")
    };
    let account = name.map_or("an account".into(), |name| {
        format!("account {}", quoted(name.as_str()))
    });
    let mistake = Diagnostic::new(span, format!("{account} lacks {list}"), label);
    context.report(lacks.notes.into_iter().fold(mistake, Diagnostic::note));
}

/// Whether the option is there, be it good or not, or a misspelt one was meant to be it.
fn has(block: &Block, key: Key) -> bool {
    block.mentions(key) || block.meant(key)
}

fn endpoints(context: &Context<'_>, block: &Block, lacks: &mut Lacks) {
    let grant = grant(block);
    let named = has(block, Key::Provider) || has(block, Key::Issuer);
    let before = lacks.names.len();
    if grant == Some(GrantType::AuthorizationCode) && !named && !has(block, Key::AuthUri) {
        lacks.names.push("'auth_uri'".into());
    }
    if !named && !has(block, Key::TokenUri) {
        lacks.names.push("'token_uri'".into());
    }
    let wants_device = grant == Some(GrantType::DeviceCode) && !has(block, Key::DeviceUri);
    if wants_device && !named {
        lacks.names.push("'device_uri'".into());
    }
    if lacks.names.len() > before {
        lacks.notes.push(
            "provider = \"...\" fills in the endpoints of known providers, and issuer = \"...\" asks for them: see pizauth.conf(5)"
                .into(),
        );
    }
    let in_preset = has(block, Key::Issuer) || device_uri(block).is_some();
    if let (true, false, Some(provider)) = (wants_device, in_preset, block.provider()) {
        lacks.names.push("'device_uri'".into());
        let why = match provider.device_uri() {
            Some(_) => "has one that belongs to its own 'token_uri' only",
            None => "has none: as far as is known, no device code there is good for mail",
        };
        let span = block.value_span(Key::Provider);
        let written = span.map_or("", |span| context.slice(span));
        lacks.notes.push(format!("provider = {written} {why}"));
    }
}

/// RFC 6749 section 4.4: a client that asks in its own name must prove who it is.
fn secret_of_its_own(block: &Block, lacks: &mut Lacks) {
    let is_there = [Key::ClientSecret, Key::ClientSecretCmd]
        .into_iter()
        .any(|key| block.sets(key) || block.meant(key));
    // What 'client_auth' needs is told there.
    let told = matches!(
        block.method(Key::ClientAuth),
        Some(Method::Post | Method::Basic)
    );
    if grant(block) != Some(GrantType::ClientCredentials) || is_there || told {
        return;
    }
    lacks
        .names
        .push("'client_secret' (or 'client_secret_cmd')".into());
    lacks.notes.push(
        "with grant = \"client_credentials\" the client has nothing else to show (RFC 6749, section 4.4)"
            .into(),
    );
}

fn two_secrets(context: &mut Context<'_>, block: &Block) {
    if !block.sets(Key::ClientSecret) || !block.sets(Key::ClientSecretCmd) {
        return;
    }
    let (Some(written), Some(command)) = (
        block.name_span(Key::ClientSecret),
        block.name_span(Key::ClientSecretCmd),
    ) else {
        return;
    };
    let (first, second, other) = if written.start() < command.start() {
        (written, command, Key::ClientSecret)
    } else {
        (command, written, Key::ClientSecretCmd)
    };
    let title = "'client_secret' and 'client_secret_cmd' are both set";
    let note = format!(
        "{} is set on line {}",
        quoted(other.name()),
        context.line(first)
    );
    context.report(Diagnostic::new(second, title, "take out one of them").note(note));
}

fn secret_fits_method(context: &mut Context<'_>, block: &Block) {
    let (Some(method), Some(span)) = (
        block.method(Key::ClientAuth),
        block.value_span(Key::ClientAuth),
    ) else {
        return;
    };
    let mut secrets = [Key::ClientSecret, Key::ClientSecretCmd].into_iter();
    let secret = secrets.clone().find(|&key| block.sets(key));
    match (method, secret) {
        (Method::None, Some(secret)) => {
            let secret = quoted(secret.name());
            let title = format!("'client_auth' is none, but there is a {secret}");
            let label = "write \"post\" or \"basic\", or take out the secret";
            context.report(Diagnostic::new(span, title, label));
        }
        // Where it was misspelt, that has been reported.
        (Method::Post | Method::Basic, None) if !secrets.any(|key| block.meant(key)) => {
            let title = "'client_auth' needs a secret, and there is none";
            let label = "leave this out, or add 'client_secret' or 'client_secret_cmd'";
            context.report(Diagnostic::new(span, title, label));
        }
        _ => {}
    }
}

/// Microsoft refuses resource indicators: scopes say there what a token is for.
fn resource_for_microsoft(context: &mut Context<'_>, block: &Block) {
    let written = block
        .endpoint(Key::TokenUri)
        .or(block.issuer().map(|issuer| &issuer.uri));
    let is_microsoft = written.map_or_else(
        || block.provider().is_some_and(Provider::is_microsoft),
        providers::is_microsoft_at,
    );
    if !is_microsoft {
        return;
    }
    let option = block.value_span(Key::Resource);
    let option = option.filter(|_| block.sets(Key::Resource));
    let fields = block.fields(Key::AuthUriFields).iter();
    let fields = fields.filter(|field| field.key == "resource");
    for span in option.into_iter().chain(fields.map(|field| field.key_span)) {
        let title = "Microsoft refuses a 'resource'";
        let label = "take it out: the scopes say what the token is for";
        let mistake = Diagnostic::new(span, title, label);
        context.report(mistake.note("it would answer with AADSTS901002"));
    }
}

/// A client that asks in its own name sends nobody to a browser.
fn without_a_user(context: &mut Context<'_>, block: &Block) {
    let useless = [
        Key::AuthUri,
        Key::DeviceUri,
        Key::RedirectUri,
        Key::LoginHint,
        Key::AuthUriFields,
    ];
    for key in useless {
        let Some(span) = block.name_span(key).filter(|_| block.sets(key)) else {
            continue;
        };
        let title = format!("{} is for the login of a user", quoted(key.name()));
        let label = "take it out, or choose another 'grant'";
        let note = "with grant = \"client_credentials\" the client asks in its own name, and nobody logs in";
        context.report(Diagnostic::new(span, title, label).note(note));
    }
}

/// Microsoft's aliases stand for the tenants of users.
fn without_a_tenant(context: &mut Context<'_>, block: &Block) {
    let endpoints_are_written = has(block, Key::TokenUri) || has(block, Key::Issuer);
    let lacks_tenant = block.provider().is_some_and(Provider::lacks_tenant);
    let (true, false, Some(span)) = (
        lacks_tenant,
        endpoints_are_written,
        block.value_span(Key::Provider),
    ) else {
        return;
    };
    let title = "with grant = \"client_credentials\", Microsoft must be told which tenant";
    let label = "write \"microsoft:TENANT\", with the tenant's id or one of its domains";
    context.report(Diagnostic::new(span, title, label));
}
