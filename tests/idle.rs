//! A server that has nothing to do does nothing: the kernel has counted how often it ran.

mod support;

use std::time::Duration;

use support::attack::{processor_time, switches};
use support::*;

/// `PIZAUTH_IDLE_SECONDS=180` watches for three minutes.
#[test]
fn an_idle_server_never_wakes_up() {
    let seconds = std::env::var("PIZAUTH_IDLE_SECONDS").map_or(5, |text| text.parse().unwrap());
    let provider = Provider::start();
    let mut config = String::from("persist_cmd = \"cat >/dev/null\"; token_event_cmd = \"true\";");
    for name in ["a", "b", "pending", "failed"] {
        config += &provider.account(name, "refresh_retry = 1h;");
    }
    let user = Pizauth::start(&config);
    for name in ["a", "b", "failed"] {
        log_in(&provider, &user.url(name));
    }
    provider.script(Answer::of(503, "text/html", "<html>"));
    user.run(&["refresh", "failed"]).expect(4);
    user.url("pending");
    for _ in 0..10 {
        user.token("a");
    }
    // Commands end, workers go, the tokens are kept.
    let pause = |time| provider.gate().pass_within(time);
    wait_until("things have calmed down", || {
        let count = switches(&user);
        pause(Duration::from_secs(3));
        switches(&user) == count
    });
    let (count, used) = (switches(&user), processor_time(&user));
    pause(Duration::from_secs(seconds));
    let after = switches(&user);
    let woken = after.values().sum::<u64>() - count.values().sum::<u64>();
    println!("{woken} context switches in {seconds} s");
    assert_eq!(after, count);
    assert_eq!(processor_time(&user), used);
    user.token("b");
}
