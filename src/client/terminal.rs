//! The terminal of whoever runs a command: what it can show, and reading from it unseen.
//!
//! Knows terminals' settings and the signals that would leave them changed; knows nothing of what
//! is read. What is typed is read byte by byte: a terminal that reads lines by itself cuts them
//! at some thousand bytes, and codes are longer.

use std::env;
use std::io::{self, IsTerminal, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::thread;

use nix::sys::signal::{SigSet, Signal, raise};
use nix::sys::termios::{
    InputFlags, LocalFlags, SetArg, SpecialCharacterIndices, Termios, tcgetattr, tcsetattr,
};
use nix::unistd::{getpgrp, tcgetpgrp};

use crate::sys::{is_ignored, window_width};

/// The signals that end a program: the terminal is set right before.
const ENDING: [Signal; 4] = [
    Signal::SIGINT,
    Signal::SIGTERM,
    Signal::SIGHUP,
    Signal::SIGQUIT,
];

/// What standard error can show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Screen {
    /// Its width in characters; 0 where it is no terminal, or does not say.
    pub(super) width: usize,
    /// Whether it obeys colours and the like.
    pub(super) styled: bool,
    /// Whether it shows more than ASCII.
    pub(super) utf8: bool,
}

impl Screen {
    /// That of standard error.
    pub(super) fn of_stderr() -> Self {
        let stderr = io::stderr();
        if !stderr.is_terminal() {
            return Self::default();
        }
        let term = env::var("TERM").unwrap_or_default();
        Self {
            width: window_width(&stderr).unwrap_or(0),
            styled: !term.is_empty() && term != "dumb",
            utf8: is_utf8(|name| env::var(name).ok()),
        }
    }
}

/// Whether the locale that is in force has UTF-8, as POSIX ranks the variables.
fn is_utf8(variable: impl Fn(&str) -> Option<String>) -> bool {
    let names = ["LC_ALL", "LC_CTYPE", "LANG"];
    let locale = names
        .iter()
        .find_map(|name| variable(name).filter(|value| !value.is_empty()));
    locale.is_some_and(|locale| {
        let locale = locale.to_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}

/// Whether somebody can type something into this: a terminal, and not from the background.
pub(super) fn can_be_typed_into(input: BorrowedFd<'_>) -> bool {
    input.is_terminal() && tcgetpgrp(input).map_or(true, |group| group == getpgrp())
}

/// A terminal that shows nothing of what is typed, and passes every key on. It is set right again
/// when this is dropped.
#[derive(Debug)]
pub(super) struct Hidden<'a> {
    terminal: BorrowedFd<'a>,
    before: Termios,
}

impl<'a> Hidden<'a> {
    /// # Errors
    /// Where it is no terminal, or refuses.
    pub(super) fn start(terminal: BorrowedFd<'a>) -> io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let hidden = Self { terminal, before };
        hidden.again()?;
        Ok(hidden)
    }

    /// Hides what is typed, once more after the program was stopped for a while.
    pub(super) fn again(&self) -> io::Result<()> {
        let mut settings = self.before.clone();
        settings.local_flags &= !(LocalFlags::ICANON
            | LocalFlags::ECHO
            | LocalFlags::ECHONL
            | LocalFlags::ISIG
            | LocalFlags::IEXTEN);
        settings.input_flags &= !InputFlags::IXON;
        settings.control_chars[SpecialCharacterIndices::VMIN as usize] = 1;
        settings.control_chars[SpecialCharacterIndices::VTIME as usize] = 0;
        // What was typed already is kept.
        Ok(tcsetattr(self.terminal, SetArg::TCSADRAIN, &settings)?)
    }

    /// Sets the terminal right, and stops until somebody has the program go on.
    pub(super) fn suspend(&self) -> io::Result<()> {
        self.set_right();
        raise(Signal::SIGTSTP)?;
        self.again()
    }

    fn set_right(&self) {
        // There is nobody to tell that the terminal is gone.
        let _ = tcsetattr(self.terminal, SetArg::TCSADRAIN, &self.before);
    }
}

impl Drop for Hidden<'_> {
    fn drop(&mut self) {
        self.set_right();
    }
}

/// The signals that end a program, held back: each is a byte to be read instead.
///
/// They are waited for in a thread, which is what every system can do.
#[derive(Debug)]
pub(super) struct Signals {
    arrived: PipeReader,
}

impl Signals {
    /// Holds them back from now on. Before any other thread is started. `None` where all of them
    /// are ignored.
    ///
    /// # Errors
    /// Where the system has no room for a pipe or a thread.
    pub(super) fn hold() -> io::Result<Option<Self>> {
        let signals = ending();
        if signals.iter().next().is_none() {
            return Ok(None);
        }
        let (arrived, writer) = io::pipe()?;
        signals.thread_block()?;
        let waiting = Self { arrived };
        thread::Builder::new()
            .name("signals".into())
            .spawn(move || pass_on(signals, writer))?;
        Ok(Some(waiting))
    }

    /// The signal that has arrived.
    pub(super) fn read(&mut self) -> Option<Signal> {
        let mut number = [0];
        self.arrived.read_exact(&mut number).ok()?;
        Signal::try_from(i32::from(number[0])).ok()
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.arrived.as_fd()
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        let _ = ending().thread_unblock();
    }
}

/// Those that are ignored (as under nohup) go on to be.
fn ending() -> SigSet {
    ENDING
        .into_iter()
        .filter(|signal| !is_ignored(*signal))
        .collect()
}

fn pass_on(signals: SigSet, mut writer: PipeWriter) {
    while let Ok(signal) = signals.wait() {
        let number = u8::try_from(signal as i32).unwrap_or(0);
        if writer.write_all(&[number]).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_locale_is_that_of_the_first_variable_that_says_something() {
        let cases: &[(&[(&str, &str)], bool)] = &[
            (&[], false),
            (&[("LANG", "de_DE.UTF-8")], true),
            (&[("LANG", "C.utf8")], true),
            (&[("LANG", "C")], false),
            (&[("LC_ALL", "C"), ("LANG", "de_DE.UTF-8")], false),
            (
                &[("LC_ALL", ""), ("LC_CTYPE", "UTF-8"), ("LANG", "C")],
                true,
            ),
        ];
        for (variables, expected) in cases {
            let variable = |name: &str| {
                let found = variables.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            assert_eq!(is_utf8(variable), *expected, "{variables:?}");
        }
    }

    #[test]
    fn what_is_typed_is_hidden_until_the_end() {
        let pty = nix::pty::openpty(None, None).unwrap();
        let flags = || tcgetattr(&pty.slave).unwrap().local_flags;
        let before = flags();
        assert!(before.contains(LocalFlags::ECHO | LocalFlags::ICANON));
        let hidden = Hidden::start(pty.slave.as_fd()).unwrap();
        assert!(!flags().intersects(LocalFlags::ECHO | LocalFlags::ICANON | LocalFlags::ISIG));
        drop(hidden);
        assert_eq!(flags(), before);
    }
}
