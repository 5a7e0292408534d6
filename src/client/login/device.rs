//! What a user sees of a login with a code (RFC 8628 section 3.3): where, which code, until when.
//!
//! What the provider sent is made safe for a terminal; only the colours are ours.

use std::fmt::Write as _;
use std::io::Write;

use super::super::terminal::Screen;
use super::super::time::Clock;
use super::qr;
use crate::console::one_line;
use crate::protocol::LoginOffer;

/// Shows where to log in, and with which code.
pub(super) fn show(offer: &LoginOffer, screen: Screen, clock: &Clock, err: &mut dyn Write) {
    // In one write, so that a code is not torn apart; there is nobody left to tell that it fails.
    let _ = err.write_all(text(offer, screen, clock).as_bytes());
}

fn text(offer: &LoginOffer, screen: Screen, clock: &Clock) -> String {
    let (bold, plain) = match screen.styled {
        true => ("\x1b[1m", "\x1b[0m"),
        false => ("", ""),
    };
    let code = offer.user_code.as_deref().unwrap_or_default();
    let mut text = format!(
        "log in to account '{}' in a browser on any machine, such as a phone, at\n\n    \
         {}\n\nand type in the code\n\n    {bold}{}{plain}\n\n",
        one_line(&offer.account),
        one_line(&offer.url),
        one_line(code)
    );
    if let Some(time) = &offer.code_expires_at {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "the code is good until {}", clock.point(time));
    }
    if let Some(picture) = picture(offer, screen) {
        let _ = writeln!(text, "\n{picture}");
    }
    text
}

fn picture(offer: &LoginOffer, screen: Screen) -> Option<String> {
    if !screen.utf8 || !screen.styled {
        return None;
    }
    let url = offer.url_with_code.as_ref().unwrap_or(&offer.url);
    qr::drawn(url, screen.width)
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    fn offer() -> LoginOffer {
        LoginOffer {
            account: "work".into(),
            logged_in_until: None,
            login: 1,
            url: "https://example.com/device".into(),
            user_code: Some("WDJB-MJHT".into()),
            url_with_code: None,
            code_expires_at: Some("2025-03-10T12:25:00Z".into()),
            redirect_port: None,
            device_is_possible: true,
        }
    }

    fn shown(offer: &LoginOffer, screen: Screen) -> String {
        let clock = Clock {
            now: "2025-03-10T12:10:00Z".parse().unwrap(),
            zone: TimeZone::fixed(jiff::tz::offset(1)),
        };
        text(offer, screen, &clock)
    }

    const GOOD: Screen = Screen {
        width: 80,
        styled: true,
        utf8: true,
    };

    #[test]
    fn place_code_and_time_are_told_everywhere() {
        let plain = "log in to account 'work' in a browser on any machine, such as a phone, at\n\n    \
                     https://example.com/device\n\nand type in the code\n\n    WDJB-MJHT\n\n\
                     the code is good until 13:25\n";
        assert_eq!(shown(&offer(), Screen::default()), plain);
        let styled = shown(&offer(), GOOD);
        assert!(styled.contains("    \x1b[1mWDJB-MJHT\x1b[0m\n"), "{styled}");
    }

    #[test]
    fn a_picture_is_drawn_where_it_can_be_seen() {
        let has_picture = |screen| shown(&offer(), screen).contains('\u{2580}');
        assert!(has_picture(GOOD));
        assert!(!has_picture(Screen { width: 30, ..GOOD }));
        assert!(!has_picture(Screen {
            styled: false,
            ..GOOD
        }));
        assert!(!has_picture(Screen {
            utf8: false,
            ..GOOD
        }));
        let with_code = LoginOffer {
            url_with_code: Some("https://example.com/device?user_code=WDJB-MJHT".into()),
            ..offer()
        };
        assert_ne!(picture(&with_code, GOOD), picture(&offer(), GOOD));
    }

    #[test]
    fn a_terminal_obeys_nothing_that_a_provider_sent() {
        let hostile = LoginOffer {
            url: "https://e.com/\x1b[2J".into(),
            user_code: Some("A\nB\x1b]0;x\x07".into()),
            code_expires_at: Some("\x1b[1m".into()),
            ..offer()
        };
        let shown = shown(&hostile, Screen::default());
        assert!(!shown.contains(['\x1b', '\x07']), "{shown:?}");
        assert!(shown.contains("A\\nB"), "{shown}");
    }
}
