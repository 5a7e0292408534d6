//! AST -> configuration, or every mistake in it. This file walks over the file's settings; what an
//! option is called, what its value means and which options go together is told by the files
//! beside it.

mod account;
mod block;
mod endpoints;
mod files;
mod listeners;
pub(super) mod options;
mod provider;
mod reserved;
mod together;
mod uris;
mod values;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cfgrammar::Span;

use self::block::Block;
pub(super) use self::files::without_number;
use self::files::{Content, Files};
use self::listeners::Redirect;
use self::options::{Key, Place};
use self::uris::Endpoints;
use super::ast::{self, Scalar, ScalarKind, Setting};
use super::diagnostic::{Diagnostic, Lines, quoted};
use super::hide::Hidden;
use super::syntax::Damage;
use super::{AccountName, Config, Listen, default};

/// Where paths in a configuration start.
pub(super) struct Directories {
    /// The directory of the configuration file.
    pub(super) base: PathBuf,
    /// The user's home, where that is known.
    pub(super) home: Option<PathBuf>,
}

/// A file's text, and what was found out about it so far.
#[derive(Clone, Copy)]
pub(super) struct Source<'s> {
    pub(super) text: &'s str,
    pub(super) lines: &'s Lines<'s>,
    /// What must not be shown.
    pub(super) hidden: &'s Hidden<'s>,
    /// Where the syntax is at fault.
    pub(super) damage: &'s Damage,
}

/// What the checks share.
struct Context<'s> {
    source: Source<'s>,
    files: Files<'s>,
    endpoints: Endpoints,
    mistakes: Vec<Diagnostic>,
}

impl<'s> Context<'s> {
    fn slice(&self, span: Span) -> &'s str {
        &self.source.text[span.start()..span.end()]
    }

    fn line(&self, span: Span) -> usize {
        self.source.lines.number(span.start())
    }

    fn report(&mut self, mistake: Diagnostic) {
        self.mistakes.push(mistake);
    }

    fn certificates(&mut self, span: Span, written: &str) -> Option<PathBuf> {
        self.file(span, written, Content::Certificates)
    }

    fn private_key(&mut self, span: Span, written: &str) -> Option<PathBuf> {
        self.file(span, written, Content::PrivateKey)
    }

    fn file(&mut self, span: Span, written: &str, content: Content) -> Option<PathBuf> {
        let (title, label) = match self.files.check(written, content) {
            Ok(path) => return Some(path),
            Err(complaint) => complaint,
        };
        let mistake = Diagnostic::new(span, format!("{} {title}", quoted(written)), label);
        self.report(
            if Path::new(written).is_relative() && !written.starts_with('~') {
                mistake.note("a relative path starts at the configuration file's directory")
            } else {
                mistake
            },
        );
        None
    }
}

/// Checks `file`, which was parsed from `source`.
///
/// # Errors
/// All that is wrong with it, in no particular order; nothing where its syntax is at fault alone.
pub(super) fn check(
    file: ast::File,
    source: Source<'_>,
    directories: &Directories,
) -> Result<Config, Vec<Diagnostic>> {
    let files = Files::new(&directories.base, directories.home.as_deref());
    let mut context = Context {
        source,
        files,
        endpoints: Endpoints::default(),
        mistakes: Vec::new(),
    };
    let is_empty = file.accounts.is_empty();
    let globals = Block::read(&mut context, &file.settings, Place::Global);
    let (accounts, redirects) = accounts(&mut context, &globals, file.accounts);
    let https_certificate = listeners::certificate(&mut context, &globals);
    let config = Config {
        accounts,
        auth_notify_cmd: globals.text(Key::AuthNotifyCmd),
        auth_notify_interval: globals
            .time(Key::AuthNotifyInterval)
            .unwrap_or(default::AUTH_NOTIFY_INTERVAL),
        error_notify_cmd: globals.text(Key::ErrorNotifyCmd),
        token_event_cmd: globals.text(Key::TokenEventCmd),
        persist_cmd: globals.text(Key::PersistCmd),
        restore_cmd: globals.text(Key::RestoreCmd),
        startup_cmd: globals.text(Key::StartupCmd),
        http_listen: globals.listen(Key::HttpListen).unwrap_or(Listen::FreePort),
        https_listen: listeners::https(&globals, &redirects),
        https_certificate,
    };
    listeners::check(&mut context, &globals, &redirects);
    if is_empty && source.damage.is_none() {
        context.report(no_account(source.text));
    }
    if context.mistakes.is_empty() && source.damage.is_none() {
        Ok(config)
    } else {
        Err(context.mistakes)
    }
}

fn no_account(text: &str) -> Diagnostic {
    let start = text.len() - text.trim_start().len();
    let first_line = text[start..].lines().next().unwrap_or_default();
    let span = Span::new(start, start + first_line.trim_end().len());
    Diagnostic::new(
        span,
        "there is no account",
        "nothing in this file declares one",
    )
    .note("an account is written as: account \"name\" { provider = \"...\"; client_id = \"...\"; }")
}

/// The accounts that are good, and where a browser comes back to for each that needs one. What was
/// declared is let go of one by one, so that there is room for what is made of the next.
fn accounts(
    context: &mut Context<'_>,
    globals: &Block,
    declared: Vec<ast::Account>,
) -> (Vec<Arc<super::Account>>, Vec<Redirect>) {
    let mut seen: HashMap<AccountName, Span> = HashMap::with_capacity(declared.len());
    let mut accounts = Vec::with_capacity(declared.len());
    let mut redirects = Vec::with_capacity(declared.len());
    for account in declared {
        let name = account_name(context, account.name);
        if let Some(name) = &name {
            unique(context, &mut seen, name, account.name.span);
        }
        let (checked, redirect) = account::check(context, globals, &account, name);
        accounts.extend(checked.map(Arc::new));
        redirects.extend(redirect);
    }
    (accounts, redirects)
}

fn account_name(context: &mut Context<'_>, scalar: Scalar) -> Option<AccountName> {
    let written = context.slice(scalar.span);
    match scalar.kind {
        ScalarKind::Mangled | ScalarKind::Missing => None,
        ScalarKind::String => {
            let name = AccountName::new(&values::unescape(written));
            if name.is_none() {
                let title = if written == "\"\"" {
                    "an account's name is empty"
                } else {
                    "an account's name has control characters in it"
                };
                context.report(Diagnostic::new(scalar.span, title, "give it another name"));
            }
            name
        }
        ScalarKind::Name | ScalarKind::Time | ScalarKind::Word => {
            let title = "an account's name is not in quotes";
            let label = "put it in double quotes: account \"name\" { ... }";
            context.report(Diagnostic::new(scalar.span, title, label));
            None
        }
    }
}

fn unique(
    context: &mut Context<'_>,
    seen: &mut HashMap<AccountName, Span>,
    name: &AccountName,
    span: Span,
) {
    let Some(&first) = seen.get(name) else {
        seen.insert(name.clone(), span);
        return;
    };
    let first = context.line(first);
    let title = format!("account {} is declared twice", quoted(name.as_str()));
    let note = format!("first declared on line {first}");
    context.report(Diagnostic::new(span, title, "declared again here").note(note));
}

/// Whether a setting's place in the file is in doubt.
fn misplaced_by_damage(context: &Context<'_>, setting: &Setting) -> bool {
    context.source.damage.touches(setting.name)
}
