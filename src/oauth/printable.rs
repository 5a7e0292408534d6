//! Foreign text made fit for a terminal, a log line and a notification: one line, nothing that
//! steers a terminal or disguises what is written, and not too much of it.
//!
//! Knows nothing of who wrote the text or what it says.

/// Enough for what providers write for people, with room for Microsoft's trace identifiers; more
/// would bury the rest of a log.
const MAX_TEXT: usize = 300;
/// The error codes of the RFCs have at most 25 characters, and nobody needs more than a few words.
const MAX_CODE: usize = 80;
/// Dozens of scopes that are written as URLs; what is cut off cannot be compared any more.
const MAX_SCOPE: usize = 8 * 1024;
/// Says that there was more.
const ELLIPSIS: char = '…';

/// A sentence or two from the provider.
#[must_use]
pub fn text(raw: &str) -> String {
    clean(raw, MAX_TEXT)
}

/// A single word from the provider: an error code, a token type.
#[must_use]
pub fn code(raw: &str) -> String {
    clean(raw, MAX_CODE)
}

/// A list of scopes from the provider.
#[must_use]
pub fn scope(raw: &str) -> String {
    clean(raw, MAX_SCOPE)
}

/// At most `limit` characters of `raw`, with single spaces between words and none around them.
fn clean(raw: &str, limit: usize) -> String {
    let mut cleaned = String::new();
    let mut length = 0;
    let mut gap = false;
    for character in raw.chars().filter(|character| !is_invisible(*character)) {
        if character.is_whitespace() || character.is_control() {
            gap = length > 0;
            continue;
        }
        let wanted = 1 + usize::from(gap);
        if length + wanted > limit {
            return shorten(cleaned, length, limit);
        }
        if gap {
            cleaned.push(' ');
            gap = false;
        }
        cleaned.push(character);
        length += wanted;
    }
    cleaned
}

/// Puts the ellipsis at the end of a text that was cut at the limit.
fn shorten(mut cleaned: String, length: usize, limit: usize) -> String {
    if length == limit {
        cleaned.pop();
    }
    cleaned.truncate(cleaned.trim_end().len());
    cleaned.push(ELLIPSIS);
    cleaned
}

/// Characters that show nothing but change how their neighbours look: they can reverse a text,
/// glue words together or hide one.
const fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{ad}'                    // soft hyphen
        | '\u{34f}'                 // grapheme joiner
        | '\u{61c}'                 // Arabic letter mark
        | '\u{115f}'..='\u{1160}'   // Hangul fillers
        | '\u{180b}'..='\u{180f}'   // Mongolian selectors
        | '\u{200b}'..='\u{200f}'   // zero width, direction marks
        | '\u{202a}'..='\u{202e}'   // direction embedding and override
        | '\u{2060}'..='\u{206f}'   // joiners, direction isolates
        | '\u{3164}'                // Hangul filler
        | '\u{fe00}'..='\u{fe0f}'   // variation selectors
        | '\u{feff}'                // byte order mark
        | '\u{ffa0}'                // Hangul filler
        | '\u{fff9}'..='\u{fffb}'   // annotations
        | '\u{1d173}'..='\u{1d17a}' // musical formatting
        | '\u{e0000}'..='\u{e0fff}' // tags, more variation selectors
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_safe_stays() {
        for same in [
            "",
            "invalid_grant",
            "Token has been expired or revoked.",
            "Das Kennwort ist ungültig",
            "токен отозван",
            "令牌已过期",
        ] {
            assert_eq!(text(same), same);
        }
    }

    #[test]
    fn what_steers_or_hides_goes() {
        let cases = [
            ("a\nb\r\nc\td", "a b c d"),
            ("  a   b \u{a0}\u{2003} c  ", "a b c"),
            ("\u{1b}[31mred\u{1b}[0m", "[31mred [0m"),
            ("a\u{9b}31mb", "a 31mb"),
            ("a\u{7f}\0b", "a b"),
            ("a\u{2028}b\u{2029}c\u{85}d", "a b c d"),
            ("abc\u{202e}fed\u{202c}", "abcfed"),
            ("\u{2066}a\u{2069}\u{200b}b\u{feff}", "ab"),
            ("in\u{200d}visible\u{ad}\u{e0041}", "invisible"),
            ("\n\u{200b} \u{1b}", ""),
        ];
        for (raw, cleaned) in cases {
            assert_eq!(text(raw), cleaned, "{raw:?}");
        }
    }

    #[test]
    fn what_is_too_long_ends_in_an_ellipsis() {
        let exact = "é".repeat(MAX_TEXT);
        assert_eq!(text(&exact), exact);
        assert_eq!(text(&format!("{exact}\n ")), exact);
        let long = text(&format!("{exact}x"));
        assert_eq!(long.chars().count(), MAX_TEXT);
        assert!(long.ends_with("é…"));
        let words = text(&"ab ".repeat(1_000));
        assert!(words.chars().count() <= MAX_TEXT);
        assert!(words.ends_with("b…"), "{words}");
        assert_eq!(code(&"x".repeat(1 << 20)).chars().count(), MAX_CODE);
    }
}
