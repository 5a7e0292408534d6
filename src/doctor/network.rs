//! The providers' endpoints: which of them there are to be asked, and what it means whether they
//! answer.
//!
//! Judges answers; sends nothing. Accounts at the same provider share a question.

use std::collections::HashMap;
use std::path::PathBuf;

use url::{Position, Url};

use super::explain::explain;
use super::finding::{Area, Finding, names};
use super::who::Who;
use crate::shell_word::shell_word;

/// Where to ask, and whose certificates to trust doing so.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) url: Url,
    pub(super) ca_file: Option<PathBuf>,
}

impl Place {
    /// The place of an endpoint: what is in its query is nobody's business here.
    pub(super) fn new(endpoint: &Url, ca_file: Option<PathBuf>) -> Self {
        let mut url = endpoint.clone();
        url.set_query(None);
        Self { url, ca_file }
    }

    /// Host and port: what is up or down as one.
    fn host(&self) -> &str {
        &self.url[Position::BeforeHost..Position::AfterPort]
    }
}

/// What came of asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// There was one, with this status. What it says does not matter: nothing was asked for.
    Came {
        status: u16,
        /// How many seconds its Date is ahead of this machine's clock.
        ahead: Option<i64>,
    },
    /// There was none, for this reason.
    Failed(String),
}

/// A place, who needs it, and what came of asking there; `None` where there was no time left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) place: Place,
    pub(super) accounts: Vec<String>,
    pub(super) answer: Option<Answer>,
}

/// Places with the accounts that need them, each once, in the order in which they were added.
#[derive(Debug, Default)]
pub(super) struct Places {
    at: HashMap<Place, usize>,
    list: Vec<(Place, Vec<String>)>,
}

impl Places {
    pub(super) fn add(&mut self, place: Place, account: &str) {
        let next = self.list.len();
        let at = *self.at.entry(place.clone()).or_insert(next);
        if at == next {
            self.list.push((place, Vec::new()));
        }
        if let Some((_, accounts)) = self.list.get_mut(at)
            && accounts.last().is_none_or(|last| last != account)
        {
            accounts.push(account.to_owned());
        }
    }

    pub(super) fn into_list(self) -> Vec<(Place, Vec<String>)> {
        self.list
    }
}

/// All that was asked at one host.
#[derive(Debug, Default)]
struct Host<'a> {
    accounts: Vec<String>,
    asked: Vec<&'a Asked>,
}

