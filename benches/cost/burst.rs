//! Many refreshes at once.

use std::fs::File;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use crate::client;
use crate::lab::{Lab, Running, pizauth};
use crate::process;
use crate::provider::Provider;
use crate::rows::{kib, ms};
use crate::{or_not, row};

/// How many refreshes there are at once in a burst, at an endpoint that takes 200 ms.
const BURST: usize = 1_000;

/// What is seen of a server while it refreshes.
#[derive(Default)]
struct Burst {
    threads: Option<u64>,
    memory: Option<u64>,
    slowest: Duration,
    /// The floor's slowest answer at the same time.
    floor: Duration,
}

impl Burst {
    /// Watches `server` until so many requests have been answered by the provider.
    fn watch(server: &Running, floor: &Running, provider: &Provider, answered: usize) -> Self {
        let mut seen = Self::default();
        while provider.answered() < answered {
            seen.threads = seen.threads.max(process::status(server.pid, "Threads"));
            seen.memory = seen.memory.max(process::status(server.pid, "VmRSS"));
            seen.slowest = seen.slowest.max(client::time(&server.socket, "show\ta0\n"));
            seen.floor = seen.floor.max(client::time(&floor.socket, "show\ta0\n"));
            thread::sleep(Duration::from_millis(3));
        }
        seen
    }
}

/// A thousand refreshes at once: of tokens that are due together, as they are when a laptop is
/// opened in the morning; and because a thousand clients ask for them.
pub(crate) fn burst() {
    let (lab, floor_lab, provider) = (Lab::new(), Lab::new(), Provider::new());
    let floor = floor_lab.start_floor(&floor_lab.compile("floor_server").expect("a C compiler"));
    let server = with_due_tokens(&lab, &provider);
    provider.delay(200);
    let answered = provider.answered() + BURST;
    let begun = Instant::now();
    let dump = File::open(lab.path("dump")).unwrap();
    let mut restore = lab.command(pizauth(), &["restore"]);
    let mut restore = restore.stdin(dump).spawn().unwrap();
    let seen = Burst::watch(&server, &floor, &provider, answered);
    let all = begun.elapsed();
    assert!(restore.wait().unwrap().success(), "the dump is restored");
    row(
        "1,000 refreshes at once: threads",
        or_not(seen.threads),
        "",
        "150",
    );
    row(
        "the same: resident memory at most",
        kib(seen.memory),
        "",
        "40 MB",
    );
    row("the same: time for all", ms(all), "", "2 s");
    row(
        "the same: slowest `show` meanwhile",
        ms(seen.slowest),
        ms(seen.floor),
        "20 ms",
    );
    thread::sleep(Duration::from_secs(5));
    row(
        "the same: private dirty memory 5 s later",
        kib(process::private_dirty(server.pid)),
        "",
        "6 MiB",
    );
    let answered = provider.answered() + BURST;
    for number in 0..BURST {
        let mut stream = UnixStream::connect(&server.socket).unwrap();
        stream
            .write_all(format!("refresh\ta{number}\n").as_bytes())
            .unwrap();
    }
    let seen = Burst::watch(&server, &floor, &provider, answered);
    row(
        "1,000 clients ask for one: slowest `show`",
        ms(seen.slowest),
        ms(seen.floor),
        "",
    );
}

/// A server of accounts without tokens, beside a dump of tokens that are all due for a refresh: in
/// the second half of their lives.
fn with_due_tokens(lab: &Lab, provider: &Provider) -> Running {
    const LIFETIME: u64 = 20;
    provider.lifetime(LIFETIME);
    let server = lab.serve(BURST, provider);
    let obtained = Instant::now();
    let dump = File::create(lab.path("dump")).unwrap();
    let mut command = lab.command(pizauth(), &["dump"]);
    assert!(command.stdout(dump).status().unwrap().success());
    drop(server);
    provider.lifetime(3600);
    let server = lab.start(BURST, provider);
    let due = Duration::from_secs(LIFETIME / 2 + 1);
    thread::sleep(due.saturating_sub(obtained.elapsed()));
    server
}
