//! A model of a provider: it rotates refresh tokens, ends a login whose spent token is presented
//! again, and loses answers. It knows which refresh tokens nobody may present.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::oauth::device::PollFailure;
use crate::oauth::token::{Failure, FailureKind, Grant};
use crate::secret::{AccessToken, RefreshToken};
use crate::vault::test_support::secs;

/// How many spent tokens of an account the vault must remember at least.
const REMEMBERED: usize = 32;

/// splitmix64: good enough to choose by, and the same everywhere.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`.
    pub(super) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }

    /// Whether something happens that happens once in `times`.
    pub(super) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

struct Token {
    family: u64,
    spent: bool,
    /// Whoever has it cannot know that it is spent.
    excused: bool,
}

#[derive(Default)]
pub(super) struct Provider {
    tokens: HashMap<String, Token>,
    /// Which logins have ended.
    ended: Vec<u64>,
    /// The spent tokens of each account that the vault has to remember.
    spent: HashMap<String, VecDeque<String>>,
    count: u64,
}

impl Provider {
    /// The user has logged in, and the code is exchanged.
    pub(super) fn exchange(&mut self, random: &mut Random) -> Result<Grant, Failure> {
        self.count += 1;
        let family = self.count;
        let refresh_token = (!random.once_in(4)).then(|| self.issue(family));
        if random.once_in(5) {
            return Err(failure(random, refresh_token));
        }
        Ok(self.grant(random, refresh_token))
    }

    /// A client asks for itself; some providers give it a refresh token, which it has no use for.
    pub(super) fn grant_itself(&mut self, random: &mut Random) -> Result<Grant, Failure> {
        if random.once_in(4) {
            return Err(failure(random, None));
        }
        let family = self.count;
        let refresh_token = random.once_in(4).then(|| self.issue(family));
        Ok(self.grant(random, refresh_token))
    }

    /// Has the user typed the code in?
    pub(super) fn poll(&mut self, random: &mut Random) -> Result<Grant, PollFailure> {
        match random.below(8) {
            0..3 => Err(PollFailure::Pending),
            3 => Err(PollFailure::SlowDown),
            4 => Err(PollFailure::Expired),
            5 => Err(PollFailure::Refused("the model's user".into())),
            _ => self.exchange(random).map_err(PollFailure::Failed),
        }
    }

    /// A refresh request with `token`: what the vault will get as its result.
    pub(super) fn refresh(
        &mut self,
        account: &str,
        token: &str,
        random: &mut Random,
    ) -> Result<Grant, Failure> {
        if random.once_in(6) {
            return Err(failure(random, None));
        }
        let known = self.tokens.get_mut(token).expect("a token of ours");
        let family = known.family;
        assert!(
            !known.spent || known.excused,
            "a spent refresh token was presented: {token} of {account}"
        );
        let reuse = known.spent && random.once_in(2);
        if reuse || random.once_in(20) {
            self.ended.push(family);
        }
        if self.ended.contains(&family) {
            return Err(Failure {
                kind: FailureKind::InvalidGrant,
                ..failure(random, None)
            });
        }
        if random.once_in(3) {
            return Ok(self.grant(random, None));
        }
        // From here on, the presented token is spent, whether the news of it arrives or not.
        known_spent(known, account, token, &mut self.spent);
        self.forget_the_oldest(account);
        let rotated = self.issue(family);
        if random.once_in(6) {
            self.excuse(token);
            return Err(failure(random, None));
        }
        if random.once_in(6) {
            return Err(failure(random, Some(rotated)));
        }
        Ok(self.grant(random, Some(rotated)))
    }

    fn forget_the_oldest(&mut self, account: &str) {
        let spent = self.spent.entry(account.into()).or_default();
        let oldest = (spent.len() > REMEMBERED).then(|| spent.pop_front());
        if let Some(token) = oldest.flatten() {
            self.excuse(&token);
        }
    }

    /// An answer that told of `token`'s end was dropped, or the memory of it.
    pub(super) fn excuse(&mut self, token: &str) {
        if let Some(token) = self.tokens.get_mut(token) {
            token.excused = true;
        }
    }

    /// The account has left the configuration, and its memory with it.
    pub(super) fn excuse_account(&mut self, account: &str) {
        for token in self.spent.remove(account).unwrap_or_default() {
            self.excuse(&token);
        }
    }

    fn issue(&mut self, family: u64) -> RefreshToken {
        self.count += 1;
        let token = format!("refresh-{}", self.count);
        let issued = Token {
            family,
            spent: false,
            excused: false,
        };
        self.tokens.insert(token.clone(), issued);
        RefreshToken::new(token)
    }

    fn grant(&mut self, random: &mut Random, refresh_token: Option<RefreshToken>) -> Grant {
        self.count += 1;
        let lifetime = match random.below(8) {
            0 => None,
            1 => Some(Duration::MAX),
            2 => Some(secs(1)),
            3 => Some(secs(30)),
            _ => Some(secs(3600)),
        };
        Grant {
            access_token: AccessToken::new(format!("access-{}", self.count)),
            lifetime,
            refresh_token,
            scope: None,
        }
    }
}

fn known_spent(
    known: &mut Token,
    account: &str,
    token: &str,
    spent: &mut HashMap<String, VecDeque<String>>,
) {
    if !known.spent {
        known.spent = true;
        let spent = spent.entry(account.into()).or_default();
        spent.push_back(token.into());
    }
}

fn failure(random: &mut Random, rotated: Option<RefreshToken>) -> Failure {
    let retry_after = random.once_in(4).then(|| secs(7200));
    let kind = match random.below(6) {
        0 => FailureKind::Misconfigured,
        _ => FailureKind::Passing { retry_after },
    };
    Failure {
        kind,
        reason: "the model's reason".into(),
        rotated,
    }
}
