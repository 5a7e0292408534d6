//! The redirect listeners: whether every browser finds its way back, and by which certificate.
//! Knows of an account only where its browser comes back to.

use std::net::SocketAddr;
use std::path::Path;

use cfgrammar::Span;

use super::super::diagnostic::{Diagnostic, quoted};
use super::block::Block;
use super::options::Key;
use super::values::unescape;
use super::{Context, files};
use crate::config::{HttpsCertificate, Listen};

/// What the browser of an account needs to come back.
pub(super) struct Redirect {
    /// Where the account's name is.
    pub(super) account: Span,
    pub(super) is_https: bool,
}

impl Redirect {
    /// The account's name as messages have it.
    fn account(&self, context: &Context<'_>) -> String {
        quoted(&unescape(context.slice(self.account)))
    }
}

/// Where to listen for https.
pub(super) fn https(globals: &Block, redirects: &[Redirect]) -> Listen {
    let wanted = redirects.iter().any(|redirect| redirect.is_https);
    let default = if wanted {
        Listen::FreePort
    } else {
        Listen::Off
    };
    globals.listen(Key::HttpsListen).unwrap_or(default)
}

/// Checks that there is a listener for each redirect, and that the two can be had together.
pub(super) fn check(context: &mut Context<'_>, globals: &Block, redirects: &[Redirect]) {
    same_address(context, globals);
    let is_off = |key| globals.listen(key) == Some(Listen::Off);
    match (is_off(Key::HttpListen), is_off(Key::HttpsListen)) {
        (true, true) => neither(context, globals, redirects),
        (true, false) => lacking(context, globals, redirects, Key::HttpListen),
        (false, true) => lacking(context, globals, redirects, Key::HttpsListen),
        (false, false) => {}
    }
}

const COMES_BACK: &str =
    "the browser comes back to the account's 'redirect_uri', where pizauth must listen";

fn lacking(context: &mut Context<'_>, globals: &Block, redirects: &[Redirect], key: Key) {
    let is_https = key == Key::HttpsListen;
    let first = redirects.iter().find(|it| it.is_https == is_https);
    let (Some(span), Some(first)) = (globals.value_span(key), first) else {
        return;
    };
    let scheme = if is_https { "https" } else { "http" };
    let article = if is_https { "an https" } else { "an http" };
    let account = first.account(context);
    let title = format!("'{scheme}_listen' is none, but account {account} has {article} redirect");
    let label = "leave this out, or write an address with a port";
    context.report(Diagnostic::new(span, title, label).note(COMES_BACK));
}

fn neither(context: &mut Context<'_>, globals: &Block, redirects: &[Redirect]) {
    let (Some(first), Some(http), Some(https)) = (
        redirects.first(),
        globals.value_span(Key::HttpListen),
        globals.value_span(Key::HttpsListen),
    ) else {
        return;
    };
    let account = first.account(context);
    let title =
        format!("'http_listen' and 'https_listen' are none, but account {account} has a redirect");
    let (needed, other, name) = if first.is_https {
        (https, http, "http_listen")
    } else {
        (http, https, "https_listen")
    };
    let label = "leave this out, or write an address with a port";
    let line = context.line(other);
    let mistake = Diagnostic::new(needed, title, label)
        .note(COMES_BACK)
        .note(format!("'{name}' is none on line {line}"));
    context.report(mistake);
}

fn same_address(context: &mut Context<'_>, globals: &Block) {
    let (Some(Listen::At(http)), Some(Listen::At(https))) = (
        globals.listen(Key::HttpListen),
        globals.listen(Key::HttpsListen),
    ) else {
        return;
    };
    let (Some(span), Some(first)) = (
        globals.value_span(Key::HttpsListen),
        globals.name_span(Key::HttpListen),
    ) else {
        return;
    };
    if collide(http, https) {
        let title = "'http_listen' and 'https_listen' are the same address";
        let note = format!("'http_listen' is set on line {}", context.line(first));
        let mistake = Diagnostic::new(span, title, "give this one another port").note(note);
        context.report(mistake);
    }
}

/// Each listener also takes its port on the other family's loopback address.
fn collide(one: SocketAddr, other: SocketAddr) -> bool {
    let families_differ = one.is_ipv4() != other.is_ipv4();
    one.port() != 0 && one.port() == other.port() && (one.ip() == other.ip() || families_differ)
}

/// What the listener for https shows the browser.
pub(super) fn certificate(context: &mut Context<'_>, globals: &Block) -> HttpsCertificate {
    for (key, other) in [
        (Key::HttpsCert, Key::HttpsKey),
        (Key::HttpsKey, Key::HttpsCert),
    ] {
        alone(context, globals, key, other);
    }
    let (Some(cert), Some(key)) = (globals.file(Key::HttpsCert), globals.file(Key::HttpsKey))
    else {
        return HttpsCertificate::SelfSigned;
    };
    mismatch(context, globals, &cert, &key);
    HttpsCertificate::Files { cert, key }
}

fn alone(context: &mut Context<'_>, globals: &Block, key: Key, other: Key) {
    let Some(span) = globals.name_span(key) else {
        return;
    };
    if globals.sets(key) && !globals.sets(other) && !globals.meant(other) {
        let (name, other) = (quoted(key.name()), quoted(other.name()));
        let title = format!("{name} needs {other}, and there is none");
        let label = "add the other, or leave this out for a certificate that pizauth makes";
        context.report(Diagnostic::new(span, title, label));
    }
}

fn mismatch(context: &mut Context<'_>, globals: &Block, cert: &Path, key: &Path) {
    let (Err((title, label)), Some(span)) =
        (files::fit(cert, key), globals.value_span(Key::HttpsKey))
    else {
        return;
    };
    let title = format!("'https_key' {title}");
    context.report(Diagnostic::new(span, title, label));
}
