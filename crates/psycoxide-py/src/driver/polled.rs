//! The user waits and calls `poll()`: the one place where an interest becomes psycopg2's numbers.

use psycoxide_net::{Error, Interest, Progress};
use psycoxide_proto::Engine;

use psycoxide_net::{PollState, Session, Stop};

/// `extensions.POLL_OK`
pub const POLL_OK: i32 = 0;
/// `extensions.POLL_READ`
pub const POLL_READ: i32 = 1;
/// `extensions.POLL_WRITE`
pub const POLL_WRITE: i32 = 2;

/// Moves the operation on as far as it goes without waiting. `None` when it has ended or paused;
/// else what to wait for.
///
/// psycopg2's constants cannot say "either": while sending, the answer is `POLL_WRITE`.
pub fn poll(session: &Session) -> Result<Option<i32>, Error> {
    loop {
        match session.advance() {
            Ok(Progress::Event(event)) => {
                session.set_poll_state(PollState::Ended(Stop::Event(event)));
                return Ok(None);
            }
            Ok(Progress::Yield) => {
                if session.ask(Engine::backlog).unwrap_or_default() > 0 {
                    // Let the caller deliver them. What is left to be read may not be in the socket
                    // any more, with TLS; it can be written to in any case.
                    return Ok(Some(POLL_WRITE));
                }
            }
            Ok(Progress::Wait(interest)) if session.is_hungry(interest) => {
                session.set_poll_state(PollState::Ended(Stop::Hungry));
                return Ok(None);
            }
            Ok(Progress::Wait(interest)) => {
                session.set_poll_state(PollState::Running { wants: interest });
                return Ok(Some(number(interest)));
            }
            Err(error) => {
                session.set_poll_state(PollState::Idle);
                return Err(error);
            }
        }
    }
}

fn number(interest: Interest) -> i32 {
    if interest.contains(Interest::WRITE) { POLL_WRITE } else { POLL_READ }
}
