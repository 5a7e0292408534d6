//! How the demo's texts are laid out in a terminal. Knows nothing of what they say.

use std::env;
use std::io::{self, IsTerminal as _, Write as _};

use pizauth::console;

/// Text goes no further than this, from the left edge on.
const WIDTH: usize = 78;
/// What is under a step's heading begins here.
const INDENT: &str = "     ";

/// Standard output, with or without colours.
pub(crate) struct Terminal {
    is_terminal: bool,
    colours: bool,
}

impl Terminal {
    /// Standard output as it is: colours only on terminals, and where nobody minds.
    pub(crate) fn new() -> Self {
        let is_terminal = io::stdout().is_terminal();
        let is_set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = env::var_os("TERM").is_none_or(|terminal| terminal == "dumb");
        Self {
            is_terminal,
            colours: is_terminal && !is_dumb && !is_set("NO_COLOR"),
        }
    }

    fn painted(&self, code: &str, text: &str) -> String {
        match self.colours {
            true => format!("\x1b[{code}m{text}\x1b[0m"),
            false => text.to_owned(),
        }
    }

    fn bold(&self, text: &str) -> String {
        self.painted("1", text)
    }

    fn dim(&self, text: &str) -> String {
        self.painted("2", text)
    }

    /// The line above everything.
    pub(crate) fn title(&self, text: &str) -> io::Result<()> {
        let line = "─".repeat(text.chars().count());
        write(&format!(
            "\n  {}\n  {}\n\n",
            self.bold(text),
            self.dim(&line)
        ))
    }

    /// The heading of a step.
    pub(crate) fn step(&self, number: usize, heading: &str) -> io::Result<()> {
        let number = self.painted("1;36", &number.to_string());
        write(&format!("\n  {number}  {}\n\n", self.bold(heading)))
    }

    /// An explanation, wrapped.
    pub(crate) fn tell(&self, text: &str) -> io::Result<()> {
        write(&format!("{}\n", wrapped(text, INDENT)))
    }

    /// An empty line.
    pub(crate) fn blank(&self) -> io::Result<()> {
        write("\n")
    }

    /// An explanation that stands out: how it turned out.
    pub(crate) fn tick(&self, text: &str) -> io::Result<()> {
        let wrapped = wrapped(text, "       ");
        let mark = self.painted("32", "✓");
        write(&format!("\n{INDENT}{mark} {}", wrapped.trim_start()))
    }

    /// The lines of a file.
    pub(crate) fn file(&self, text: &str) -> io::Result<()> {
        let lines: String = text
            .lines()
            .map(|line| format!("{INDENT}{}\n", self.painted("36", line)))
            .collect();
        write(&format!("{lines}\n"))
    }

    /// A command line that is run.
    pub(crate) fn command(&self, line: &str) -> io::Result<()> {
        let line = self.bold(line);
        write(&format!("{INDENT}{} {line}\n", self.dim("$")))
    }

    /// What a command printed, as it is but for what a terminal would obey.
    pub(crate) fn output(&self, text: &str) -> io::Result<()> {
        let text = console::printable(text);
        let lines = text.lines().map(|line| format!("{INDENT}{line}\n"));
        write(&lines.collect::<String>())
    }

    /// What is to be said of a command's output.
    pub(crate) fn remark(&self, text: &str) -> io::Result<()> {
        write(&format!("{INDENT}{}\n", self.dim(text)))
    }

    /// A request that a browser makes, and what comes of it.
    pub(crate) fn request(&self, method: &str, url: &str, outcome: &str) -> io::Result<()> {
        let request = self.dim(&format!("{method:<4} {url:<40}"));
        write(&format!("{INDENT}{request} {outcome}\n"))
    }

    /// A line that the next one takes the place of; only where that is possible.
    pub(crate) fn passing(&self, text: &str) -> io::Result<()> {
        match self.colours {
            true => write(&format!("\r\x1b[K{INDENT}{}", self.dim(text))),
            false => Ok(()),
        }
    }

    /// Takes the passing line away.
    pub(crate) fn passed(&self) -> io::Result<()> {
        match self.colours {
            true => write("\r\x1b[K"),
            false => Ok(()),
        }
    }

    /// Why the demo ends early.
    pub(crate) fn trouble(&self, text: &str) {
        // A passing line, or the terminal's ^C, may stand at the cursor.
        let begin = if self.is_terminal { "\n" } else { "" };
        console::say(&mut io::stderr(), &format!("{begin}demo: {text}"));
    }
}

fn write(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(|error| {
        let why = console::describe(&error);
        io::Error::other(format!("cannot write to standard output: {why}"))
    })
}

/// The text in lines that are not too long, each after `indent`.
fn wrapped(text: &str, indent: &str) -> String {
    let mut lines = String::new();
    let mut line = String::from(indent);
    for word in text.split(' ') {
        let is_begun = line.len() > indent.len();
        if is_begun && line.chars().count() + 1 + word.chars().count() > WIDTH {
            lines.push_str(&line);
            lines.push('\n');
            line = indent.to_owned();
        } else if is_begun {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines + &line + "\n"
}
