//! Finds the smallest changes after which the tokens go on as the grammar has it: the CPCT+ search
//! of Diekmann and Tratt ("Don't Panic! Better, Fewer, Syntax Errors for LR Parsers", 2020), for a
//! grammar in which nothing is inside itself, so that there are few states to be in at each token.

use std::collections::{HashMap, HashSet, VecDeque};

use super::super::grammar::{ACTIONS, AVOIDED, END};
use super::{Do, action, after, kind, length};
use crate::config::lexeme::Lexeme;

/// A repair is good when so many tokens are read after it.
const GOES_ON_FOR: usize = 3;
/// Of several repairs the one is better that goes on for longer, looking so far.
const LOOK_AHEAD: usize = 250;
/// How many situations are looked at for one mistake: one that a person makes takes some hundreds.
const SITUATIONS: usize = 10_000;
/// The same for all mistakes of a file: one that is something else altogether should not keep
/// anybody waiting.
const SITUATIONS_IN_ALL: usize = 100_000;
/// How many repairs are compared. More of them would not make the message any clearer.
const REPAIRS: usize = 1_000;

/// One step of a repair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::config) enum Step {
    /// A token of this kind is made up.
    Insert(u8),
    /// The next token, which is of this kind, is left out.
    Delete(u8),
    /// The next token is read.
    Shift,
}

/// How much more may be looked for in a file.
pub(super) struct Budget(usize);

impl Default for Budget {
    fn default() -> Self {
        Self(SITUATIONS_IN_ALL)
    }
}

/// What tells situations apart: from equal ones the parser goes on in the same way.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Situation {
    states: Vec<u8>,
    /// The next token's place.
    at: usize,
    deleted_last: bool,
    /// How many tokens were read since the last change, as far as that matters.
    shifts: usize,
}

/// A situation that was reached, and the steps that led there from others.
struct Reached {
    situation: Situation,
    /// How many changes it took.
    cost: usize,
    /// Where from, and by what; by nothing where tokens were put together only.
    from: Vec<(usize, Option<Step>)>,
}

/// The smallest repairs where the parser is in `states` and the token at `at` cannot be there; the
/// best one first. None where the file is beyond repair.
pub(super) fn find(
    tokens: &[Lexeme],
    at: usize,
    states: &[u8],
    budget: &mut Budget,
) -> Vec<Vec<Step>> {
    let start = Situation {
        states: states.to_vec(),
        at,
        deleted_last: false,
        shifts: 0,
    };
    let mut search = Search {
        tokens,
        known: HashMap::from([(start.clone(), 0)]),
        reached: vec![Reached {
            situation: start,
            cost: 0,
            from: Vec::new(),
        }],
        now: VecDeque::from([0]),
        next: VecDeque::new(),
    };
    let good = search.run(budget);
    let good = search.furthest(at, good);
    let mut repairs = search.repairs_to(&good);
    let avoided = |repair: &Vec<Step>| {
        let mut steps = repair.iter();
        steps.any(|step| matches!(step, Step::Insert(kind) if AVOIDED.contains(kind)))
    };
    repairs.sort_by_key(|repair| (avoided(repair), repair.len()));
    repairs
}

struct Search<'t> {
    tokens: &'t [Lexeme],
    reached: Vec<Reached>,
    known: HashMap<Situation, usize>,
    /// Those to look at that took as many changes as those looked at last.
    now: VecDeque<usize>,
    /// Those that took one more.
    next: VecDeque<usize>,
}

