//! Asks the providers: harmless requests, a few at a time, within a time limit. Judges nothing, and
//! sends nothing that is secret.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use url::Url;

use super::discovery::{Discovered, Issued};
use super::network::{Answer, Place};
use crate::clock::{self, Moment, Timestamp};
use crate::oauth::metadata;
use crate::oauth::retry_after;
use crate::transport::{Response, Transport};

/// How many providers are asked at the same time: more than most people have.
const THREADS: usize = 8;
/// How long all of it may take: longer than the one request may that nobody answers.
const PATIENCE: Duration = Duration::from_secs(45);

/// When to stop asking.
pub(super) fn deadline() -> Moment {
    clock::moment() + PATIENCE
}

/// Asks all of these, and brings the answers that came in time. A thread that still waits for one
/// then is left behind: the process is about to end.
pub(super) fn all<Q, A>(
    questions: &Arc<Vec<Q>>,
    deadline: Moment,
    ask: impl Fn(&Q) -> A + Send + Sync + 'static,
) -> Vec<Option<A>>
where
    Q: Send + Sync + 'static,
    A: Send + 'static,
{
    let mut answers: Vec<Option<A>> = questions.iter().map(|_| None).collect();
    let (sender, receiver) = mpsc::channel();
    let (ask, next) = (Arc::new(ask), Arc::new(AtomicUsize::new(0)));
    for number in 0..questions.len().min(THREADS) {
        let (questions, ask, next) = (Arc::clone(questions), Arc::clone(&ask), Arc::clone(&next));
        let sender = sender.clone();
        let work = move || {
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(question) = questions.get(at) else {
                    return;
                };
                if sender.send((at, ask(question))).is_err() {
                    return;
                }
            }
        };
        // Where there can be no thread, its share is left to the others.
        let _ = thread::Builder::new()
            .name(format!("doctor-{number}"))
            .spawn(work);
    }
    drop(sender);
    loop {
        let left = deadline.since(clock::moment());
        let Ok((at, answer)) = receiver.recv_timeout(left) else {
            return answers;
        };
        if let Some(slot) = answers.get_mut(at) {
            *slot = Some(answer);
        }
    }
}

/// Asks a place for whatever is there: no endpoint gives anything away for it.
pub(super) fn endpoint(transport: &Transport, place: &Place) -> Answer {
    answer(transport, &place.url, place.ca_file.as_deref()).0
}

fn answer(transport: &Transport, url: &Url, ca_file: Option<&Path>) -> (Answer, Option<Response>) {
    let before = clock::now().wall;
    match transport.get(url, ca_file) {
        Ok(response) => {
            let came = Answer::Came {
                status: response.answer().status,
                ahead: ahead(response.date(), before, clock::now().wall),
            };
            (came, Some(response))
        }
        Err(reason) => (Answer::Failed(reason), None),
    }
}

/// How many seconds a Date is ahead of the time at which it was written here, which is known to lie
/// between two readings of the clock. A Date has no fractions of a second.
fn ahead(date: Option<&str>, before: Timestamp, after: Timestamp) -> Option<i64> {
    let date = retry_after::date(date?, after)?.as_second();
    let (before, after) = (before.as_second(), after.as_second());
    Some(match date {
        date if date < before => date.saturating_sub(before),
        date if date > after => date.saturating_sub(after),
        _ => 0,
    })
}

/// Asks at each place where an issuer's metadata may be; also what came of the last request.
pub(super) fn issuer(transport: &Transport, issued: &Issued) -> (Discovered, Url, Answer) {
    let Issued {
        issuer,
        dialect,
        ca_file,
    } = issued;
    let mut last = None;
    let found = metadata::search(issuer, |location| {
        let (came, response) = answer(transport, location, ca_file.as_deref());
        last = Some((location.clone(), came));
        let response = response.ok_or(())?;
        Ok(metadata::parse(issuer, *dialect, response.answer()))
    });
    let discovered = match found {
        Ok(Ok(metadata)) => Discovered::Metadata(Box::new(metadata)),
        Ok(Err(fault)) => Discovered::Fault(fault),
        Err(()) => Discovered::NoAnswer,
    };
    // There is always a place to ask at.
    let nothing = Answer::Came {
        status: 0,
        ahead: None,
    };
    let (location, came) = last.unwrap_or((issuer.uri.clone(), nothing));
    (discovered, location, came)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_question_is_asked_once() {
        let questions = Arc::new((0..100).collect::<Vec<u32>>());
        let answers = all(&questions, deadline(), |question| question * 2);
        let expected: Vec<_> = (0..100).map(|question| Some(question * 2)).collect();
        assert_eq!(answers, expected);
        let none: Vec<Option<u32>> = all(&Arc::new(Vec::new()), deadline(), |it: &u32| *it);
        assert!(none.is_empty());
    }

    #[test]
    fn nobody_is_waited_for_after_the_deadline() {
        let (release, gate) = mpsc::channel::<()>();
        let gate = std::sync::Mutex::new(gate);
        let soon = clock::moment() + Duration::from_millis(50);
        let answers = all(&Arc::new(vec![1, 2]), soon, move |question| {
            if *question == 1 {
                let _ = gate.lock().unwrap().recv();
            }
            *question
        });
        assert_eq!(answers.first(), Some(&None));
        drop(release);
    }

    #[test]
    fn how_far_a_date_is_ahead() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        let of = |before, after| ahead(Some(date), at(before), at(after));
        let exact = 784_111_777;
        assert_eq!(of(exact, exact), Some(0));
        assert_eq!(of(exact - 3, exact + 3), Some(0));
        assert_eq!(of(exact + 90, exact + 95), Some(-90));
        assert_eq!(of(exact - 95, exact - 90), Some(90));
        assert_eq!(ahead(Some("soon"), at(0), at(1)), None);
        assert_eq!(ahead(None, at(0), at(1)), None);
    }
}
