//! The text of a JSON string, read without leaving a copy behind.
//!
//! A general parser unescapes into a scratch buffer that nobody wipes, and some providers escape
//! every slash of a token. Knows nothing of JSON beyond strings.

use zeroize::Zeroizing;

/// What `literal` stands for; `None` where it is no string. It is known to be well-formed JSON,
/// but for lone surrogates, which become replacement characters.
pub(super) fn unescape(literal: &str) -> Option<Zeroizing<String>> {
    let mut rest = literal.strip_prefix('"')?.strip_suffix('"')?;
    // No escape is shorter than what it stands for, so this never grows.
    let mut text = Zeroizing::new(String::with_capacity(rest.len()));
    while let Some((plain, escaped)) = rest.split_once('\\') {
        text.push_str(plain);
        let (character, after) = escape(escaped)?;
        text.push(character);
        rest = after;
    }
    text.push_str(rest);
    Some(text)
}

/// The character that an escape stands for, and what follows; `escaped` begins after the
/// backslash.
fn escape(escaped: &str) -> Option<(char, &str)> {
    let mut characters = escaped.chars();
    let character = match characters.next()? {
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'u' => return code_point(characters.as_str()),
        same => same,
    };
    Some((character, characters.as_str()))
}

/// The character of a `\u` escape, which may take a second one (RFC 8259 section 7).
fn code_point(digits: &str) -> Option<(char, &str)> {
    let (first, rest) = four_digits(digits)?;
    if let Some(character) = char::from_u32(first) {
        return Some((character, rest));
    }
    let pair = rest
        .strip_prefix("\\u")
        .and_then(four_digits)
        .and_then(|(second, rest)| Some((join_surrogates(first, second)?, rest)));
    Some(pair.unwrap_or((char::REPLACEMENT_CHARACTER, rest)))
}

fn four_digits(digits: &str) -> Option<(u32, &str)> {
    let (four, rest) = digits.split_at_checked(4)?;
    Some((u32::from_str_radix(four, 16).ok()?, rest))
}

fn join_surrogates(high: u32, low: u32) -> Option<char> {
    if !(0xd800..0xdc00).contains(&high) || !(0xdc00..0xe000).contains(&low) {
        return None;
    }
    char::from_u32(0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_what_a_json_parser_reads() {
        for literal in [
            r#""""#,
            r#""plain""#,
            r#""1\/\/0gQ+\u002f""#,
            r#""\b\f\n\r\t\"\\\/""#,
            r#""\\\\n\\u0041""#,
            r#""\u00e9\u20AC\ud83d\ude00 é😀""#,
            r#""ends in \\""#,
        ] {
            let expected: String = serde_json::from_str(literal).unwrap();
            assert_eq!(*unescape(literal).unwrap(), expected, "{literal}");
        }
    }

    #[test]
    fn lone_surrogates_are_replaced() {
        let cases = [
            (r#""\ud83d""#, "\u{fffd}"),
            (r#""\ude00x""#, "\u{fffd}x"),
            (r#""\ud83d\ud83d\ude00""#, "\u{fffd}😀"),
            (r#""\ud83d\u0041""#, "\u{fffd}A"),
            (r#""\ud83d\n""#, "\u{fffd}\n"),
        ];
        for (literal, text) in cases {
            assert_eq!(*unescape(literal).unwrap(), text, "{literal}");
        }
    }

    #[test]
    fn what_is_no_string_is_none() {
        for literal in [
            "",
            "\"",
            "3600",
            "null",
            "{}",
            "\"open",
            r#""\"#,
            r#""\u12""#,
            r#""\u00é""#,
        ] {
            assert_eq!(unescape(literal), None, "{literal}");
        }
    }
}
