//! Opening a browser.
//!
//! Knows the commands that do; knows nothing of what is at the URL. Everybody on the machine can
//! see a program's arguments, so that only a URL without a secret may be opened: an authorisation
//! URL has none (its verifier stays in the server).

use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::thread;

use super::way::Surroundings;
use crate::console::{describe, say};

/// The program that opens what the user prefers.
const OPENER: &str = match cfg!(target_os = "macos") {
    true => "open",
    false => "xdg-open",
};

/// Opens the URL, and says so where it cannot be opened.
pub(super) fn open(url: &str, around: &Surroundings, err: &mut dyn Write) {
    if !["https://", "http://"].iter().any(|it| url.starts_with(it)) {
        return say(err, "that is no address for a browser, and none is opened");
    }
    let mut reason = String::new();
    for words in commands(around.browser.as_deref(), url) {
        match start(&words) {
            Ok(child) => return watch(child, words),
            Err(error) => reason = format!("'{}': {}", words[0], describe(&error)),
        }
    }
    say(
        err,
        &format!("no browser can be started ({reason}): open the URL yourself"),
    );
}

/// The commands to try, in turn: those of `$BROWSER`, or else the system's.
fn commands(browser: Option<&str>, url: &str) -> Vec<Vec<String>> {
    let Some(browser) = browser else {
        return vec![vec![OPENER.to_owned(), url.to_owned()]];
    };
    let entries = browser.split(':').map(str::trim);
    entries.filter_map(|entry| command(entry, url)).collect()
}

/// One entry of `$BROWSER`: `%s` is the URL, which otherwise comes last, and `%%` is a percent
/// sign. No shell sees it.
fn command(entry: &str, url: &str) -> Option<Vec<String>> {
    let mut words = words(entry)?;
    let mut names_url = false;
    for word in &mut words {
        let parts = word.split("%%").map(|part| {
            names_url |= part.contains("%s");
            part.replace("%s", url)
        });
        let parts: Vec<String> = parts.collect();
        *word = parts.join("%");
    }
    if !names_url {
        words.push(url.to_owned());
    }
    Some(words)
}

/// Splits at blanks that are not quoted. A path with blanks of a program that is there is one word.
fn words(entry: &str) -> Option<Vec<String>> {
    if entry.starts_with('/') && std::path::Path::new(entry).is_file() {
        return Some(vec![entry.to_owned()]);
    }
    let mut words: Vec<String> = Vec::new();
    let mut quote = None;
    let mut within = false;
    for c in entry.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => {
                quote = Some(c);
                begin(&mut words, &mut within);
            }
            (None, ' ' | '\t') => within = false,
            (_, c) => begin(&mut words, &mut within).push(c),
        }
    }
    words
        .first()
        .is_some_and(|it| !it.is_empty())
        .then_some(words)
}

/// The word that is being read, which begins here where none is.
fn begin<'a>(words: &'a mut Vec<String>, within: &mut bool) -> &'a mut String {
    if !*within || words.is_empty() {
        words.push(String::new());
        *within = true;
    }
    let last = words.len() - 1;
    &mut words[last]
}

/// In a process group of its own: the ctrl-c that ends the waiting does not end the browser.
fn start(words: &[String]) -> io::Result<Child> {
    let mut command = Command::new(&words[0]);
    command
        .args(&words[1..])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0);
    command.spawn()
}

/// Says so if the program fails, for as long as somebody waits for the login.
fn watch(mut child: Child, words: Vec<String>) {
    let watching = thread::Builder::new().name("browser".into());
    // Without it, a failure goes unsaid, and the URL is on the screen all the same.
    let _ = watching.spawn(move || {
        let Ok(status) = child.wait() else { return };
        if !status.success() {
            let text = format!("'{}' failed ({status}): open the URL yourself", words[0]);
            say(&mut io::stderr(), &text);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_browser_says_is_tried_in_turn() {
        let url = "https://e.com/?a=%s&b=c d";
        let cases: &[(Option<&str>, &[&[&str]])] = &[
            (None, &[&[OPENER, url]]),
            (Some("firefox"), &[&["firefox", url]]),
            (Some(" a : b -x "), &[&["a", url], &["b", "-x", url]]),
            (
                Some("a --url=%s -n::b"),
                &[&["a", &format!("--url={url}"), "-n"], &["b", url]],
            ),
            (Some("a 100%% %s"), &[&["a", "100%", url]]),
            (Some("a 'printf %%s'"), &[&["a", "printf %s", url]]),
            (Some("a 'b c' \"d 'e\""), &[&["a", "b c", "d 'e", url]]),
            (Some("a ''"), &[&["a", "", url]]),
            (Some("a;rm -rf $HOME"), &[&["a;rm", "-rf", "$HOME", url]]),
            (Some(" : "), &[]),
        ];
        for (browser, expected) in cases {
            assert_eq!(commands(*browser, url), *expected, "{browser:?}");
        }
    }

    #[test]
    fn nothing_but_an_address_is_opened() {
        let around = Surroundings {
            browser: Some("/bin/false".into()),
            ..Surroundings::default()
        };
        for url in ["--help", "file:///etc/passwd", "javascript:1", ""] {
            let mut err = Vec::new();
            open(url, &around, &mut err);
            assert!(err.starts_with(b"that is no address"), "{url}");
        }
        let around = Surroundings {
            browser: Some("/nonexistent/browser".into()),
            ..around
        };
        let mut err = Vec::new();
        open("https://e.com/", &around, &mut err);
        let err = String::from_utf8(err).unwrap();
        assert!(
            err.contains("'/nonexistent/browser': no such file"),
            "{err}"
        );
    }
}
