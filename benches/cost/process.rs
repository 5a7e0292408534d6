//! What /proc tells of a process.

use std::fs;
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;

/// A number of kB or threads from /proc/PID/status.
pub(crate) fn status(pid: u32, name: &str) -> Option<u64> {
    field(&format!("/proc/{pid}/status"), name)
}

/// Memory that is this process's alone and would have to be written out, in KiB.
pub(crate) fn private_dirty(pid: u32) -> Option<u64> {
    field(&format!("/proc/{pid}/smaps_rollup"), "Private_Dirty")
}

/// How often its threads have been woken up so far.
pub(crate) fn wake_ups(pid: u32) -> Option<u64> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    let woken = |path: &str| field(path, "voluntary_ctxt_switches");
    let of_task = |task: fs::DirEntry| woken(&format!("{}/status", task.path().display()));
    Some(tasks.flatten().filter_map(of_task).sum())
}

/// The processor time of all programs that this one has started and that have ended.
pub(crate) fn time_of_children() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
    let time = |time: TimeVal| {
        let seconds = Duration::from_secs(time.tv_sec().try_into().unwrap());
        seconds + Duration::from_micros(time.tv_usec().try_into().unwrap())
    };
    time(usage.user_time()) + time(usage.system_time())
}

fn field(path: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    let line = text
        .lines()
        .find(|line| line.split(':').next() == Some(name))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
