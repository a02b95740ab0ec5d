//! How long the server of a replication stream may stay silent.
//!
//! A stream without changes is silent by nature, for ever if nobody asks. So the server is asked
//! for a reply, and a server that is alive answers.

use std::time::{Duration, Instant};

/// The time since the server last sent something.
pub struct KeepaliveTimer {
    since: Instant,
    asked: bool,
}

/// What to do about the silence.
#[derive(Debug, PartialEq, Eq)]
pub enum KeepaliveAction {
    /// Wait until this time.
    Wait(Instant),
    /// Ask the server for a reply, and wait until this time.
    Ask(Instant),
    /// The server is gone.
    GiveUp,
}

impl Default for KeepaliveTimer {
    fn default() -> Self {
        Self { since: Instant::now(), asked: false }
    }
}

impl KeepaliveTimer {
    /// What to do now, if the server may be silent for `timeout`. It is asked after half of that
    /// time.
    pub fn next(&mut self, timeout: Duration) -> KeepaliveAction {
        self.next_at(timeout, Instant::now())
    }

    fn next_at(&mut self, timeout: Duration, now: Instant) -> KeepaliveAction {
        let (ask, end) = (self.since + timeout / 2, self.since + timeout);
        if !self.asked && now < ask {
            return KeepaliveAction::Wait(ask);
        }
        if !self.asked {
            // The server has the other half of the time to answer, however late the question comes.
            self.asked = true;
            self.since += now - ask;
            return KeepaliveAction::Ask(self.since + timeout);
        }
        if now < end { KeepaliveAction::Wait(end) } else { KeepaliveAction::GiveUp }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(10);

    fn after(since: Instant, seconds: u64) -> Instant {
        since + Duration::from_secs(seconds)
    }

    #[test]
    fn the_server_is_asked_once_then_given_up() {
        let mut timer = KeepaliveTimer::default();
        let since = timer.since;
        assert_eq!(timer.next_at(TIMEOUT, after(since, 1)), KeepaliveAction::Wait(after(since, 5)));
        assert_eq!(timer.next_at(TIMEOUT, after(since, 5)), KeepaliveAction::Ask(after(since, 10)));
        assert_eq!(
            timer.next_at(TIMEOUT, after(since, 6)),
            KeepaliveAction::Wait(after(since, 10))
        );
        assert_eq!(timer.next_at(TIMEOUT, after(since, 10)), KeepaliveAction::GiveUp);
    }

    #[test]
    fn the_server_is_not_given_up_before_it_was_asked() {
        let mut timer = KeepaliveTimer::default();
        let since = timer.since;
        assert_eq!(
            timer.next_at(TIMEOUT, after(since, 60)),
            KeepaliveAction::Ask(after(since, 65))
        );
        assert_eq!(timer.next_at(TIMEOUT, after(since, 65)), KeepaliveAction::GiveUp);
    }
}
