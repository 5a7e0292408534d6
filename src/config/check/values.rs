//! One value at a time: from what is written to what it means. Knows nothing of which other options
//! are set.

use std::borrow::Cow;
use std::path::PathBuf;
use std::time::Duration;

use cfgrammar::Span;
use url::Url;

use super::super::ast::{self, Scalar, ScalarKind, Setting};
use super::super::diagnostic::{Diagnostic, quoted};
use super::super::providers::Provider;
use super::super::{GrantType, Issuer, Listen, RedirectUri};
use super::options::{Key, Kind};
use super::{Context, provider, uris};
use crate::secret::ClientSecret;

/// The longest time, a hundred years: who writes more has mistyped, and it stays far from where
/// adding it to a clock could overflow.
const MAX_DAYS: u64 = 36_500;
const SECONDS_A_DAY: u64 = 24 * 60 * 60;

/// What an option is set to.
pub(super) enum Value {
    /// `none`.
    Unset,
    Text(String),
    Time(Duration),
    Listen(Listen),
    Endpoint(Url),
    Provider(Provider),
    Issuer(Issuer),
    Grant(GrantType),
    Secret(ClientSecret),
    Method(Method),
    Scopes(Vec<String>),
    Fields(Vec<Field>),
    Redirect(RedirectUri),
    File(PathBuf),
}

/// A field of a query, and where its key and its value are written.
pub(super) struct Field {
    pub(super) key_span: Span,
    pub(super) key: String,
    pub(super) value_span: Span,
    pub(super) value: String,
}

/// How a client authenticates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    None,
    Post,
    Basic,
}

/// Reads the value of `setting`, which is the option `key`. `None` where it is not good; that has
/// been reported then.
pub(super) fn read(context: &mut Context<'_>, key: Key, setting: &Setting) -> Option<Value> {
    let (name, span) = (context.slice(setting.name), setting.value.span());
    let reported = context.mistakes.len();
    let kind = key.spec().kind;
    let mut reader = Reader {
        context,
        kind,
        name,
        span,
    };
    let value = match &setting.value {
        ast::Value::Scalar(scalar) => reader.scalar(*scalar),
        ast::Value::List(_, scalars) => reader.list(scalars),
        ast::Value::Map(_, pairs) => reader.map(pairs),
    };
    let doubtful = match &setting.value {
        ast::Value::Scalar(_) => context.source.damage.touches(span),
        ast::Value::List(..) | ast::Value::Map(..) => context.source.damage.starts(span),
    };
    if doubtful {
        // It is not what the person wrote, and they have been told so.
        context.mistakes.truncate(reported);
    }
    value
}

/// The text of a string, its escapes undone: few have any.
pub(super) fn unescape(written: &str) -> Cow<'_, str> {
    let inside = written
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    let inside = inside.unwrap_or(written);
    if !inside.contains('\\') {
        return Cow::Borrowed(inside);
    }
    let mut text = String::with_capacity(inside.len());
    let mut characters = inside.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => text.extend(characters.next()),
            _ => text.push(character),
        }
    }
    Cow::Owned(text)
}

struct Reader<'c, 's> {
    context: &'c mut Context<'s>,
    kind: Kind,
    name: &'s str,
    span: Span,
}

impl Reader<'_, '_> {
    fn scalar(&mut self, scalar: Scalar) -> Option<Value> {
        let written = self.context.slice(scalar.span);
        match scalar.kind {
            ScalarKind::Mangled | ScalarKind::Missing => None,
            ScalarKind::Name if written == "none" => self.none(),
            ScalarKind::String => self.string(unescape(written)),
            ScalarKind::Time | ScalarKind::Word if self.is_time() => self.time(written),
            ScalarKind::Time | ScalarKind::Word | ScalarKind::Name => self.bare(written),
        }
    }

    const fn is_time(&self) -> bool {
        matches!(self.kind, Kind::Time | Kind::TimeOrZero)
    }

    fn report<T>(&mut self, title: String, label: impl Into<String>) -> Option<T> {
        self.context
            .report(Diagnostic::new(self.span, title, label));
        None
    }

    fn wrong_kind(&mut self, found: &str) -> Option<Value> {
        let title = format!("{} cannot be {found}", quoted(self.name));
        self.report(title, format!("expected {}", self.kind.example()))
    }

