//! What the model has been ordered to do.

use crate::vault::order::Ticket;

/// An order that has not been answered, or might be answered again.
pub(super) struct Job {
    pub(super) ticket: Ticket,
    pub(super) kind: Kind,
}

pub(super) enum Kind {
    Exchange,
    /// The refresh token that was sent, once the request's turn has come.
    Refresh(Option<String>),
    Probe,
}

impl Job {
    /// The same once more, as something went wrong on our side.
    pub(super) fn again(&self) -> Self {
        let kind = match self.kind {
            Kind::Refresh(_) => Kind::Refresh(None),
            Kind::Exchange => Kind::Exchange,
            Kind::Probe => Kind::Probe,
        };
        Self {
            ticket: self.ticket.clone(),
            kind,
        }
    }
}
