//! Random bytes at every door at once, and what each kind of hostile client costs the others: that
//! is measured and printed (`cargo test --test hostile_noise -- --nocapture`), and held to what
//! nobody notices, with room for a machine that is busy.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "helpers of tests: a panic is how they report, and they have clocks of their own"
)]

mod support;

use std::io::{Read, Write};
use std::net::Shutdown;
use std::time::{Duration, Instant};

use support::attack::*;
use support::*;

/// Half of all must be answered within this: a thousand times what it takes, and still nothing that
/// a person notices.
const UNNOTICED: Duration = Duration::from_millis(100);

/// What nobody would bear even once: it takes a tenth of a second in a debug build, but others may
/// have the processors.
const UNBEARABLE: Duration = Duration::from_secs(3);

/// An account that comes back over http and one that does over https.
fn started() -> (Provider, Pizauth) {
    let provider = Provider::start();
    let secure = provider.account("b", "redirect_uri = \"https://localhost/\";");
    let user = Pizauth::start(&(provider.account("a", "") + &secure));
    log_in(&provider, &user.url("a"));
    (provider, user)
}

/// Sends random bytes, in pieces, and leaves in one of three ways.
fn babble(mut stream: impl Read + Write, random: &mut Random, end: impl FnOnce()) {
    for _ in 0..=random.below(3) {
        let length = random.below(700);
        let bytes = random.bytes(length);
        if stream.write_all(&bytes).is_err() {
            return;
        }
    }
    if random.below(3) == 0 {
        return;
    }
    end();
    hear(&mut stream);
}

#[test]
fn random_bytes_at_every_door_change_nothing() {
    let (provider, user) = started();
    let doors = [user.listeners(), user.secure_listeners()].concat();
    let mut random = Random(0x0153_0153);
    let before = descriptors_at_rest(&user);
    for round in 0..1_500 {
        match round % (doors.len() + 1) {
            0 => {
                let stream = control(&user);
                let other = stream.try_clone().unwrap();
                babble(stream, &mut random, || {
                    drop(other.shutdown(Shutdown::Write))
                });
            }
            door => {
                let stream = browser(&doors[door - 1]);
                let other = stream.try_clone().unwrap();
                babble(stream, &mut random, || {
                    drop(other.shutdown(Shutdown::Write))
                });
            }
        }
    }
    assert_eq!(user.token("a"), provider.last_token());
    assert!(vital(&user, "VmRSS") < 100 * 1024);
    assert!(vital(&user, "Threads") < 30);
    wait_until("it has hung up on all of them", || {
        descriptors(&user) <= before
    });
}

/// Whoever attacks, as long as it is not dropped.
type Attack = Box<dyn std::any::Any>;

#[test]
fn what_hostile_clients_cost_the_others() {
    let (_provider, user) = started();
    let http = user.listeners().swap_remove(0);
    let https = user.secure_listeners().swap_remove(0);
    let attacks: [(&str, &dyn Fn() -> Attack); 7] = [
        ("nobody", &|| Box::new(())),
        ("300 silent clients", &|| crowd(300, || control(&user), b"")),
        ("300 half requests", &|| {
            crowd(300, || control(&user), &[b'x'; 60_000])
        }),
        ("6 dumps that do not end", &|| {
            let mut dump = b"restore\t16777216\n".to_vec();
            dump.resize(16 << 20, b' ');
            crowd(6, || control(&user), &dump)
        }),
        ("500 silent browsers", &|| {
            crowd(500, || browser(&http), b"")
        }),
        ("500 half heads", &|| {
            crowd(500, || browser(&http), b"GET / HTTP/1.1\r\nHost: local")
        }),
        ("500 half handshakes", &|| {
            crowd(500, || browser(&https), b"\x16\x03\x01\x02")
        }),
    ];
    println!("`show` beside them, 100 times: the median, the longest; the server's own time");
    for (name, attack) in attacks {
        let used = processor_time(&user);
        let attackers = attack();
        let mut times: Vec<Duration> = (0..100).map(|_| time_of_show(&user)).collect();
        times.sort();
        let (median, longest) = (times[50], times[99]);
        drop(attackers);
        let used = processor_time(&user) - used;
        println!("  {name:<26} {median:>10.1?} {longest:>10.1?} {used:>10.1?}");
        assert!(
            median < UNNOTICED && longest < UNBEARABLE,
            "{name}: {median:?}, {longest:?}"
        );
    }
}

fn time_of_show(user: &Pizauth) -> Duration {
    let start = Instant::now();
    let reply = ask(user, "show\ta\n");
    assert!(reply.starts_with("token "), "{reply}");
    start.elapsed()
}

fn crowd<S: Write + 'static>(count: usize, connect: impl Fn() -> S, bytes: &[u8]) -> Attack {
    let join = |_| {
        let mut stream = connect();
        // Whoever is turned out has been told why.
        let _ = stream.write_all(bytes);
        stream
    };
    Box::new((0..count).map(join).collect::<Vec<S>>())
}