    fn none(&mut self) -> Option<Value> {
        match self.kind {
            Kind::Listen => Some(Value::Listen(Listen::Off)),
            Kind::Method => Some(Value::Method(Method::None)),
            kind if kind.may_be_none() => Some(Value::Unset),
            Kind::Scopes => self.empty_instead("[]"),
            Kind::Fields => self.empty_instead("{}"),
            _ => {
                let title = format!("{} cannot be none", quoted(self.name));
                self.report(title, "give it a value, or leave the option out")
            }
        }
    }

    fn empty_instead(&mut self, empty: &str) -> Option<Value> {
        let title = format!("{} cannot be none", quoted(self.name));
        self.report(title, format!("write {empty} for an empty one"))
    }

    /// A word without quotes where it is not allowed.
    fn bare(&mut self, written: &str) -> Option<Value> {
        let wants_word = !matches!(self.kind, Kind::Scopes | Kind::Fields) && !self.is_time();
        if wants_word && self.kind.may_be_none() && written.eq_ignore_ascii_case("none") {
            let title = format!("{} has a bad value", quoted(self.name));
            return self.report(title, "write none in small letters");
        }
        if wants_word {
            let title = format!("the value of {} is not in quotes", quoted(self.name));
            return self.report(title, format!("expected {}", self.kind.example()));
        }
        self.wrong_kind("a bare word")
    }

    fn string(&mut self, text: Cow<'_, str>) -> Option<Value> {
        match self.kind {
            Kind::Time | Kind::TimeOrZero => self.wrong_kind("a string"),
            Kind::Scopes | Kind::Fields => self.wrong_kind("a single string"),
            Kind::Command | Kind::Identifier | Kind::Text => {
                let text = self.not_blank(text)?;
                Some(Value::Text(text.into_owned()))
            }
            Kind::Secret => {
                let text = self.not_blank(text)?;
                Some(Value::Secret(ClientSecret::new(text.into_owned())))
            }
            Kind::Method => self.method(&text),
            Kind::Certificates => {
                let text = self.not_blank(text)?;
                self.context.certificates(self.span, &text).map(Value::File)
            }
            Kind::PrivateKey => {
                let text = self.not_blank(text)?;
                self.context.private_key(self.span, &text).map(Value::File)
            }
            Kind::Provider => {
                let text = self.not_blank(text)?;
                self.or_report(provider::find(&text)).map(Value::Provider)
            }
            Kind::Issuer => {
                let issuer = uris::issuer(text.into_owned());
                self.or_report(issuer).map(Value::Issuer)
            }
            Kind::Grant => self.grant(&text),
            Kind::Listen => self.or_report(uris::listen(&text)).map(Value::Listen),
            Kind::Endpoint => {
                let endpoint = self.context.endpoints.check(&text);
                self.or_report(endpoint).map(Value::Endpoint)
            }
            Kind::Redirect => self.or_report(uris::redirect(&text)).map(Value::Redirect),
            Kind::Resource => {
                let resource = uris::resource(text.into_owned());
                self.or_report(resource).map(Value::Text)
            }
        }
    }

    fn or_report<T>(&mut self, result: Result<T, uris::Fault>) -> Option<T> {
        let fault = match result {
            Ok(value) => return Some(value),
            Err(fault) => fault,
        };
        let title = format!("{} {}", quoted(self.name), fault.title);
        let mistake = Diagnostic::new(self.span, title, fault.label);
        self.context
            .report(fault.notes.into_iter().fold(mistake, Diagnostic::note));
        None
    }

