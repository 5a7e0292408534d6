//! Which issuers and endpoints there are to be asked for some accounts; has them asked, each once
//! however many accounts there are, and has the answers judged.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::discovery::{self, Discovered, Issued};
use super::finding::Finding;
use super::network::{self, Asked, Place, Places};
use super::{ask, skew};
use crate::config::Account;
use crate::oauth::endpoints::Endpoints;
use crate::oauth::metadata::Metadata;
use crate::transport::Transport;

/// Whom to ask for metadata, and whom to trust doing so.
pub(super) type Key = (String, bool, Option<PathBuf>);

pub(super) fn key(account: &Account) -> Option<Key> {
    Issued::of(account).map(|issued| key_of(&issued))
}

/// What the issuers publish.
pub(super) type Known = HashMap<Key, Metadata>;

fn key_of(issued: &Issued) -> Key {
    let identifier = issued.issuer.identifier.clone();
    (
        identifier,
        issued.dialect.issuer_template,
        issued.ca_file.clone(),
    )
}

/// Asks the issuers for their metadata, and all endpoints whether they are there, each once. The
/// metadata are needed further.
pub(super) fn ask(accounts: &[Arc<Account>], findings: &mut Vec<Finding>) -> Known {
    let ca_files = accounts.iter().filter_map(|it| it.ca_file.clone());
    let transport = Arc::new(Transport::new(ca_files));
    let deadline = ask::deadline();
    let (issuers, users) = issuers(accounts);
    let shared = Arc::clone(&transport);
    let answers = ask::all(&issuers, deadline, move |issued| {
        ask::issuer(&shared, issued)
    });
    let mut asked = Vec::new();
    let mut known = HashMap::new();
    for ((issued, accounts), answer) in issuers.iter().zip(users).zip(answers) {
        let Some((found, location, answer)) = answer else {
            asked.push(unanswered(issued, accounts));
            continue;
        };
        findings.extend(discovery::issuer(issued, &found, &accounts));
        if let Discovered::Metadata(metadata) = found {
            known.insert(key_of(issued), *metadata);
        }
        asked.push(Asked {
            place: Place::new(&location, issued.ca_file.clone()),
            accounts,
            answer: Some(answer),
        });
    }
    let (places, users): (Vec<_>, Vec<_>) = places(accounts, &known).into_iter().unzip();
    let places = Arc::new(places);
    let answers = ask::all(&places, deadline, move |place| {
        ask::endpoint(&transport, place)
    });
    let places = places.iter().cloned().zip(users).zip(answers);
    asked.extend(places.map(|((place, accounts), answer)| Asked {
        place,
        accounts,
        answer,
    }));
    findings.extend(network::judge(&asked));
    findings.extend(skew::judge(&network::clocks(&asked)));
    known
}

fn unanswered(issued: &Issued, accounts: Vec<String>) -> Asked {
    Asked {
        place: Place::new(&issued.issuer.uri, issued.ca_file.clone()),
        accounts,
        answer: None,
    }
}

/// The issuers that are to be asked, each once, and for each the accounts that go by it.
fn issuers(accounts: &[Arc<Account>]) -> (Arc<Vec<Issued>>, Vec<Vec<String>>) {
    let mut at = HashMap::new();
    let (mut issuers, mut users): (Vec<Issued>, Vec<Vec<String>>) = (Vec::new(), Vec::new());
    for account in accounts {
        let Some(issued) = Issued::of(account) else {
            continue;
        };
        let next = issuers.len();
        let index = *at.entry(key_of(&issued)).or_insert(next);
        if index == next {
            issuers.push(issued);
            users.push(Vec::new());
        }
        if let Some(names) = users.get_mut(index) {
            names.push(account.name.to_string());
        }
    }
    (Arc::new(issuers), users)
}

/// The endpoints that the accounts use, as far as they are known.
fn places(accounts: &[Arc<Account>], known: &Known) -> Vec<(Place, Vec<String>)> {
    let mut places = Places::default();
    for account in accounts {
        let metadata = key(account).and_then(|key| known.get(&key));
        let found = metadata.and_then(|it| Endpoints::discovered(account, it).ok());
        let authority = &account.authority;
        // What is written down is asked even where the rest is not known.
        let written = [
            &authority.auth_uri,
            &authority.token_uri,
            &account.device_uri,
            &account.revoke_uri,
        ];
        let written = written.into_iter().filter_map(Clone::clone);
        let urls: Vec<_> = match found {
            Some(it) => [
                it.auth_uri,
                Some(it.token_uri),
                it.device_uri,
                it.revoke_uri,
            ]
            .into_iter()
            .flatten()
            .collect(),
            None => written.collect(),
        };
        for url in &urls {
            places.add(
                Place::new(url, account.ca_file.clone()),
                account.name.as_str(),
            );
        }
    }
    places.into_list()
}
