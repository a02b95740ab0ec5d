//! COPY and replication streams: how they begin, and what the driver sends.

use crate::backend::copy::CopyFormat;
use crate::error::{Error, Violation};
use crate::frontend::{copy, extended};
use crate::machine::conversation::{Conversation, Effect, MessageError};
use crate::machine::event::Event;
use crate::machine::transitions::{Action, Message, Phase};
use crate::result::ResultKind;

impl Conversation {
    /// A COPY or a replication stream begins.
    pub(crate) fn copy_begins(
        &mut self,
        action: Action,
        format: CopyFormat,
    ) -> Result<Effect, MessageError> {
        let (kind, event) = match action {
            Action::CopyIn => (ResultKind::CopyIn, Some(Event::CopyIn(format))),
            Action::CopyOut => (ResultKind::CopyOut, Some(Event::CopyOut(format))),
            Action::CopyBoth => (ResultKind::CopyBoth, Some(Event::CopyBoth(format))),
            _ => (ResultKind::CopyIn, None),
        };
        self.outcome.open(kind);
        if event.is_none() {
            self.refuse_copy_in()?;
        }
        self.event = event;
        Ok(Effect::ForgetRows)
    }

    /// Makes the server fail a COPY FROM that it has begun.
    fn refuse_copy_in(&mut self) -> Result<(), MessageError> {
        if !self.queue.is_empty() {
            // The server takes the messages behind the request for data, and most types of message
            // for the end of the session. There is no way to tell how far it has come.
            let (message, phase) = (Message::CopyInResponse.byte(), self.in_flight.reply_phase);
            return Err(Violation::Unexpected { message, phase }.into());
        }
        let (extended, unsynced) = (self.in_flight.is_extended(), self.in_flight.is_unsynced());
        let failed = self.out.append(|out| {
            let reason: &[u8] = match extended {
                true => b"COPY FROM STDIN needs a simple query",
                false => b"COPY FROM STDIN cannot be pipelined",
            };
            copy::copy_fail(out, reason)?;
            if extended && !unsynced {
                // "The backend will ignore Flush and Sync messages received during copy-in mode":
                // the Sync that was sent already is lost, so the server awaits another one.
                // https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-COPY
                extended::sync(out);
            }
            Ok(())
        });
        Ok(failed.map_err(Error::Misuse)?)
    }

    /// Sends data of a COPY.
    pub(crate) fn copy_chunk(&mut self, data: &[u8]) -> Result<(), Error> {
        let sent = match self.copying()? {
            Phase::CopyIn => copy::copy_stream(&mut self.out, data),
            Phase::CopyBoth => self.out.append(|out| copy::copy_data(out, data)),
            _ => Ok(()),
        };
        sent.map_err(Error::Misuse)
    }

    /// Ends the data of a COPY.
    pub(crate) fn copy_done(&mut self) -> Result<(), Error> {
        let next = match self.copying()? {
            Phase::CopyIn => Phase::CopyEnd,
            Phase::CopyBoth => Phase::CopyBothEnd,
            _ => return Ok(()),
        };
        self.phase = next;
        self.out
            .append(|out| {
                copy::copy_done(out);
                Ok(())
            })
            .map_err(Error::Misuse)
    }

    /// Makes the server fail a COPY.
    pub(crate) fn copy_fail(&mut self, reason: &[u8]) -> Result<(), Error> {
        let next = match self.copying()? {
            Phase::CopyIn => Phase::CopyEnd,
            Phase::CopyBoth => Phase::CopyBothEnd,
            _ => return Ok(()),
        };
        self.out.append(|out| copy::copy_fail(out, reason)).map_err(Error::Misuse)?;
        self.phase = next;
        Ok(())
    }

    /// The phase, if a COPY is or was being fed. The driver may not know yet that the server has
    /// ended it, in whatever way: what it still sends is dropped.
    fn copying(&self) -> Result<Phase, Error> {
        match (&self.failure, self.phase) {
            (Some(error), _) => Err(error.clone()),
            (None, Phase::CopyIn | Phase::CopyBoth) => Ok(self.phase),
            (None, Phase::Drain | Phase::CopyEnd | Phase::CopyBothEnd | Phase::Query) => {
                Ok(Phase::Drain)
            }
            (None, Phase::Idle) if self.event.is_some() => Ok(Phase::Drain),
            _ => Err(Error::Misuse("no COPY is under way")),
        }
    }
}
