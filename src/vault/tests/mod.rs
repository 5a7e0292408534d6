//! Tests of the vault, by subject.

mod handover;
mod invariants;
mod job;
mod model;
mod provider;
mod reload;
mod scale;
mod snapshot;
mod step_table;
mod times;
mod told;