    fn not_blank<'t>(&mut self, text: Cow<'t, str>) -> Option<Cow<'t, str>> {
        if !text.trim().is_empty() {
            return Some(text);
        }
        let label = if self.kind.may_be_none() {
            "write none, or leave the option out"
        } else {
            "give it a value"
        };
        self.report(format!("{} is empty", quoted(self.name)), label)
    }

    fn method(&mut self, text: &str) -> Option<Value> {
        let method = match text {
            "none" => Method::None,
            "post" => Method::Post,
            "basic" => Method::Basic,
            _ => {
                let title = format!("{} names no way to authenticate", quoted(self.name));
                return self.report(title, format!("expected {}", self.kind.example()));
            }
        };
        Some(Value::Method(method))
    }

    fn grant(&mut self, text: &str) -> Option<Value> {
        let grant = match text {
            "authorization_code" => GrantType::AuthorizationCode,
            "device_code" => GrantType::DeviceCode,
            "client_credentials" => GrantType::ClientCredentials,
            _ => {
                let title = format!("{} names no way to get a token", quoted(self.name));
                return self.report(title, format!("expected {}", self.kind.example()));
            }
        };
        Some(Value::Grant(grant))
    }

    fn time(&mut self, written: &str) -> Option<Value> {
        let title = format!("{} has a bad time", quoted(self.name));
        let digits = written.bytes().take_while(u8::is_ascii_digit).count();
        let unit = match &written[digits..] {
            "s" if digits > 0 => 1,
            "m" if digits > 0 => 60,
            "h" if digits > 0 => 60 * 60,
            "d" if digits > 0 => SECONDS_A_DAY,
            "" => return self.report(title, "its unit is missing: one of s, m, h, d"),
            _ => {
                let label = "a time is a whole number and one of s, m, h, d, for example 40s";
                return self.report(title, label);
            }
        };
        let longest = MAX_DAYS * SECONDS_A_DAY;
        let seconds = written[..digits]
            .parse::<u64>()
            .ok()
            .and_then(|count| count.checked_mul(unit));
        match seconds.filter(|&seconds| seconds <= longest) {
            None => self.report(
                title,
                format!("the longest time is {MAX_DAYS}d, a hundred years"),
            ),
            Some(0) if self.kind == Kind::Time => self.report(
                format!("{} is zero", quoted(self.name)),
                "it must be at least 1s",
            ),
            Some(seconds) => Some(Value::Time(Duration::from_secs(seconds))),
        }
    }

    fn list(&mut self, scalars: &[Scalar]) -> Option<Value> {
        if self.kind != Kind::Scopes {
            return self.wrong_kind("a list");
        }
        let mut scopes = Vec::with_capacity(scalars.len());
        let mut good = true;
        for &scalar in scalars {
            let scope = self.element(scalar, "a scope is a string in double quotes");
            match scope.and_then(|scope| self.scope(scalar.span, scope)) {
                Some(scope) => scopes.push(scope),
                None => good = false,
            }
        }
        good.then_some(Value::Scopes(scopes))
    }

    fn map(&mut self, pairs: &[(Scalar, Scalar)]) -> Option<Value> {
        if self.kind != Kind::Fields {
            return self.wrong_kind("a map");
        }
        let mut fields = Vec::with_capacity(pairs.len());
        for &(key, value) in pairs {
            let label = "keys and values are strings in double quotes";
            let (key_text, value_text) = (self.element(key, label), self.element(value, label));
            if key_text.as_deref() == Some("") {
                let mistake = Diagnostic::new(key.span, "a field has no name", "name it");
                self.context.report(mistake);
            } else if let (Some(key_text), Some(value_text)) = (key_text, value_text) {
                fields.push(Field {
                    key_span: key.span,
                    key: key_text,
                    value_span: value.span,
                    value: value_text,
                });
            }
        }
        Some(Value::Fields(fields))
    }

    /// A string inside a list or a map.
    fn element(&mut self, scalar: Scalar, label: &str) -> Option<String> {
        let written = self.context.slice(scalar.span);
        match scalar.kind {
            ScalarKind::String => Some(unescape(written).into_owned()),
            ScalarKind::Mangled | ScalarKind::Missing => None,
            ScalarKind::Name | ScalarKind::Time | ScalarKind::Word => {
                let title = format!("{} may have nothing but strings in it", quoted(self.name));
                self.context
                    .report(Diagnostic::new(scalar.span, title, label));
                None
            }
        }
    }

    /// RFC 6749 section 3.3: visible ASCII but for the quote and the backslash.
    fn scope(&mut self, span: Span, scope: String) -> Option<String> {
        let allowed = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\');
        let label = if scope.is_empty() {
            "take it out"
        } else if scope.bytes().all(allowed) {
            return Some(scope);
        } else if scope.contains(' ') {
            "a scope has no spaces: write several as [\"one\", \"two\"]"
        } else {
            "a scope has visible ASCII characters only, and neither quotes nor backslashes"
        };
        let title = if scope.is_empty() {
            "a scope is empty"
        } else {
            "this is not a scope"
        };
        let mistake = Diagnostic::new(span, title, label);
        self.context
            .report(mistake.note("see RFC 6749, section 3.3"));
        None
    }
}
