//! Fields of the authorisation URL that may not be set by hand: in `auth_uri_fields`, and in the
//! query of `auth_uri`.

use cfgrammar::Span;
use url::Url;

use super::super::diagnostic::{Diagnostic, quoted};
use super::Context;
use super::block::Block;
use super::options::Key;

/// Checks the account whose options are in `block`.
pub(super) fn check(context: &mut Context<'_>, block: &Block) {
    in_fields(context, block);
    in_query(context, block);
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

fn in_fields(context: &mut Context<'_>, block: &Block) {
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
fn in_query(context: &mut Context<'_>, block: &Block) {
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
