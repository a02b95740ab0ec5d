//! How long to let an answer gather in the socket before it is read.
//!
//! A server sends a long answer in portions of 8 kB. A client that keeps up with it is woken for
//! each of them, and being woken costs more than reading: so, once an answer is known to be long and
//! to come steadily, it is read when there is more of it. As network cards do with their interrupts.

use std::time::{Duration, Instant};

/// So much is to be there when it is read: well below what a socket holds, so that the server need
/// not wait.
const GATHERED: u64 = 64 << 10;
/// After so many reads in a row an answer is a long one.
const STEADY: u32 = 16;
/// So far apart reads are of an answer that comes steadily.
const APART: Duration = Duration::from_millis(4);
/// The longest rest: what comes last may be seen so much later.
const LONGEST: Duration = Duration::from_millis(1);
/// Less than that is no rest: setting the clock costs as much.
const SHORTEST: Duration = Duration::from_micros(100);

/// The reads of an answer so far.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    last: Option<(Instant, u64)>,
    steady: u32,
}

impl Pace {
    /// How long to rest before the next read, if at all, now that there is nothing more to read and
    /// `received` bytes have come since the beginning.
    pub(crate) fn rest(&mut self, now: Instant, received: u64) -> Option<Duration> {
        let (then, before) = self.last.replace((now, received))?;
        let passed = now.saturating_duration_since(then);
        let came = received.saturating_sub(before);
        if came == 0 || passed > APART {
            self.steady = 0;
            return None;
        }
        self.steady = self.steady.saturating_add(1);
        if self.steady < STEADY {
            return None;
        }
        let nanoseconds = u64::try_from(passed.as_nanos()).ok()?;
        let rest = Duration::from_nanos(nanoseconds.saturating_mul(GATHERED) / came);
        // Too fast to need one, or too slow for one to help.
        (SHORTEST..=APART).contains(&rest).then(|| rest.min(LONGEST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rests of an answer of which `came` bytes come every `apart`.
    fn rests(apart: Duration, came: u64, reads: u32) -> Vec<Option<Duration>> {
        let (mut pace, begun) = (Pace::default(), Instant::now());
        (0..reads).map(|n| pace.rest(begun + apart * n, came * u64::from(n))).collect()
    }

    #[test]
    fn only_a_long_answer_that_comes_steadily_is_let_gather() {
        let apart = Duration::from_micros(50);
        let found = rests(apart, 8 << 10, 20);
        assert!(found.iter().take(16).all(Option::is_none), "{found:?}");
        assert!(found.iter().skip(16).all(|rest| *rest == Some(apart * 8)), "{found:?}");
        // Fast, slow, and with pauses.
        assert!(rests(apart, 64 << 10, 30).iter().all(Option::is_none));
        assert!(rests(Duration::from_millis(1), 8 << 10, 30).iter().all(Option::is_none));
        assert!(rests(Duration::from_millis(5), 64 << 10, 30).iter().all(Option::is_none));
        assert!(rests(apart, 0, 30).iter().all(Option::is_none));
    }

    #[test]
    fn no_rest_is_longer_than_a_millisecond_and_a_pause_ends_them() {
        let apart = Duration::from_micros(300);
        assert_eq!(rests(apart, 8 << 10, 17).last(), Some(&Some(LONGEST)));
        let (mut pace, mut now, mut received) = (Pace::default(), Instant::now(), 0);
        for _ in 0..20 {
            now += apart;
            received += 8 << 10;
            pace.rest(now, received);
        }
        assert_eq!(pace.rest(now + apart, received), None);
        assert_eq!(pace.rest(now + apart * 2, received + 8192), None);
    }
}
