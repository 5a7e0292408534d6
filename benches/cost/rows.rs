//! The rows of the table, one function for each group.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::client;
use crate::counting::{in_turns, instructions, median, median_of, output, system_calls};
use crate::lab::{Lab, Running, pizauth};
use crate::load;
use crate::process;
use crate::provider::Provider;
use crate::{or_not, row};

/// Starts of a program that are timed.
const RUNS: usize = 300;
/// Starts of a server that are timed.
const STARTS: usize = 15;
/// Rounds of load, each of this length, ours and the floor's in turns.
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_millis(800);
/// Clients that are connected and say nothing, all the while.
const SILENT: usize = 200;
/// How long an idle server is watched, unless `COST_IDLE` has other seconds.
const IDLE: u64 = 20;

const SHOW: [&str; 2] = ["show", "a0"];

pub(crate) fn ms(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}

pub(crate) fn kib(value: Option<u64>) -> String {
    or_not(value.map(|kib| format!("{kib} KiB")))
}

/// `show` as a whole program.
pub(crate) fn client() {
    show_of(&pizauth(), "`show`", ["230,000", "55", "1.3x"]);
}

/// The same, where there is a static build.
pub(crate) fn musl() {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("target");
    let built = target.join("x86_64-unknown-linux-musl/release/pizauth");
    if built.exists() {
        show_of(&built, "`show`, musl", ["15,000", "15", "1.6x"]);
    } else {
        row("`show`, musl", "n/a", "", "15,000 / 15 / 1.6x");
    }
}

fn show_of(program: &Path, name: &str, wanted: [&str; 3]) {
    let (lab, provider) = (Lab::new(), Provider::new());
    let _server = lab.serve(1, &provider);
    let floor = lab.compile("floor_client").expect("a C compiler");
    let count = |program| or_not(instructions(&lab, program, &SHOW));
    let calls = |program| or_not(system_calls(&lab, program, &SHOW));
    row(
        &format!("{name}: instructions"),
        count(program),
        count(&floor),
        wanted[0],
    );
    row(
        &format!("{name}: system calls"),
        calls(program),
        calls(&floor),
        wanted[1],
    );
    let (ours, floors, ratio) = in_turns(&lab, RUNS, (program, &SHOW), (&floor, &SHOW));
    let ours = format!("{} ({ratio:.2}x)", ms(ours));
    row(&format!("{name}: wall clock"), ours, ms(floors), wanted[2]);
}

/// From the command to a server that answers.
pub(crate) fn start() {
    let (lab, provider) = (Lab::new(), Provider::new());
    let (floor_lab, lab_of_many) = (Lab::new(), Lab::new());
    let floor = floor_lab.compile("floor_server").expect("a C compiler");
    let timed = |server: Running| server.start;
    let both: Vec<_> = (0..STARTS)
        .map(|_| {
            (
                timed(lab.start(1, &provider)),
                timed(floor_lab.start_floor(&floor)),
            )
        })
        .collect();
    let ratio = median_of(
        both.iter()
            .map(|both| both.0.as_secs_f64() / both.1.as_secs_f64())
            .collect(),
    );
    let ours = format!(
        "{} ({ratio:.2}x)",
        ms(median(both.iter().map(|both| both.0)))
    );
    row(
        "start to ready, 1 account",
        ours,
        ms(median(both.iter().map(|both| both.1))),
        "2x",
    );
    let many = median((0..STARTS).map(|_| timed(lab_of_many.start(1_000, &provider))));
    row("start to ready, 1,000 accounts", ms(many), "", "20 ms");
}

/// One account with a token, and nothing to do.
pub(crate) fn idle() {
    let (lab, provider) = (Lab::new(), Provider::new());
    let server = lab.serve(1, &provider);
    thread::sleep(Duration::from_secs(2));
    row(
        "private dirty memory, 1 account active",
        kib(process::private_dirty(server.pid)),
        "",
        "1 MiB",
    );
    let seconds = env::var("COST_IDLE")
        .ok()
        .and_then(|seconds| seconds.parse().ok());
    let seconds: u64 = seconds.unwrap_or(IDLE);
    let before = process::wake_ups(server.pid);
    thread::sleep(Duration::from_secs(seconds));
    let woken = process::wake_ups(server.pid)
        .zip(before)
        .map(|(after, before)| after - before);
    let an_hour = or_not(woken.map(|woken| woken * 3600 / seconds));
    row(
        &format!("wake-ups an hour ({seconds} s watched)"),
        an_hour,
        "",
        "0",
    );
}

