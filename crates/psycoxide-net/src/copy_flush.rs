//! How long data of a COPY FROM gather before they are sent.
//!
//! A file may give a line or a few bytes at a time. A system call and a wait for each cost many times
//! what the data do, so what comes close together is sent together, as libpq does with less than 8 kB.
//! What comes slowly is sent as it comes: the server is to find out that a row is bad before a slow
//! source has ended.

use std::time::{Duration, Instant};

/// So much is sent at once.
const ENOUGH: usize = 64 << 10;
/// Data that come so long after others were sent are sent as well, however few.
const APART: Duration = Duration::from_millis(50);

/// When data were sent last.
#[derive(Debug)]
pub struct CopyFlushPolicy(Instant);

impl CopyFlushPolicy {
    /// At the beginning of a COPY.
    pub fn begin(now: Instant) -> Self {
        Self(now)
    }

    /// Whether it is time to send the bytes that wait.
    pub fn is_due(&mut self, waiting: usize, now: Instant) -> bool {
        let due = waiting >= ENOUGH || now.saturating_duration_since(self.0) >= APART;
        if due {
            self.0 = now;
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of `reads` of seven bytes each, this far apart, are sent by themselves or end what is
    /// sent together.
    fn sent(reads: u32, apart: Duration) -> usize {
        let begun = Instant::now();
        let mut flush_policy = CopyFlushPolicy::begin(begun);
        let mut waiting = 0;
        (1..=reads)
            .filter(|read| {
                waiting += 7;
                let due = flush_policy.is_due(waiting, begun + apart * *read);
                if due {
                    waiting = 0;
                }
                due
            })
            .count()
    }

    #[test]
    fn what_comes_fast_is_sent_together_and_what_comes_slowly_at_once() {
        assert_eq!(sent(100_000, Duration::ZERO), 100_000 * 7 / ENOUGH);
        assert_eq!(sent(1000, Duration::from_millis(1)), 1000 / 50);
        assert_eq!(sent(100, Duration::from_millis(50)), 100);
        assert_eq!(sent(100, Duration::from_secs(3600)), 100);
    }

    #[test]
    fn much_is_sent_at_once() {
        let now = Instant::now();
        let mut flush_policy = CopyFlushPolicy::begin(now);
        assert!(!flush_policy.is_due(ENOUGH - 1, now));
        assert!(flush_policy.is_due(ENOUGH, now));
    }
}
