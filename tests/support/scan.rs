//! Looking for secrets in the memory of a process, which only root can do where it is hidden.

use std::collections::HashMap;
use std::fmt;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use nix::unistd::Pid;

/// Pieces of a secret of this length are found wherever they are; a few longer ones always.
const WORD: usize = 8;
const PAGE: usize = 4096;

/// A secret that is looked for, and what to call it.
pub struct Secret {
    pub name: &'static str,
    pub text: String,
}

/// A place where a secret, or a piece of it, is.
pub struct Trace {
    pub name: &'static str,
    /// Where in the secret the piece begins.
    pub from: usize,
    pub length: usize,
    pub address: usize,
    pub mapping: String,
    /// What is around it.
    pub context: String,
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            from,
            length,
            address,
            mapping,
            context,
        } = self;
        write!(
            f,
            "\n{name}[{from}..+{length}] at {address:x} ({mapping}): {context}"
        )
    }
}

/// Whether this user may look into a process that hides its memory.
pub fn is_possible(pid: Pid) -> bool {
    let possible = File::open(format!("/proc/{pid}/mem")).is_ok();
    if !possible {
        eprintln!("not tested: only root may look into the server's memory");
    }
    possible
}

/// All places in the process's writable memory where a piece of one of these is.
#[track_caller]
pub fn traces(pid: Pid, secrets: &[Secret]) -> Vec<Trace> {
    let mut words: HashMap<[u8; WORD], (usize, usize)> = HashMap::new();
    for (index, secret) in secrets.iter().enumerate() {
        for (at, word) in secret.text.as_bytes().windows(WORD).enumerate() {
            words.insert(word.try_into().unwrap(), (index, at));
        }
    }
    let memory = File::open(format!("/proc/{pid}/mem")).unwrap();
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let writable = maps
        .lines()
        .filter(|line| line.split(' ').nth(1).unwrap().starts_with("rw"));
    let mut found: Vec<Trace> = Vec::new();
    for line in writable {
        let (start, end) = line.split(' ').next().unwrap().split_once('-').unwrap();
        let number = |text| usize::from_str_radix(text, 16).unwrap();
        let (start, end) = (number(start), number(end));
        let name = line.split_whitespace().nth(5).unwrap_or("no name");
        let mapping = format!("{name}, {} KiB", (end - start) / 1024);
        for address in (start..end).step_by(PAGE) {
            look(&memory, address, &mapping, &words, secrets, &mut found);
        }
    }
    found
}

fn look(
    memory: &File,
    address: usize,
    mapping: &str,
    words: &HashMap<[u8; WORD], (usize, usize)>,
    secrets: &[Secret],
    found: &mut Vec<Trace>,
) {
    let mut page = [0; PAGE];
    // Some are not there to be read.
    if memory.read_exact_at(&mut page, address as u64).is_err() || page == [0; PAGE] {
        return;
    }
    for at in (0..PAGE).step_by(WORD) {
        let Some((index, from)) = words.get(&page[at..at + WORD]) else {
            continue;
        };
        let name = secrets[*index].name;
        let follows = |last: &Trace| {
            let distance = (address + at).wrapping_sub(last.address);
            last.name == name && last.from + distance == *from && distance <= last.length
        };
        if let Some(last) = found.last_mut().filter(|last| follows(last)) {
            last.length = address + at + WORD - last.address;
            continue;
        }
        let around = &page[at.saturating_sub(48)..(at + 32).min(PAGE)];
        found.push(Trace {
            name,
            from: *from,
            length: WORD,
            address: address + at,
            mapping: mapping.to_owned(),
            context: around.escape_ascii().to_string(),
        });
    }
}
