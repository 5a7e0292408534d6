//! A QR code, drawn with characters.
//!
//! Pure. Its colours are its own, since a code that is light on dark is read by few phones.

use qrcodegen::{QrCode, QrCodeEcc};

/// The light border that readers want around a code, in modules (ISO/IEC 18004 section 6.3.8).
const BORDER: i32 = 4;
/// True black on true white, out of the colours that themes leave alone.
const COLOURS: &str = "\x1b[38;5;16;48;5;231m";
const PLAIN: &str = "\x1b[0m";

/// The text as a QR code for a terminal of this width; `None` where it does not fit.
pub(super) fn drawn(text: &str, width: usize) -> Option<String> {
    let code = QrCode::encode_text(text, QrCodeEcc::Low).ok()?;
    let size = code.size() + 2 * BORDER;
    // One column is left: some terminals break a line that fills them.
    if usize::try_from(size).ok()? >= width {
        return None;
    }
    let dark = |x: i32, y: i32| code.get_module(x - BORDER, y - BORDER);
    let mut drawn = String::new();
    for y in (0..size).step_by(2) {
        drawn.push_str(COLOURS);
        for x in 0..size {
            drawn.push(match (dark(x, y), dark(x, y + 1)) {
                (true, true) => '\u{2588}',
                (true, false) => '\u{2580}',
                (false, true) => '\u{2584}',
                (false, false) => ' ',
            });
        }
        drawn.push_str(PLAIN);
        drawn.push('\n');
    }
    Some(drawn)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The modules that a reader sees: true where it is dark.
    fn seen(drawn: &str) -> Vec<Vec<bool>> {
        let mut rows = Vec::new();
        for line in drawn.lines() {
            let line = line.strip_prefix(COLOURS).unwrap();
            let line = line.strip_suffix(PLAIN).unwrap();
            rows.push(
                line.chars()
                    .map(|c| "\u{2588}\u{2580}".contains(c))
                    .collect(),
            );
            rows.push(
                line.chars()
                    .map(|c| "\u{2588}\u{2584}".contains(c))
                    .collect(),
            );
        }
        rows
    }

    #[test]
    fn every_module_is_where_it_belongs() {
        let url = "https://example.com/device?user_code=WDJB-MJHT";
        let rows = seen(&drawn(url, 80).unwrap());
        let code = QrCode::encode_text(url, QrCodeEcc::Low).unwrap();
        for (y, row) in (0..).zip(&rows) {
            for (x, dark) in (0..).zip(row) {
                assert_eq!(*dark, code.get_module(x - BORDER, y - BORDER), "{x} {y}");
            }
        }
        let width = usize::try_from(code.size() + 2 * BORDER).unwrap();
        assert!(rows.iter().all(|row| row.len() == width));
        assert!(rows.len() >= width);
    }

    #[test]
    fn what_does_not_fit_is_left_out() {
        let url = "https://example.com/device";
        let width = seen(&drawn(url, 200).unwrap())[0].len();
        assert_eq!(drawn(url, 0), None);
        assert_eq!(drawn(url, width), None);
        assert!(drawn(url, width + 1).is_some());
        assert_eq!(drawn(&"x".repeat(5_000), 10_000), None);
    }
}
