//! The user's web browser: whether there is one, and opening it.

use std::env;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::thread;

use pizauth::sys;

/// The variables that keep loopback addresses off a proxy.
const NO_PROXY: [&str; 2] = ["no_proxy", "NO_PROXY"];

/// Opens the URL in the user's browser; `None` where there is none. What the browser writes to the
/// terminal would only be in the way.
pub(crate) fn open(url: &str) -> Option<()> {
    let commands = env::var("BROWSER").map_or_else(|_| desktop(), |list| list_of(&list));
    commands.iter().find_map(|command| start(command, url))
}

/// What opens a URL on the desktop, where there is one to see it on.
fn desktop() -> Vec<String> {
    if cfg!(target_os = "macos") {
        return vec!["open".into()];
    }
    let has_display = ["DISPLAY", "WAYLAND_DISPLAY"]
        .iter()
        .any(|variable| env::var_os(variable).is_some_and(|display| !display.is_empty()));
    if has_display {
        vec!["xdg-open".into()]
    } else {
        Vec::new()
    }
}

/// `$BROWSER` has commands with a colon in between; the first that can be run is used.
fn list_of(list: &str) -> Vec<String> {
    list.split(':').map(str::to_owned).collect()
}

/// Starts one; the URL goes where `%s` is, or at the end.
fn start(command: &str, url: &str) -> Option<()> {
    let mut words: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
    if !words.iter().any(|word| word.contains("%s")) {
        words.push("%s".into());
    }
    let mut words = words.into_iter().map(|word| word.replace("%s", url));
    let mut browser = Command::new(words.next().filter(|program| program != url)?);
    browser
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0);
    for variable in NO_PROXY {
        browser.env(variable, without_proxy(env::var_os(variable)));
    }
    let mut browser = sys::unblock_signals(&mut browser).spawn().ok()?;
    // The browser outlives the demo; one that only hands the URL on does not.
    let collect = move || browser.wait();
    let _ = thread::Builder::new().name("browser".into()).spawn(collect);
    Some(())
}

fn without_proxy(exceptions: Option<OsString>) -> OsString {
    let mut list = exceptions.unwrap_or_default();
    if !list.is_empty() {
        list.push(",");
    }
    list.push("127.0.0.1,localhost,::1");
    list
}
