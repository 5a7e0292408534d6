//! The vault behind its mutex, and the wake-ups that follow from changing it. The guard never
//! leaves this file, and nothing slow is done under it.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::clock::{self, Moment, Now};
use crate::server::intake::Bell;
use crate::server::persister::Persister;
use crate::server::settings::Settings;
use crate::sys::Alarm;
use crate::vault::Vault;
use crate::vault::order::{Order, Outcome};
use crate::vault::reload::Moved;

/// The one lock of the server, and the two ways to wait for what is under it: for a moment, and
/// for a change.
pub(super) struct Shared {
    state: Mutex<State>,
    /// Rung when an account may have changed, for clients that wait for one.
    bells: Vec<Arc<Bell>>,
    alarm: Alarm,
    /// Rung at the end of a pause.
    resumed: Condvar,
    persister: Persister,
}

/// What follows from a change.
pub(super) struct Aftermath {
    /// What is to be done.
    pub(super) orders: Vec<Order>,
    /// Whether there is something to tell the user, which [`Shared::take_news`] has.
    pub(super) is_news: bool,
}

struct State {
    vault: Vault,
    settings: Arc<Settings>,
    /// What the user is to be told, the oldest first.
    news: Vec<Order>,
    /// What the refresher sleeps until.
    armed: Option<Moment>,
    /// Whether nothing is to be begun, since another process is about to take over.
    paused: bool,
}

impl Shared {
    pub(super) fn new(
        vault: Vault,
        settings: Arc<Settings>,
        bells: Vec<Arc<Bell>>,
        persister: Persister,
    ) -> std::io::Result<Self> {
        Ok(Self {
            state: Mutex::new(State {
                vault,
                settings,
                news: Vec::new(),
                armed: None,
                paused: false,
            }),
            bells,
            persister,
            alarm: Alarm::new()?,
            resumed: Condvar::new(),
        })
    }

    /// Lets `act` change the vault. What follows is for the caller to carry out.
    pub(super) fn apply<T>(
        &self,
        act: impl FnOnce(&mut Vault, Now) -> Outcome<T>,
    ) -> (T, Aftermath) {
        self.change(|state, now| act(&mut state.vault, now))
    }

    /// Puts other settings in force, for the vault too.
    pub(super) fn replace_settings(&self, settings: Arc<Settings>, moved: Moved) -> Aftermath {
        let ((), aftermath) = self.change(|state, now| {
            let orders = state.vault.reload(&settings.config, moved, now.moment);
            state.settings = settings;
            ((), orders)
        });
        aftermath
    }

    /// What is configured.
    pub(super) fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.lock().settings)
    }

    fn change<T>(&self, change: impl FnOnce(&mut State, Now) -> Outcome<T>) -> (T, Aftermath) {
        let mut state = self.lock();
        let (changes, visible) = (state.vault.changes(), state.vault.visible_changes());
        let (answer, orders) = change(&mut state, clock::now());
        let (news, orders): (Vec<_>, Vec<_>) =
            orders.into_iter().partition(|order| order.task.tells());
        let is_news = !news.is_empty();
        state.news.extend(news);
        let tokens_changed = state.vault.changes() != changes;
        let visibly_changed = state.vault.visible_changes() != visible;
        let next = state.vault.next_deadline();
        let sooner = next.is_some_and(|next| state.armed.is_none_or(|armed| next < armed));
        if sooner {
            state.armed = next;
        }
        drop(state);
        if visibly_changed {
            self.bells.iter().for_each(|bell| bell.changed());
        }
        if sooner {
            self.alarm.wake();
        }
        if tokens_changed {
            self.persister.changed();
        }
        (answer, Aftermath { orders, is_news })
    }

    /// What the user has not been told yet, in the order in which it came about.
    pub(super) fn take_news(&self) -> Vec<Order> {
        std::mem::take(&mut self.lock().news)
    }

    /// Does what has become due, unless nothing is to be begun.
    pub(super) fn tick(&self, woken_up: bool) -> Aftermath {
        let ((), aftermath) = self.change(|state, now| {
            let mut orders = Vec::new();
            if woken_up {
                orders = state.vault.woken_up(now.moment);
            }
            if !state.paused {
                orders.extend(state.vault.tick(now.moment));
            }
            ((), orders)
        });
        aftermath
    }

    /// Waits for as long as nothing is to be begun: for good, where another process takes over.
    pub(super) fn wait_while_paused(&self) {
        drop(self.resumed.wait_while(self.lock(), |state| state.paused));
    }

    /// Whether anything is to be begun from now on.
    pub(super) fn set_paused(&self, paused: bool) {
        self.lock().paused = paused;
        self.resumed.notify_all();
        self.alarm.wake();
    }

    /// Looks at the vault without changing it.
    pub(super) fn look<T>(&self, look: impl FnOnce(&Vault, Now) -> T) -> T {
        look(&self.lock().vault, clock::now())
    }

    /// Sleeps until something is due, or may have become so.
    pub(super) fn sleep_until_due(&self) -> std::io::Result<()> {
        let mut state = self.lock();
        state.armed = state.vault.next_deadline().filter(|_| !state.paused);
        let deadline = state.armed;
        drop(state);
        self.alarm
            .sleep(deadline.map(Moment::as_millis), clock::moment().as_millis())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic under the lock is a bug in one step of one account; the others go on.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
