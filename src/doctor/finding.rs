//! What the doctor has found, one thing at a time: where, whose, how bad, and what to do.
//!
//! Knows nothing of how it was found out, nor of how it is printed.

use serde::Serialize;

use crate::console::one_line;

/// What a finding is about. The order is that of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Area {
    Configuration,
    RuntimeDir,
    Server,
    Listeners,
    Network,
    Clock,
    Discovery,
    RedirectUri,
    Scopes,
    Login,
}

impl Area {
    /// What it is called above its findings.
    pub(super) const fn heading(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::RuntimeDir => "runtime directory",
            Self::Server => "server",
            Self::Listeners => "listeners for the browser",
            Self::Network => "providers",
            Self::Clock => "clock",
            Self::Discovery => "discovery",
            Self::RedirectUri => "redirect URI",
            Self::Scopes => "scopes",
            Self::Login => "login",
        }
    }
}

/// How bad it is. The order is that of the report: the worst comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    /// Something does not work, or is dangerous.
    Problem,
    /// It works, or may work; somebody should know.
    Note,
    /// As it should be.
    Good,
}

/// One thing that was found. Its texts are safe to print.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) area: Area,
    /// Whose it is, where it concerns one account alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) account: Option<String>,
    pub(super) verdict: Verdict,
    /// What is, in a sentence.
    pub(super) text: String,
    /// What to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) advice: Option<String>,
}

impl Finding {
    pub(super) fn good(area: Area, text: impl AsRef<str>) -> Self {
        Self::new(area, Verdict::Good, text.as_ref())
    }

    pub(super) fn note(area: Area, text: impl AsRef<str>) -> Self {
        Self::new(area, Verdict::Note, text.as_ref())
    }

    pub(super) fn problem(area: Area, text: impl AsRef<str>) -> Self {
        Self::new(area, Verdict::Problem, text.as_ref())
    }

    fn new(area: Area, verdict: Verdict, text: &str) -> Self {
        Self {
            area,
            account: None,
            verdict,
            text: one_line(text).into_owned(),
            advice: None,
        }
    }

    /// The same, as a finding about this account.
    pub(super) fn of(mut self, account: &str) -> Self {
        self.account = Some(one_line(account).into_owned());
        self
    }

    /// The same, with what to do next.
    pub(super) fn advise(mut self, advice: impl AsRef<str>) -> Self {
        self.advice = Some(one_line(advice.as_ref()).into_owned());
        self
    }
}

/// The accounts that something is about: the first few by name, and how many more there are.
pub(super) fn names(accounts: &[String]) -> String {
    /// More would bury what is said of them.
    const SHOWN: usize = 3;
    let shown: Vec<String> = accounts
        .iter()
        .take(SHOWN)
        .map(|it| format!("'{it}'"))
        .collect();
    match accounts.len() {
        0 => String::new(),
        count if count > SHOWN => format!("{} and {} more", shown.join(", "), count - SHOWN),
        _ => match shown.split_last() {
            Some((last, [])) => last.clone(),
            Some((last, others)) => format!("{} and {last}", others.join(", ")),
            None => String::new(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_is_in_a_finding() {
        let finding = Finding::problem(Area::Login, "a\x1b[31m\nb")
            .of("x\ty")
            .advise("\u{202e}z");
        assert_eq!(finding.text, "a\\u{1b}[31m\\nb");
        assert_eq!(finding.account.unwrap(), "x\\ty");
        assert_eq!(finding.advice.unwrap(), "\\u{202e}z");
    }

    #[test]
    fn many_names_are_counted() {
        let of = |count: usize| {
            let accounts: Vec<String> = (1..=count).map(|n| format!("a{n}")).collect();
            names(&accounts)
        };
        assert_eq!(of(0), "");
        assert_eq!(of(1), "'a1'");
        assert_eq!(of(3), "'a1', 'a2' and 'a3'");
        assert_eq!(of(1000), "'a1', 'a2', 'a3' and 997 more");
    }
}
