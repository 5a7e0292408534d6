//! What the vault wants done, and the ticket that results come back with.

use std::sync::Arc;

use crate::config::{Account, AccountName, GrantType};
use crate::protocol::LoginPlace;
use crate::vault::transition::{Event, Exchange};

/// Travels with an order and comes back with its result, so that the result of something that has
/// been overtaken by events is dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    pub(super) account: AccountName,
    pub(super) generation: u64,
    /// The request to the provider that was under way: its result is taken once, and never for
    /// that of a later one.
    pub(super) request: Option<u64>,
}

/// Something to do, for one account.
#[derive(Debug)]
pub struct Order {
    /// To be brought back with the result.
    pub ticket: Ticket,
    /// The account as it was configured then.
    pub account: Arc<Account>,
    /// What to do.
    pub task: Task,
}

/// What an [`Order`] asks for.
#[derive(Debug)]
pub enum Task {
    /// Exchange a code; the result goes to [`Vault::exchange_done`].
    Exchange(Exchange),
    /// Refresh with [`Vault::means`]; the result goes to [`Vault::refresh_done`].
    Refresh,
    /// Ask the provider how the user can log in by this grant; the result goes to
    /// [`Vault::prepared`].
    Prepare(GrantType),
    /// Ask with [`Vault::device_code`] whether the user has typed the code in; the result goes to
    /// [`Vault::polled`].
    Poll,
    /// Tell the user to log in there.
    Remind(LoginPlace),
    /// Tell the user this.
    Report(String),
    /// Tell the user's command for events.
    Announce(Event),
    /// Ask `transient_error_if_cmd`; the result goes to [`Vault::probe_done`].
    Probe,
    /// Start a login.
    Reauthorize,
}

impl Task {
    /// Whether the user is to be told something: in the order in which it came about.
    #[must_use]
    pub const fn tells(&self) -> bool {
        matches!(self, Self::Remind(_) | Self::Report(_) | Self::Announce(_))
    }
}

/// An answer, and what is to be done.
pub type Outcome<T> = (T, Vec<Order>);

impl Ticket {
    /// Whose it is.
    #[must_use]
    pub const fn account(&self) -> &AccountName {
        &self.account
    }

    /// The number of the login that this is a part of.
    #[must_use]
    pub const fn login(&self) -> u64 {
        self.generation
    }
}
