//! The fuzzer's targets (fuzz/), without a fuzzer: over their corpora, and over what a few thousand
//! random changes make of those. Every run makes the same changes.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests: a panic is how they report"
)]

#[path = "../fuzz/targets/mod.rs"]
mod targets;

use std::fs;
use std::path::{Path, PathBuf};

use targets::{TARGETS, Target};

/// How many changed inputs each target is given.
const CHANGED: usize = 2_000;
/// As much as all corpora may have, in bytes: they are a part of the repository.
const MAX_CORPORA: usize = 1_000_000;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

/// The inputs in a target's corpus, in a fixed order.
fn corpus(name: &str) -> Vec<Vec<u8>> {
    let directory = fuzz().join("corpus").join(name);
    let mut files: Vec<PathBuf> = fs::read_dir(&directory)
        .unwrap_or_else(|error| panic!("{}: {error}", directory.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}

/// Marsaglia's xorshift.
struct Random(u64);

impl Random {
    /// A number below `limit`, which is not 0.
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).unwrap()
    }

    /// A part of `bytes`.
    fn part<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let start = self.below(bytes.len() + 1);
        let end = start + self.below(bytes.len() - start + 1).min(40);
        &bytes[start..end]
    }

    /// `input` with parts removed, or replaced by parts of `other` or by single bytes.
    fn change(&mut self, input: &[u8], other: &[u8]) -> Vec<u8> {
        let mut changed = input.to_vec();
        for _ in 0..=self.below(4) {
            let start = self.below(changed.len() + 1);
            let end = start + self.below(changed.len() - start + 1).min(self.below(12));
            let byte = [u8::try_from(self.below(256)).unwrap()];
            let new = match self.below(4) {
                0 => &[],
                1 => self.part(other),
                2 => b"\"\\{}%&=\t\n"[self.below(9)..].split_at(1).0,
                _ => &byte[..],
            };
            changed.splice(start..end, new.iter().copied());
        }
        changed
    }
}

/// Tries an input, and says which it was where that fails.
fn attempt((name, target): Target, input: &[u8]) {
    let shown = String::from_utf8_lossy(input).into_owned();
    let outcome = std::panic::catch_unwind(|| target(input));
    assert!(outcome.is_ok(), "{name} fails with:\n{shown}\n{input:?}");
}

#[test]
fn every_input_of_the_corpora_holds() {
    for target in TARGETS {
        let inputs = corpus(target.0);
        assert!(
            inputs.len() >= 8,
            "{} has {} inputs",
            target.0,
            inputs.len()
        );
        for input in &inputs {
            attempt(target, input);
        }
    }
}

#[test]
fn what_random_changes_make_of_them_holds() {
    for (number, target) in TARGETS.into_iter().enumerate() {
        let inputs = corpus(target.0);
        let mut random = Random(0x9e37_79b9_7f4a_7c15 ^ number as u64);
        for _ in 0..CHANGED {
            let input = &inputs[random.below(inputs.len())];
            let other = &inputs[random.below(inputs.len())];
            attempt(target, &random.change(input, other));
        }
    }
}

#[test]
fn every_corpus_has_its_target_and_is_small() {
    let mut names: Vec<String> = fs::read_dir(fuzz().join("corpus"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let mut known: Vec<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
    known.sort_unstable();
    assert_eq!(names, known);
    let size: usize = known
        .iter()
        .flat_map(|name| corpus(name))
        .map(|it| it.len())
        .sum();
    assert!(size <= MAX_CORPORA, "the corpora have {size} bytes");
    for name in known {
        let program = fuzz().join("fuzz_targets").join(format!("{name}.rs"));
        assert!(program.exists(), "{}", program.display());
    }
}
