//! Findings as a report for people, and as JSON for programs.
//!
//! Judges nothing; knows no colours, so that a report reads the same in a terminal and in a mail.

use std::fmt::Write as _;

use serde_json::json;

use super::finding::{Finding, Verdict};

/// The findings in groups, what is wrong first in each, and what it comes to.
pub(super) fn text(findings: &[Finding]) -> String {
    let mut text = String::new();
    let mut heading = String::new();
    for finding in in_order(findings) {
        let next = heading_of(finding);
        if next != heading {
            let gap = if text.is_empty() { "" } else { "\n" };
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{gap}{next}");
            heading = next;
        }
        write_finding(&mut text, finding);
    }
    let _ = writeln!(text, "\n{}", summary(findings));
    text
}

/// Things that concern all come first, by area; then each account, in the configuration's order.
fn in_order(findings: &[Finding]) -> Vec<&Finding> {
    let mut accounts: Vec<&str> = Vec::new();
    let mut known = std::collections::HashMap::new();
    for name in findings.iter().filter_map(|it| it.account.as_deref()) {
        known.entry(name).or_insert_with(|| {
            accounts.push(name);
            accounts.len()
        });
    }
    let group = |it: &Finding| it.account.as_deref().map(|name| known.get(name).copied());
    let mut sorted: Vec<&Finding> = findings.iter().collect();
    sorted.sort_by_key(|it| match group(it) {
        None => (None, Some(it.area), it.verdict),
        Some(place) => (Some(place), None, it.verdict),
    });
    sorted
}

fn heading_of(finding: &Finding) -> String {
    match &finding.account {
        Some(account) => format!("account '{account}'"),
        None => finding.area.heading().to_owned(),
    }
}

fn write_finding(text: &mut String, finding: &Finding) {
    let mark = match finding.verdict {
        Verdict::Problem => "PROBLEM",
        Verdict::Note => "note",
        Verdict::Good => "ok",
    };
    let _ = writeln!(text, "  {mark:8} {}", finding.text);
    if let Some(advice) = &finding.advice {
        let _ = writeln!(text, "           -> {advice}");
    }
}

fn summary(findings: &[Finding]) -> String {
    let notes = count(findings, Verdict::Note);
    match (problems(findings), notes) {
        (0, 0) => "nothing is wrong".to_owned(),
        (0, notes) => format!("nothing is wrong; {}", counted(notes, "note")),
        (problems, 0) => counted(problems, "problem"),
        (problems, notes) => {
            format!(
                "{} and {}",
                counted(problems, "problem"),
                counted(notes, "note")
            )
        }
    }
}

fn counted(count: usize, word: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {word}{ending}")
}

fn count(findings: &[Finding], verdict: Verdict) -> usize {
    findings.iter().filter(|it| it.verdict == verdict).count()
}

/// How many things are wrong.
pub(super) fn problems(findings: &[Finding]) -> usize {
    count(findings, Verdict::Problem)
}

/// The findings and the number of problems, for programs.
pub(super) fn json(findings: &[Finding]) -> String {
    let report = json!({ "findings": findings, "problems": problems(findings) });
    // What was put together from texts can be written.
    let mut text = serde_json::to_string_pretty(&report).unwrap_or_default();
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::super::finding::Area;
    use super::*;

    fn findings() -> Vec<Finding> {
        vec![
            Finding::good(Area::Configuration, "the file is good"),
            Finding::good(Area::Login, "logged in").of("b"),
            Finding::good(Area::Scopes, "all granted").of("a"),
            Finding::problem(Area::Login, "no token")
                .of("a")
                .advise("log in"),
            Finding::note(Area::Server, "it is old").advise("restart it"),
            Finding::problem(Area::Configuration, "others can read it"),
        ]
    }

    #[test]
    fn the_report_has_what_is_wrong_first() {
        let expected = "\
configuration
  PROBLEM  others can read it
  ok       the file is good

server
  note     it is old
           -> restart it

account 'b'
  ok       logged in

account 'a'
  PROBLEM  no token
           -> log in
  ok       all granted

2 problems and 1 note
";
        assert_eq!(text(&findings()), expected);
    }

    #[test]
    fn the_last_line_sums_up() {
        let of = |findings: &[Finding]| text(findings).lines().last().unwrap().to_owned();
        let good = Finding::good(Area::Clock, "x");
        let note = Finding::note(Area::Clock, "y");
        let problem = Finding::problem(Area::Clock, "z");
        assert_eq!(of(std::slice::from_ref(&good)), "nothing is wrong");
        assert_eq!(of(&[good, note.clone(), note]), "nothing is wrong; 2 notes");
        assert_eq!(of(&[problem]), "1 problem");
    }

    #[test]
    fn json_is_stable() {
        let report: serde_json::Value = serde_json::from_str(&json(&findings())).unwrap();
        assert_eq!(report["problems"], 2);
        assert_eq!(
            report["findings"][3],
            json!({"area": "login", "account": "a", "verdict": "problem", "text": "no token",
                   "advice": "log in"})
        );
        assert_eq!(
            report["findings"][0],
            json!({"area": "configuration", "verdict": "good", "text": "the file is good"})
        );
    }
}
