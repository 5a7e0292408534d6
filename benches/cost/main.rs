//! What the program costs, beside small C programs that do the same: prints the table that
//! benches/README.md explains. It fails at nothing but setting itself up: machines differ.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a measurement reads clocks, waits, and has nobody to hand an error to"
)]

mod burst;
mod client;
mod counting;
mod lab;
mod load;
mod process;
mod provider;
mod rows;

use std::fmt::Display;

/// Prints one line of the table.
fn row(what: &str, measured: impl Display, floor: impl Display, wanted: &str) {
    println!("| {what} | {measured} | {floor} | {wanted} |");
}

/// Where something cannot be measured on this machine.
fn or_not(value: Option<impl Display>) -> String {
    value.map_or_else(|| "n/a".to_owned(), |value| value.to_string())
}

/// What can be measured, by the names that `cargo bench -- NAME` picks it by.
const GROUPS: [(&str, fn()); 9] = [
    ("client", rows::client),
    ("musl", rows::musl),
    ("start", rows::start),
    ("idle", rows::idle),
    ("burst", burst::burst),
    ("load", rows::load),
    ("many", rows::many_accounts),
    ("configuration", rows::configuration),
    ("build", rows::build),
];

fn main() {
    // cargo adds options of its own.
    let picked: Vec<String> = std::env::args()
        .skip(1)
        .filter(|name| !name.starts_with('-'))
        .collect();
    // What has just been built, and is not on the disk yet, would count as memory of the server's.
    let program = std::fs::File::open(lab::pizauth()).expect("there is a program to measure");
    program.sync_all().expect("it can be written to the disk");
    println!("| measure | pizauth | C floor | wanted |\n|---|---|---|---|");
    for (name, measure) in GROUPS {
        if picked.is_empty() || picked.iter().any(|one| one == name) {
            measure();
        }
    }
}
