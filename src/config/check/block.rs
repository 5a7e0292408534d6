//! The settings of the top level or of one account, by option: each known, in its place, and once.

use std::path::PathBuf;
use std::time::Duration;

use cfgrammar::Span;
use url::Url;

use super::super::ast::Setting;
use super::super::diagnostic::{Diagnostic, quoted};
use super::options::{Key, Lookup, Place, look_up};
use super::values::{self, Field, Method, Value};
use super::{Context, misplaced_by_damage};
use crate::config::providers::Provider;
use crate::config::{GrantType, Issuer, Listen, RedirectUri};
use crate::secret::ClientSecret;

/// What is set at one level.
pub(super) struct Block {
    /// At most one for each option: few of all that there are.
    slots: Vec<Slot>,
    /// Options that an unknown name was most likely meant to be.
    meant: Vec<Key>,
}

struct Slot {
    key: Key,
    name: Span,
    value_span: Span,
    /// `None` where it was not good, and reported.
    value: Option<Value>,
}

impl Block {
    /// Reads settings found at `level`.
    pub(super) fn read(context: &mut Context<'_>, settings: &[Setting], level: Place) -> Self {
        let mut block = Self {
            slots: Vec::with_capacity(settings.len()),
            meant: Vec::new(),
        };
        for setting in settings {
            block.add(context, setting, level);
        }
        block
    }

    fn add(&mut self, context: &mut Context<'_>, setting: &Setting, level: Place) {
        if setting.name.is_empty() {
            // The parser made it up, and reported why.
            return;
        }
        let name = context.slice(setting.name);
        let key = match look_up(name, level) {
            Lookup::Known(key) => key,
            Lookup::Elsewhere(place) => {
                if !misplaced_by_damage(context, setting) {
                    let title = format!("{} belongs {place}", quoted(name));
                    context.report(Diagnostic::new(setting.name, title, "move it there"));
                }
                return;
            }
            Lookup::Unknown(nearest) => {
                self.meant.extend(nearest.map(|(key, _)| key));
                return unknown(context, setting.name, nearest.map(|(_, name)| name));
            }
        };
        let value = values::read(context, key, setting);
        match self.slot(key) {
            Some(_) if misplaced_by_damage(context, setting) => {}
            Some(first) => set_twice(context, first.name, setting.name),
            None => {
                let (name, value_span) = (setting.name, setting.value.span());
                self.slots.push(Slot {
                    key,
                    name,
                    value_span,
                    value,
                });
            }
        }
    }

    /// Whether the option is set to anything at all, `none` and bad values included.
    pub(super) fn mentions(&self, key: Key) -> bool {
        self.slot(key).is_some()
    }

    /// Whether a misspelt name was most likely meant to be this option.
    pub(super) fn meant(&self, key: Key) -> bool {
        self.meant.contains(&key)
    }

    /// Whether the option is set to something, be it good or not.
    pub(super) fn sets(&self, key: Key) -> bool {
        let slot = self.slot(key);
        slot.is_some_and(|slot| !matches!(slot.value, Some(Value::Unset)))
    }

    /// Where the option's name is.
    pub(super) fn name_span(&self, key: Key) -> Option<Span> {
        Some(self.slot(key)?.name)
    }

    /// Where the option's value is.
    pub(super) fn value_span(&self, key: Key) -> Option<Span> {
        Some(self.slot(key)?.value_span)
    }

    fn slot(&self, key: Key) -> Option<&Slot> {
        self.slots.iter().find(|slot| slot.key == key)
    }

    fn value(&self, key: Key) -> Option<&Value> {
        self.slot(key)?.value.as_ref()
    }

    fn take(&mut self, key: Key) -> Option<Value> {
        let slot = self.slots.iter_mut().find(|slot| slot.key == key);
        slot?.value.take()
    }
}

/// Typed access. Each gives `None` where the option is not set, is `none`, or was not good.
impl Block {
    pub(super) fn text(&self, key: Key) -> Option<String> {
        match self.value(key)? {
            Value::Text(text) => Some(text.clone()),
            _ => None,
        }
    }