/// Requests a second, while some clients say nothing.
pub(crate) fn load() {
    let (lab, floor_lab, provider) = (Lab::new(), Lab::new(), Provider::new());
    let server = lab.serve(1, &provider);
    let floor = floor_lab.start_floor(&floor_lab.compile("floor_server").expect("a C compiler"));
    for clients in [1, 8, 64] {
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            let one = |socket: &Path| {
                let _silent = load::silent(socket, SILENT);
                load::ask(socket, clients, ROUND)
            };
            rounds.push((one(&server.socket), one(&floor.socket)));
        }
        let rate = |pick: fn(&(load::Load, load::Load)) -> f64| {
            median_of(rounds.iter().map(pick).collect())
        };
        let ours = format!(
            "{:.0} ({:.2}x)",
            rate(|both| both.0.rate),
            rate(|both| both.0.rate / both.1.rate)
        );
        let floors = format!("{:.0}", rate(|both| both.1.rate));
        row(
            &format!("requests a second, {clients} clients"),
            ours,
            floors,
            "0.9x",
        );
        let p99 = |load: &load::Load| load.p99;
        let ratio = |(ours, floor): &(load::Load, load::Load)| {
            ours.p99.as_secs_f64() / floor.p99.as_secs_f64()
        };
        let ours = format!(
            "{} ({:.2}x)",
            ms(median(rounds.iter().map(|both| p99(&both.0)))),
            median_of(rounds.iter().map(ratio).collect())
        );
        let floors = ms(median(rounds.iter().map(|both| p99(&both.1))));
        row(
            &format!("the same: p99, {clients} clients"),
            ours,
            floors,
            "1.1x",
        );
    }
}

/// What each thing costs where there are few accounts, and where there are many: in turns, since
/// what else the machine does changes all the time.
pub(crate) fn many_accounts() {
    const FEW: usize = 10;
    const MANY: usize = 10_000;
    let (lab_of_few, lab_of_many, provider) = (Lab::new(), Lab::new(), Provider::new());
    let few = lab_of_few.serve(FEW, &provider);
    let many = lab_of_many.serve(MANY, &provider);
    let compare = |rounds: usize, command: &str| {
        let time = |server: &Running, account: usize| {
            client::time(&server.socket, &format!("{command}\ta{account}\n"))
        };
        let times: Vec<_> = (0..rounds)
            .map(|turn| turn * 7919)
            .map(|turn| (time(&few, turn % FEW), time(&many, turn % MANY)))
            .collect();
        let of_few = median(times.iter().map(|both| both.0));
        let of_many = median(times.iter().map(|both| both.1));
        let ratio = of_many.as_secs_f64() / of_few.as_secs_f64();
        let measured = format!("{} ({ratio:.2}x of {} at 10)", ms(of_many), ms(of_few));
        row(
            &format!("10,000 accounts: `{command}`"),
            measured,
            "",
            "1.5x of 10 accounts",
        );
    };
    compare(4_000, "show");
    compare(1_000, "refresh");
    let status = (0..STARTS).map(|_| client::time(&many.socket, "status\n"));
    row("10,000 accounts: `status`", ms(median(status)), "", "50 ms");
}

/// Reading a large configuration, as a program and in a running server.
pub(crate) fn configuration() {
    let (lab, provider) = (Lab::new(), Provider::new());
    let server = lab.start(10_000, &provider);
    let config = lab.path("pizauth.conf");
    let used_before = process::time_of_children();
    let check = (0..STARTS).map(|_| {
        let before = Instant::now();
        let mut command = lab.command(pizauth(), &["check", "-c", config.to_str().unwrap()]);
        assert!(command.status().unwrap().success());
        before.elapsed()
    });
    let check = ms(median(check));
    let used = (process::time_of_children() - used_before) / STARTS as u32;
    row(
        "10,000 accounts: `check`",
        format!("{check} ({} of processor time)", ms(used)),
        "",
        "150 ms",
    );
    let reload = (0..STARTS).map(|_| client::time(&server.socket, "reload\n"));
    row(
        "10,000 accounts: `reload`",
        ms(median(reload)),
        "",
        "150 ms",
    );
}

/// What the build comes to.
pub(crate) fn build() {
    let time = match env::var("COST_BUILD") {
        Ok(no) if no == "0" => "n/a".to_owned(),
        _ => clean_build(),
    };
    row("clean release build", time, "", "60 s on 2 processors");
    let tree = [
        "tree",
        "-e",
        "normal",
        "--prefix",
        "none",
        "--no-dedupe",
        "--format",
        "{p}",
    ];
    let crates = output(env!("CARGO"), &tree).map(|tree| {
        let names = |line: &str| line.split(" (").next().unwrap_or(line).to_owned();
        tree.lines().map(names).collect::<BTreeSet<String>>().len()
    });
    row("crates in the normal tree", or_not(crates), "", "100");
    let size = fs::metadata(pizauth())
        .ok()
        .map(|program| program.len() as f64 / 1e6);
    row(
        "binary, stripped",
        or_not(size.map(|size| format!("{size:.2} MB"))),
        "",
        "4 MB",
    );
}

/// How long a release build takes where nothing is there yet, and the processor time of it, which
/// depends less on what else the machine does.
fn clean_build() -> String {
    let lab = Lab::new();
    let target = lab.path("target");
    let mut command = std::process::Command::new(env!("CARGO"));
    command
        .args(["build", "--release", "--quiet", "--target-dir"])
        .arg(&target)
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    let before = (Instant::now(), process::time_of_children());
    if !command.status().is_ok_and(|status| status.success()) {
        return "n/a".to_owned();
    }
    let seconds = before.0.elapsed().as_secs_f64();
    let used = process::time_of_children() - before.1;
    format!(
        "{seconds:.0} s ({:.0} s of processor time)",
        used.as_secs_f64()
    )
}
