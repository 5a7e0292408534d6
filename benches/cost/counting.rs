//! Instructions, system calls and wall clock of whole programs.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::lab::Lab;

/// Instructions in user space: by the processor's own counter, or by simulation.
pub(crate) fn instructions(lab: &Lab, program: &Path, arguments: &[&str]) -> Option<u64> {
    by_perf(lab, program, arguments).or_else(|| by_callgrind(lab, program, arguments))
}

fn by_perf(lab: &Lab, program: &Path, arguments: &[&str]) -> Option<u64> {
    let report = lab.path("perf");
    let tool = [
        "stat",
        "-x,",
        "-e",
        "instructions:u",
        "-o",
        report.to_str()?,
        "--",
    ];
    under(lab, "perf", &tool, program, arguments)?;
    let text = std::fs::read_to_string(report).ok()?;
    let line = text.lines().find(|line| line.contains("instructions"))?;
    line.split(',').next()?.parse().ok()
}

fn by_callgrind(lab: &Lab, program: &Path, arguments: &[&str]) -> Option<u64> {
    let report = lab.path("callgrind");
    let out = format!("--callgrind-out-file={}", report.to_str()?);
    under(
        lab,
        "valgrind",
        &["--tool=callgrind", &out],
        program,
        arguments,
    )?;
    let text = std::fs::read_to_string(report).ok()?;
    let line = text
        .lines()
        .find(|line| line.starts_with("summary:") || line.starts_with("totals:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// System calls, of all threads.
pub(crate) fn system_calls(lab: &Lab, program: &Path, arguments: &[&str]) -> Option<u64> {
    let report = lab.path("strace");
    under(
        lab,
        "strace",
        &["-f", "-c", "-o", report.to_str()?],
        program,
        arguments,
    )?;
    let text = std::fs::read_to_string(report).ok()?;
    let total = text
        .lines()
        .rfind(|line| line.trim_end().ends_with("total"))?;
    total.split_whitespace().nth(3)?.parse().ok()
}

fn under(
    lab: &Lab,
    tool: &str,
    options: &[&str],
    program: &Path,
    arguments: &[&str],
) -> Option<()> {
    let mut all = options.to_vec();
    all.push(program.to_str()?);
    all.extend(arguments);
    let status = lab.command(tool, &all).status().ok()?;
    status.success().then_some(())
}

/// Runs two programs in turns; the median time of each, and the median of the ratios.
pub(crate) fn in_turns(
    lab: &Lab,
    rounds: usize,
    ours: (&Path, &[&str]),
    floor: (&Path, &[&str]),
) -> (Duration, Duration, f64) {
    let run = |(program, arguments): (&Path, &[&str])| {
        let mut command = lab.command(program, arguments);
        let before = Instant::now();
        assert!(command.status().unwrap().success());
        before.elapsed()
    };
    let times: Vec<(Duration, Duration)> = (0..rounds).map(|_| (run(ours), run(floor))).collect();
    let ratio = |(ours, floor): &(Duration, Duration)| ours.as_secs_f64() / floor.as_secs_f64();
    (
        median(times.iter().map(|times| times.0)),
        median(times.iter().map(|times| times.1)),
        median_of(times.iter().map(ratio).collect()),
    )
}

pub(crate) fn median(times: impl Iterator<Item = Duration>) -> Duration {
    Duration::from_secs_f64(median_of(times.map(|time| time.as_secs_f64()).collect()))
}

pub(crate) fn median_of(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// What a program prints, where there is such a program.
pub(crate) fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new(program);
    let output = command
        .args(arguments)
        .stderr(Stdio::null())
        .output()
        .ok()?;
    String::from_utf8(output.stdout)
        .ok()
        .filter(|_| output.status.success())
}