    pub(super) fn time(&self, key: Key) -> Option<Duration> {
        match self.value(key)? {
            Value::Time(time) => Some(*time),
            _ => None,
        }
    }

    pub(super) fn listen(&self, key: Key) -> Option<Listen> {
        match self.value(key)? {
            Value::Listen(listen) => Some(listen.clone()),
            _ => None,
        }
    }

    pub(super) fn file(&self, key: Key) -> Option<PathBuf> {
        match self.value(key)? {
            Value::File(path) => Some(path.clone()),
            _ => None,
        }
    }

    pub(super) fn method(&self, key: Key) -> Option<Method> {
        match self.value(key)? {
            Value::Method(method) => Some(*method),
            _ => None,
        }
    }

    pub(super) fn endpoint(&self, key: Key) -> Option<&Url> {
        match self.value(key)? {
            Value::Endpoint(url) => Some(url),
            _ => None,
        }
    }

    pub(super) fn provider(&self) -> Option<&Provider> {
        match self.value(Key::Provider)? {
            Value::Provider(provider) => Some(provider),
            _ => None,
        }
    }

    pub(super) fn issuer(&self) -> Option<&Issuer> {
        match self.value(Key::Issuer)? {
            Value::Issuer(issuer) => Some(issuer),
            _ => None,
        }
    }

    pub(super) fn grant(&self) -> Option<GrantType> {
        match self.value(Key::Grant)? {
            Value::Grant(grant) => Some(*grant),
            _ => None,
        }
    }

    pub(super) fn redirect(&self) -> Option<&RedirectUri> {
        match self.value(Key::RedirectUri)? {
            Value::Redirect(uri) => Some(uri),
            _ => None,
        }
    }

    pub(super) fn fields(&self, key: Key) -> &[Field] {
        match self.value(key) {
            Some(Value::Fields(fields)) => fields,
            _ => &[],
        }
    }

    pub(super) fn take_text(&mut self, key: Key) -> Option<String> {
        match self.take(key)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn take_endpoint(&mut self, key: Key) -> Option<Url> {
        match self.take(key)? {
            Value::Endpoint(url) => Some(url),
            _ => None,
        }
    }

    pub(super) fn take_fields(&mut self, key: Key) -> Vec<Field> {
        match self.take(key) {
            Some(Value::Fields(fields)) => fields,
            _ => Vec::new(),
        }
    }

    pub(super) fn take_scopes(&mut self, key: Key) -> Option<Vec<String>> {
        match self.take(key)? {
            Value::Scopes(scopes) => Some(scopes),
            _ => None,
        }
    }

    pub(super) fn take_secret(&mut self, key: Key) -> Option<ClientSecret> {
        match self.take(key)? {
            Value::Secret(secret) => Some(secret),
            _ => None,
        }
    }
}

fn unknown(context: &mut Context<'_>, span: Span, nearest: Option<&str>) {
    let name = context.slice(span);
    // It may be the end of a secret that was written without quotes.
    let title = if context.source.hidden.covers(span) {
        "unknown option".into()
    } else {
        format!("unknown option {}", quoted(name))
    };
    let mistake = match nearest {
        Some(known) => Diagnostic::new(span, title, format!("did you mean '{known}'?")),
        None => Diagnostic::new(span, title, "no option has this name")
            .note("pizauth.conf(5) has all options"),
    };
    context.report(mistake);
}

fn set_twice(context: &mut Context<'_>, first: Span, again: Span) {
    let (first_name, name) = (context.slice(first), context.slice(again));
    let title = format!("{} is set twice", quoted(name));
    let line = context.line(first);
    let note = if first_name == name {
        format!("first set on line {line}")
    } else {
        format!(
            "first set on line {line} as {}, which is the same option",
            quoted(first_name)
        )
    };
    context.report(Diagnostic::new(again, title, "set again here").note(note));
}
