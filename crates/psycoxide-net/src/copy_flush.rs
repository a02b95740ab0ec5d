//! When the buffered data of a COPY FROM are sent.
//!
//! A file may yield a line or a few bytes at a time. A system call and a wait for each would cost
//! many times what the data do, so data that come close together are sent together, as libpq does
//! below 8 kB. Data that come slowly are sent as they come, so that the server can reject a bad row
//! before a slow source has ended.

use std::time::{Duration, Instant};

/// Buffered data of this size are sent at once.
const FLUSH_SIZE: usize = 64 << 10;
/// Data that come this long after the last were sent are sent too, however few they are.
const FLUSH_INTERVAL: Duration = Duration::from_millis(50);

/// Decides when to flush, by the time when data were sent last.
#[derive(Debug)]
pub struct CopyFlushPolicy(Instant);

impl CopyFlushPolicy {
    /// The policy at the beginning of a COPY.
    pub fn begin(now: Instant) -> Self {
        Self(now)
    }

    /// Whether it is time to send the `waiting` bytes.
    pub fn is_due(&mut self, waiting: usize, now: Instant) -> bool {
        let due = waiting >= FLUSH_SIZE || now.saturating_duration_since(self.0) >= FLUSH_INTERVAL;
        if due {
            self.0 = now;
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many flushes `reads` of seven bytes each cause, this far apart.
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
    fn fast_data_are_sent_together_and_slow_data_at_once() {
        assert_eq!(sent(100_000, Duration::ZERO), 100_000 * 7 / FLUSH_SIZE);
        assert_eq!(sent(1000, Duration::from_millis(1)), 1000 / 50);
        assert_eq!(sent(100, Duration::from_millis(50)), 100);
        assert_eq!(sent(100, Duration::from_secs(3600)), 100);
    }

    #[test]
    fn a_full_buffer_is_sent_at_once() {
        let now = Instant::now();
        let mut flush_policy = CopyFlushPolicy::begin(now);
        assert!(!flush_policy.is_due(FLUSH_SIZE - 1, now));
        assert!(flush_policy.is_due(FLUSH_SIZE, now));
    }
}
