//! What the model has been ordered to do, and what came of it.

use crate::config::GrantType;
use crate::oauth::device::PollFailure;
use crate::oauth::token::{Failure, Grant};
use crate::vault::order::Ticket;
use crate::vault::transition::Prepared;

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
    Prepare(GrantType),
    Poll,
}

/// What the provider answered.
pub(super) enum Answer {
    Token(Result<Grant, Failure>),
    Prepared(Result<Prepared, Failure>),
    Polled(Result<Grant, PollFailure>),
}

impl Job {
    /// The same once more, as something went wrong on our side.
    pub(super) fn again(&self) -> Self {
        let kind = match self.kind {
            Kind::Refresh(_) => Kind::Refresh(None),
            Kind::Exchange => Kind::Exchange,
            Kind::Probe => Kind::Probe,
            Kind::Prepare(grant) => Kind::Prepare(grant),
            Kind::Poll => Kind::Poll,
        };
        Self {
            ticket: self.ticket.clone(),
            kind,
        }
    }
}

impl Answer {
    /// The same answer, to be delivered a second time. What nobody can have twice is a failure
    /// then.
    pub(super) fn copy(&self) -> Self {
        match self {
            Self::Token(result) => Self::Token(match result {
                Ok(grant) => Ok(copy(grant)),
                Err(failure) => Err(copy_failure(failure)),
            }),
            Self::Polled(Ok(grant)) => Self::Polled(Ok(copy(grant))),
            Self::Polled(Err(_)) => Self::Polled(Err(PollFailure::Pending)),
            Self::Prepared(_) => Self::Prepared(Err(Failure {
                kind: crate::oauth::token::FailureKind::Misconfigured,
                reason: "a second answer".into(),
                rotated: None,
            })),
        }
    }
}

fn copy(grant: &Grant) -> Grant {
    Grant {
        access_token: grant.access_token.duplicate(),
        lifetime: grant.lifetime,
        refresh_token: grant.refresh_token.as_ref().map(|token| token.duplicate()),
        scope: grant.scope.clone(),
    }
}

fn copy_failure(failure: &Failure) -> Failure {
    Failure {
        kind: failure.kind,
        reason: failure.reason.clone(),
        rotated: failure.rotated.as_ref().map(|token| token.duplicate()),
    }
}