/// The hosts, in the order in which they were asked. Who trusts other certificates asks another one.
fn hosts(asked: &[Asked]) -> Vec<(&str, Host<'_>)> {
    let mut at = HashMap::new();
    let mut hosts: Vec<(&str, Host<'_>)> = Vec::new();
    for one in asked {
        let host = one.place.host();
        let next = hosts.len();
        let index = *at.entry((host, &one.place.ca_file)).or_insert(next);
        if index == next {
            hosts.push((host, Host::default()));
        }
        let Some((_, found)) = hosts.get_mut(index) else {
            continue;
        };
        if one.accounts.len() > found.accounts.len() {
            found.accounts.clone_from(&one.accounts);
        }
        found.asked.push(one);
    }
    hosts
}

/// Judges the answers, by host.
pub(super) fn judge(asked: &[Asked]) -> Vec<Finding> {
    let hosts = hosts(asked);
    hosts
        .iter()
        .flat_map(|(name, host)| judge_host(name, host))
        .collect()
}

fn judge_host(name: &str, host: &Host<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut reasons: Vec<&str> = Vec::new();
    let (mut late, mut broken, mut is_secure) = (false, None, true);
    for asked in &host.asked {
        is_secure &= asked.place.url.scheme() == "https";
        match &asked.answer {
            None => late = true,
            Some(Answer::Failed(reason)) if reasons.contains(&reason.as_str()) => {}
            Some(Answer::Failed(reason)) => reasons.push(reason),
            Some(Answer::Came { status, .. }) if *status >= 500 => broken = Some(status),
            Some(Answer::Came { .. }) => {}
        }
    }
    findings.extend(reasons.iter().map(|reason| failed(reason, host)));
    if late && reasons.is_empty() {
        let text = format!("no answer of {name} has come in time");
        findings.push(
            Finding::note(Area::Network, text)
                .advise("try again; with an account's name, that one alone is looked at"),
        );
    }
    if let Some(status) = broken {
        let text = format!("{name} answers with HTTP {status}, which is an error on its side");
        findings.push(Finding::note(Area::Network, text).advise("wait, and try again"));
    }
    if findings.is_empty() {
        let how = if is_secure {
            ", and its certificate is accepted"
        } else {
            ""
        };
        findings.push(Finding::good(Area::Network, format!("{name} answers{how}")));
    }
    findings
}

fn failed(reason: &str, host: &Host<'_>) -> Finding {
    let whose = names(&host.accounts);
    let finding = Finding::problem(Area::Network, format!("{reason} (needed by {whose})"));
    let account = host.accounts.first().map_or("ACCOUNT", String::as_str);
    match explain(reason, Who::Other) {
        Some(it) => finding.advise(it.advice.replace("ACCOUNT", &shell_word(account))),
        None => finding,
    }
}

/// How far each host's clock is ahead of this machine's. A cache may repeat an old Date, so that
/// the one that differs least counts.
pub(super) fn clocks(asked: &[Asked]) -> Vec<(String, i64)> {
    let ahead = |asked: &&Asked| match asked.answer {
        Some(Answer::Came { ahead, .. }) => ahead,
        _ => None,
    };
    let of_host = |(name, host): &(&str, Host<'_>)| {
        let clocks = host.asked.iter().filter_map(ahead);
        let nearest = clocks.min_by_key(|seconds| seconds.unsigned_abs())?;
        Some(((*name).to_owned(), nearest))
    };
    hosts(asked).iter().filter_map(of_host).collect()
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict::{Good, Note, Problem};
    use super::super::testing::assert_one;
    use super::*;

    fn asked(url: &str, accounts: &[&str], answer: Option<Answer>) -> Asked {
        Asked {
            place: Place::new(&Url::parse(url).unwrap(), None),
            accounts: accounts.iter().map(|it| (*it).to_owned()).collect(),
            answer,
        }
    }

    fn came(status: u16, ahead: Option<i64>) -> Option<Answer> {
        Some(Answer::Came { status, ahead })
    }

    #[test]
    fn a_host_is_asked_about_once() {
        let mut places = Places::default();
        let url = |text: &str| Place::new(&Url::parse(text).unwrap(), None);
        for n in 0..1000 {
            places.add(url("https://a.example/auth?x=1"), &format!("a{n}"));
            places.add(url("https://a.example/auth"), &format!("a{n}"));
            places.add(url("https://a.example/token"), &format!("a{n}"));
        }
        let list = places.into_list();
        assert_eq!(list.len(), 2);
        assert_eq!(list[0].1.len(), 1000);
        let asked: Vec<Asked> = list
            .into_iter()
            .map(|(place, accounts)| Asked {
                place,
                accounts,
                answer: came(400, None),
            })
            .collect();
        assert_one(&judge(&asked), Good, "a.example answers, and its cert");
    }

    #[test]
    fn any_answer_is_one() {
        for status in [200, 302, 400, 404, 405] {
            let found = judge(&[asked("http://localhost:9/", &["a"], came(status, None))]);
            assert_one(&found, Good, "localhost:9 answers");
        }
        let found = judge(&[asked("https://b.example/", &["a"], came(503, None))]);
        assert_one(&found, Note, "HTTP 503");
        assert_one(
            &judge(&[asked("https://b.example/", &["a"], None)]),
            Note,
            "in time",
        );
    }

    #[test]
    fn a_host_that_fails_is_told_of_once() {
        let reason = "b.example cannot be found: is the network up?";
        let failed = || Some(Answer::Failed(reason.into()));
        let found = judge(&[
            asked("https://b.example/x", &["a", "b"], failed()),
            asked("https://b.example/y", &["a"], failed()),
        ]);
        assert_one(&found, Problem, "(needed by 'a' and 'b')");
        assert_one(&found, Problem, "spelling");
    }

    #[test]
    fn the_nearest_date_counts() {
        let found = clocks(&[
            asked("https://b.example/x", &["a"], came(200, Some(-500))),
            asked("https://b.example/y", &["a"], came(200, Some(2))),
            asked("https://c.example/", &["a"], came(200, None)),
        ]);
        assert_eq!(found, [("b.example".to_owned(), 2)]);
    }
}
