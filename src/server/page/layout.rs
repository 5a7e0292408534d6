//! How a page is laid out, and how text gets into it.
//!
//! Knows nothing of what the pages are about.

/// The longest text that is echoed, in characters: a provider's whole explanation fits, and a
/// page stays a page whatever is sent.
const MAX_ECHO: usize = 4096;
/// From this many characters on, a detail may be higher than its box: the keyboard must be able
/// to scroll it.
const SCROLLS: usize = 280;
/// From this many characters on, an account's name takes several lines, and is set smaller.
const LONG_NAME: usize = 36;

const STYLE: &str = include_str!("style.css");

/// Takes `code` and `state` out of the address bar and the history; the path stays. The origin is
/// spelled out since a path that starts with `//` would be taken for another host.
const FORGET_QUERY: &str = r#"history.replaceState(null,"",location.origin+location.pathname)"#;

/// A page before it is laid out. The `&'static str`s are HTML; everything else is text.
pub(super) struct Content<'a> {
    pub(super) status: &'static str,
    /// Header lines that only this page has.
    pub(super) extra_headers: &'static str,
    pub(super) look: Look,
    pub(super) heading: &'static str,
    pub(super) account: Option<&'a str>,
    pub(super) told: &'static str,
    pub(super) detail: Option<(&'static str, &'a str)>,
    pub(super) next: &'static str,
    pub(super) action: Action,
    /// Whether loading the page again is of use: the query must stay then.
    pub(super) reloadable: bool,
}

pub(super) enum Action {
    Nothing,
    Run(String),
    Reload,
}

#[derive(Clone, Copy)]
pub(super) enum Look {
    Good,
    Bad,
    Wait,
    Note,
    Calm,
}

impl Look {
    /// The style sheet's class.
    const fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Bad => "bad",
            Self::Wait => "wait",
            Self::Note => "note",
            Self::Calm => "calm",
        }
    }

    /// What is drawn in the circle, in a square of 24 by 24.
    const fn symbol(self) -> &'static str {
        match self {
            Self::Good => r#"<path class="draw" pathLength="1" d="M4.5 12.8l5 5L19.8 6.8"/>"#,
            Self::Bad => r#"<path class="draw" pathLength="1" d="M6 6l12 12M18 6L6 18"/>"#,
            Self::Wait => {
                r#"<circle cx="12" cy="12" r="9.5" opacity=".25"/><path class="turn" d="M12 2.5a9.5 9.5 0 0 1 9.5 9.5"/>"#
            }
            Self::Note => r#"<path d="M12 4.5v9.5"/><path d="M12 19.4v.1" stroke-width="3"/>"#,
            Self::Calm => {
                r#"<circle cx="8" cy="15.5" r="4.5"/><path d="M11.4 12.1L20 3.5M16.2 7.3l3.1 3.1"/>"#
            }
        }
    }

    /// Whether a screen reader should interrupt for it.
    const fn role(self) -> &'static str {
        match self {
            Self::Bad | Self::Note => "alert",
            Self::Good | Self::Wait | Self::Calm => "status",
        }
    }
}

/// The page; its styles and its script carry `nonce`.
pub(super) fn html(content: &Content<'_>, nonce: &str) -> String {
    let title = title(content);
    let script = script(content, nonce);
    let look = content.look.class();
    let role = content.look.role();
    let symbol = content.look.symbol();
    let heading = content.heading;
    let account = account(content);
    let told = content.told;
    let detail = detail(content);
    let next = content.next;
    let action = action(content);
    format!(
        r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
{script}<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<style nonce="{nonce}">
{STYLE}</style>
</head>
<body class="{look}">
<main>
<div class="outcome" role="{role}">
<svg class="symbol" viewBox="0 0 24 24" aria-hidden="true" focusable="false">{symbol}</svg>
<h1>{heading}</h1>
{account}<p class="told">{told}</p>
{detail}</div>
<div class="next">
<p>{next}</p>
{action}</div>
</main>
<footer>This page comes from pizauth on your own computer</footer>
</body>
</html>
"#
    )
}

/// The outcome first: a tab shows only the beginning.
fn title(content: &Content<'_>) -> String {
    match content.account {
        Some(account) => format!("{}: {} – pizauth", content.heading, escape(account)),
        None => format!("{} – pizauth", content.heading),
    }
}

fn script(content: &Content<'_>, nonce: &str) -> String {
    if content.reloadable {
        return String::new();
    }
    format!("<script nonce=\"{nonce}\">{FORGET_QUERY}</script>\n")
}

fn account(content: &Content<'_>) -> String {
    let Some(account) = content.account else {
        return String::new();
    };
    let size = if account.chars().nth(LONG_NAME).is_some() {
        " long"
    } else {
        ""
    };
    let name = breakable(&escape(account));
    format!("<p class=\"account{size}\"><bdi>{name}</bdi></p>\n")
}

/// Lets a long address go on in the next line where a reader would expect it to. Takes escaped
/// text; no escape has one of these in it.
fn breakable(html: &str) -> String {
    html.replace('@', "<wbr>@").replace('.', ".<wbr>")
}

fn detail(content: &Content<'_>) -> String {
    let Some((label, text)) = content.detail else {
        return String::new();
    };
    let focus = if text.chars().nth(SCROLLS).is_some() {
        " tabindex=\"0\""
    } else {
        ""
    };
    format!(
        "<dl class=\"detail\"><dt>{label}</dt><dd{focus}><bdi>{}</bdi></dd></dl>\n",
        escape(text)
    )
}

fn action(content: &Content<'_>) -> String {
    match &content.action {
        Action::Nothing => String::new(),
        Action::Run(command) => {
            format!("<pre><code>{}</code></pre>\n", breakable(&escape(command)))
        }
        // An empty reference is this very page, query and all.
        Action::Reload => "<a class=\"button\" href=\"\">Load again</a>\n".into(),
    }
}

/// `text` as HTML that shows it, for an element's content or a quoted attribute. What could
/// reorder the text around it, or hide in it, is made visible instead.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for (at, c) in text.chars().enumerate() {
        if at == MAX_ECHO {
            escaped.push('…');
            break;
        }
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' | '\r' | '\t' | '\u{2028}' | '\u{2029}' => escaped.push(' '),
            c if c.is_control() || is_deceptive(c) => escaped.push(char::REPLACEMENT_CHARACTER),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Characters that turn the direction of text, or that nobody sees. Joiners are none of these:
/// scripts and emoji are spelled with them.
const fn is_deceptive(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}
