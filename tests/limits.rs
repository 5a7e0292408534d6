//! How many may be there at once, to the number that pizauth(1) promises. (What a request may have,
//! and how long it may take: the tests of those who are hostile.)

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "helpers of tests: a panic is how they report, and they have clocks of their own"
)]

mod support;

use std::io::{ErrorKind, Read};

use support::attack::*;
use support::*;

/// Clients of the control socket whose request is not whole.
const CLIENTS: usize = 256;
/// Browsers whose request is not whole.
const BROWSERS: usize = 64;

/// Whether the server has neither said anything to this one nor hung up.
fn is_kept(mut stream: impl Read) -> bool {
    stream
        .read(&mut [0; 1])
        .is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
}

/// A server that may have more descriptors than anybody there takes up: with few, there is room for
/// fewer strangers.
fn with_descriptors(config: &str) -> Pizauth {
    let mut user = Pizauth::with_config(config);
    let dir = user.dir().to_owned();
    user.start_foreground_with(|command| limited(&dir, command, "-n 4096"));
    user
}

#[test]
fn there_is_room_for_256_clients_and_the_next_takes_the_place_of_the_first() {
    let provider = Provider::start();
    let user = with_descriptors(&provider.account("a", ""));
    wait_for_accepted(&user, 0);
    let mut crowd: Vec<_> = (0..CLIENTS).map(|_| control(&user)).collect();
    for stream in &crowd {
        stream.set_nonblocking(true).unwrap();
    }
    // Not by asking: who asks takes a place, too, until the request is there.
    wait_for_accepted(&user, CLIENTS);
    assert!(crowd.iter().all(is_kept), "there is room for all of them");
    crowd.push(control(&user));
    crowd[0].set_nonblocking(false).unwrap();
    let heard = hear(&crowd[0]);
    assert!(heard.contains("too many clients"), "{heard}");
    assert!(crowd[1..CLIENTS].iter().all(is_kept), "nobody else goes");
}

#[test]
fn there_is_room_for_64_browsers_and_the_next_takes_the_place_of_the_first() {
    let provider = Provider::start();
    let secure = provider.account("b", "redirect_uri = \"https://localhost/\";");
    let user = with_descriptors(&(provider.account("a", "") + &secure));
    // At all doors together: in turn over http and https.
    let doors = [user.listeners(), user.secure_listeners()].concat();
    let before = descriptors_at_rest(&user);
    let mut crowd: Vec<_> = (0..BROWSERS)
        .map(|number| browser(&doors[number % doors.len()]))
        .collect();
    for stream in &crowd {
        stream.set_nonblocking(true).unwrap();
    }
    wait_until("all of them have come in", || {
        descriptors(&user) >= before.map(|count| count + BROWSERS)
    });
    assert!(crowd.iter().all(is_kept), "there is room for all of them");
    crowd.push(browser(&doors[0]));
    crowd[BROWSERS].set_nonblocking(true).unwrap();
    // Which of the doors was looked at first is the system's affair, but one goes, and only one.
    wait_until("somebody has to go", || !crowd.iter().all(is_kept));
    let kept = crowd[..BROWSERS].iter().filter(|it| is_kept(*it)).count();
    assert_eq!(kept, BROWSERS - 1);
    assert!(is_kept(&crowd[BROWSERS]));
}
