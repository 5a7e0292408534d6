//! `application/x-www-form-urlencoded`: writing and reading it, with secrets in the fields.
//!
//! Buffers have their final size from the start, because one that grows leaves what it held
//! behind in freed memory. Knows nothing of what the fields mean.

use zeroize::Zeroizing;

/// `fields` as one text. Spaces become `%20`, which everyone reads, and not `+`, which some
/// providers take for a plus sign in URLs.
pub(super) fn encode(fields: &[(&str, &str)]) -> String {
    let length = fields
        .iter()
        .map(|(name, value)| encoded_length(name) + encoded_length(value) + 2)
        .sum();
    let mut encoded = String::with_capacity(length);
    for (name, value) in fields {
        if !encoded.is_empty() {
            encoded.push('&');
        }
        push_encoded(&mut encoded, name);
        encoded.push('=');
        push_encoded(&mut encoded, value);
    }
    encoded
}

/// `text` as [`push_encoded`] writes it, in bytes.
pub(super) fn encoded_length(text: &str) -> usize {
    text.bytes()
        .map(|byte| if is_unreserved(byte) { 1 } else { 3 })
        .sum()
}

/// Writes `text` with all but the unreserved characters of RFC 3986 percent-encoded.
pub(super) fn push_encoded(target: &mut String, text: &str) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        if is_unreserved(byte) {
            target.push(char::from(byte));
            continue;
        }
        target.push('%');
        target.push(char::from(HEX[usize::from(byte >> 4)]));
        target.push(char::from(HEX[usize::from(byte & 15)]));
    }
}

const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// The fields of `form`, in order. What is not well-formed stays as it is; bytes that are no UTF-8
/// become replacement characters.
pub(super) fn fields(
    form: &str,
) -> impl Iterator<Item = (Zeroizing<String>, Zeroizing<String>)> + '_ {
    form.split('&')
        .filter(|field| !field.is_empty())
        .map(|field| {
            let (name, value) = field.split_once('=').unwrap_or((field, ""));
            (decode(name), decode(value))
        })
}

fn decode(encoded: &str) -> Zeroizing<String> {
    let mut decoded = Zeroizing::new(Vec::with_capacity(encoded.len()));
    let mut rest = encoded.as_bytes();
    while let Some((byte, after)) = decode_byte(rest) {
        decoded.push(byte);
        rest = after;
    }
    match String::from_utf8(std::mem::take(&mut *decoded)) {
        Ok(text) => Zeroizing::new(text),
        Err(error) => lossy(&Zeroizing::new(error.into_bytes())),
    }
}

/// The first byte that `encoded` stands for, and what is left.
fn decode_byte(encoded: &[u8]) -> Option<(u8, &[u8])> {
    match encoded {
        [] => None,
        [b'+', rest @ ..] => Some((b' ', rest)),
        [b'%', high, low, rest @ ..] => match (hex_digit(*high), hex_digit(*low)) {
            (Some(high), Some(low)) => Some((high << 4 | low, rest)),
            _ => Some((b'%', &encoded[1..])),
        },
        [byte, rest @ ..] => Some((*byte, rest)),
    }
}

const fn hex_digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// `bytes` as text, with replacement characters for what is no UTF-8.
pub(super) fn lossy(bytes: &[u8]) -> Zeroizing<String> {
    let longest = bytes.len() * char::REPLACEMENT_CHARACTER.len_utf8();
    let mut text = Zeroizing::new(String::with_capacity(longest));
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            text.push(char::REPLACEMENT_CHARACTER);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(form: &str) -> Vec<(String, String)> {
        fields(form)
            .map(|(name, value)| (name.to_string(), value.to_string()))
            .collect()
    }

    #[test]
    fn what_is_written() {
        assert_eq!(encode(&[]), "");
        assert_eq!(
            encode(&[("a", "x y"), ("a", "+&=%"), ("ü", "~-._"), ("e", "")]),
            "a=x%20y&a=%2B%26%3D%25&%C3%BC=~-._&e="
        );
    }

    #[test]
    fn a_buffer_never_grows() {
        let secret = "s€cr/t ".repeat(5_000);
        let fields = [("a", secret.as_str()), ("b", ""), ("cä", "d")];
        let encoded = encode(&fields);
        let needed = fields
            .iter()
            .map(|(n, v)| encoded_length(n) + encoded_length(v) + 2);
        // The capacity asked for at the start is the capacity at the end.
        assert_eq!(encoded.capacity(), needed.sum::<usize>());
    }

    #[test]
    fn what_is_written_is_read_again() {
        let all: String = (0..0x300).filter_map(char::from_u32).collect();
        let written = encode(&[("name", &all), (&all, "value")]);
        let read = read(&written);
        assert_eq!(read, [("name".into(), all.clone()), (all, "value".into())]);
    }

    #[test]
    fn what_is_odd_is_survived() {
        let cases = [
            ("", "", ""),
            ("a", "a", ""),
            ("=b", "", "b"),
            ("a=b=c", "a", "b=c"),
            ("a=+%20+", "a", "   "),
            ("a=%", "a", "%"),
            ("a=%4", "a", "%4"),
            ("a=%zz%41", "a", "%zzA"),
            ("a=%%41", "a", "%A"),
            ("a=%e4%F6", "a", "\u{fffd}\u{fffd}"),
            ("&&%61=1&&", "a", "1"),
            ("a=é", "a", "é"),
        ];
        for (form, name, value) in cases {
            let expected = (name.to_owned(), value.to_owned());
            assert_eq!(read(form).pop().unwrap_or_default(), expected, "{form}");
        }
    }
}
