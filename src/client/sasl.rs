//! A token in the forms that other programs want it in.
//!
//! Pure: a token goes in, a text comes out that is wiped. Nothing is copied into a buffer that has
//! to grow, since that would leave parts of the token behind.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::cli::Format;
use crate::secret::joined;

/// The token as `format` has it, for this user where it names one, and a newline.
pub(super) fn written(format: Format, user: &str, token: &str) -> Zeroizing<String> {
    match format {
        Format::Token => joined(&[token, "\n"]),
        Format::Header => joined(&["Authorization: Bearer ", token, "\n"]),
        Format::Xoauth2 => encoded(&["user=", user, "\x01auth=Bearer ", token, "\x01\x01"]),
        Format::Oauthbearer => {
            let name = sasl_name(user);
            // RFC 7628 section 3.1, behind the header of RFC 5801 section 4.
            encoded(&["n,a=", &name, ",\x01auth=Bearer ", token, "\x01\x01"])
        }
    }
}

/// A `saslname` (RFC 5801 section 4): what separates the header's fields is written otherwise.
fn sasl_name(user: &str) -> String {
    user.replace('=', "=3D").replace(',', "=2C")
}

/// The parts in base64, and a newline.
fn encoded(parts: &[&str]) -> Zeroizing<String> {
    let plain = joined(parts);
    let length = plain.len().div_ceil(3) * 4 + 1;
    let mut text = Zeroizing::new(String::with_capacity(length));
    STANDARD.encode_string(plain.as_bytes(), &mut text);
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of RFC 7628 section 4.1 (without host and port, which pizauth does not know)
    /// and of Google's description of XOAUTH2.
    #[test]
    fn tokens_are_written_as_the_specifications_have_it() {
        let token = "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg";
        let xoauth2 = "dXNlcj1zb21ldXNlckBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciB5YTI5LnZGOWRmdDRxbVRjMk52\
                       YjNSbGNrQmhkSFJoZG1semRHRXVZMjl0Q2cBAQ==\n";
        let cases = [
            (
                Format::Token,
                "",
                "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg\n",
            ),
            (
                Format::Header,
                "",
                "Authorization: Bearer ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg\n",
            ),
            (Format::Xoauth2, "someuser@example.com", xoauth2),
        ];
        for (format, user, expected) in cases {
            assert_eq!(*written(format, user, token), expected, "{format:?}");
        }
    }

    #[test]
    fn a_user_s_name_cannot_end_its_field() {
        let cases = [
            (
                "user@example.com",
                "n,a=user@example.com,\x01auth=Bearer t\x01\x01",
            ),
            ("a,b=c", "n,a=a=2Cb=3Dc,\x01auth=Bearer t\x01\x01"),
            ("=2C", "n,a==3D2C,\x01auth=Bearer t\x01\x01"),
            ("жук", "n,a=жук,\x01auth=Bearer t\x01\x01"),
        ];
        for (user, expected) in cases {
            let text = written(Format::Oauthbearer, user, "t");
            let plain = STANDARD.decode(text.trim_end()).unwrap();
            assert_eq!(String::from_utf8(plain).unwrap(), expected);
            let text = written(Format::Xoauth2, user, "t");
            let plain = STANDARD.decode(text.trim_end()).unwrap();
            assert_eq!(
                String::from_utf8(plain).unwrap(),
                format!("user={user}\x01auth=Bearer t\x01\x01")
            );
        }
    }

    #[test]
    fn nothing_grows() {
        let token = "x".repeat(9_001);
        for format in [
            Format::Token,
            Format::Header,
            Format::Xoauth2,
            Format::Oauthbearer,
        ] {
            let text = written(format, "user@example.com", &token);
            assert!(text.capacity() <= text.len() + 4, "{format:?}");
        }
    }
}