impl Search<'_> {
    /// The good situations that take the fewest changes.
    fn run(&mut self, budget: &mut Budget) -> Vec<usize> {
        let mut good = Vec::new();
        let least = budget.0.saturating_sub(SITUATIONS);
        loop {
            while let Some(index) = self.now.pop_front() {
                if budget.0 == least {
                    return Vec::new();
                }
                budget.0 -= 1;
                if self.is_good(index) {
                    good.push(index);
                } else {
                    self.go_on(index);
                }
            }
            if !good.is_empty() || self.next.is_empty() {
                return good;
            }
            std::mem::swap(&mut self.now, &mut self.next);
        }
    }

    fn is_good(&self, index: usize) -> bool {
        let situation = &self.reached[index].situation;
        let accepts = || {
            let state = situation.states.last().copied().unwrap_or_default();
            action(state, kind(self.tokens, situation.at)) == Do::Accept
        };
        situation.shifts >= GOES_ON_FOR || accepts()
    }

    /// Adds what can be reached from here by one step.
    fn go_on(&mut self, index: usize) {
        let situation = self.reached[index].situation.clone();
        if !situation.deleted_last {
            // Leaving out first and making up then comes to the same as the other way round.
            for kind in (0..ACTIONS[0].len()).filter_map(|kind| u8::try_from(kind).ok()) {
                let mut states = situation.states.clone();
                if kind != END && advance(&mut states, kind) {
                    let next = Situation {
                        states,
                        shifts: 0,
                        ..situation
                    };
                    self.reach(next, index, Some(Step::Insert(kind)), 1);
                }
            }
        }
        if let Some(token) = self.tokens.get(situation.at) {
            let next = Situation {
                states: situation.states.clone(),
                at: situation.at + 1,
                deleted_last: true,
                shifts: 0,
            };
            self.reach(next, index, Some(Step::Delete(token.tok_id())), 1);
        }
        let mut states = situation.states.clone();
        if advance(&mut states, kind(self.tokens, situation.at)) {
            let next = Situation {
                states,
                at: situation.at + 1,
                deleted_last: false,
                shifts: situation.shifts + 1,
            };
            self.reach(next, index, Some(Step::Shift), 0);
        } else if states != situation.states {
            let next = Situation {
                states,
                ..situation
            };
            self.reach(next, index, None, 0);
        }
    }

    fn reach(&mut self, situation: Situation, from: usize, step: Option<Step>, changes: usize) {
        let cost = self.reached[from].cost + changes;
        if let Some(&known) = self.known.get(&situation) {
            let known = &mut self.reached[known];
            if known.cost == cost {
                known.from.push((from, step));
            }
            return;
        }
        let index = self.reached.len();
        self.known.insert(situation.clone(), index);
        self.reached.push(Reached {
            situation,
            cost,
            from: vec![(from, step)],
        });
        match changes {
            0 => self.now.push_back(index),
            _ => self.next.push_back(index),
        }
    }

    /// Those from where the parser gets furthest without another mistake.
    fn furthest(&self, at: usize, good: Vec<usize>) -> Vec<usize> {
        let reads_up_to = |index: &usize| {
            let situation = &self.reached[*index].situation;
            let (mut states, mut place) = (situation.states.clone(), situation.at);
            while place < at + LOOK_AHEAD && advance(&mut states, kind(self.tokens, place)) {
                place += 1;
            }
            place
        };
        let far: Vec<usize> = good.iter().map(reads_up_to).collect();
        let furthest = far.iter().copied().max();
        let those = good.into_iter().zip(far);
        let those = those.filter(|(_, far)| Some(*far) == furthest);
        those.map(|(index, _)| index).collect()
    }

    /// The ways that lead to these situations, without what is read after the last change.
    fn repairs_to(&self, good: &[usize]) -> Vec<Vec<Step>> {
        let mut found = Vec::new();
        let mut seen = HashSet::new();
        // From the end to the start, so that each has its last step first.
        let mut ways: Vec<(usize, Vec<Step>)> =
            good.iter().rev().map(|&end| (end, Vec::new())).collect();
        while let Some((index, way)) = ways.pop() {
            if found.len() >= REPAIRS {
                break;
            }
            let reached = &self.reached[index];
            if reached.from.is_empty() {
                let repair: Vec<Step> = way.into_iter().rev().collect();
                if seen.insert(repair.clone()) {
                    found.push(repair);
                }
                continue;
            }
            for &(from, step) in reached.from.iter().rev() {
                let mut way = way.clone();
                way.extend(step.filter(|step| *step != Step::Shift || !way.is_empty()));
                ways.push((from, way));
            }
        }
        found
    }
}

/// Takes a token of this kind, after having put together what is before it. Says whether that was
/// possible; what could be put together is all the same.
fn advance(states: &mut Vec<u8>, kind: u8) -> bool {
    loop {
        let state = states.last().copied().unwrap_or_default();
        match action(state, kind) {
            Do::Fail | Do::Accept => return false,
            Do::Shift(state) => {
                states.push(state);
                return true;
            }
            Do::Reduce(production) => {
                states.truncate(states.len().saturating_sub(length(production)));
                match after(production, states) {
                    Some(state) => states.push(state),
                    None => return false,
                }
            }
        }
    }
}
