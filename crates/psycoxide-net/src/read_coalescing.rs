//! Read coalescing: how long to let an answer gather in the socket before it is read.
//!
//! A server sends a long answer in portions of 8 kB. A client that keeps up with it is woken for
//! each portion, and waking up costs more than reading. So once an answer is known to be long and
//! to come steadily, the client sleeps a little and reads several portions at once, like the
//! interrupt coalescing of network cards.

use std::time::{Duration, Instant};

/// How many bytes a read should find: well below what a socket holds, so that the server need not
/// wait.
const TARGET: u64 = 64 << 10;
/// How many steady reads in a row make an answer a long one.
const STEADY_READS: u32 = 16;
/// The longest gap between two reads of an answer that comes steadily.
const MAX_GAP: Duration = Duration::from_millis(4);
/// The longest delay; the last bytes may be seen this much later.
const MAX_DELAY: Duration = Duration::from_millis(1);
/// The shortest delay worth it: setting the timer costs as much.
const MIN_DELAY: Duration = Duration::from_micros(100);

/// The reads of an answer so far.
#[derive(Debug, Default)]
pub(crate) struct ReadCoalescer {
    last: Option<(Instant, u64)>,
    steady: u32,
}

impl ReadCoalescer {
    /// How long to sleep before the next read, if at all. Called when the socket is empty, with the
    /// number of bytes received since the session began.
    pub(crate) fn delay(&mut self, now: Instant, received: u64) -> Option<Duration> {
        let (then, before) = self.last.replace((now, received))?;
        let passed = now.saturating_duration_since(then);
        let came = received.saturating_sub(before);
        if came == 0 || passed > MAX_GAP {
            self.steady = 0;
            return None;
        }
        self.steady = self.steady.saturating_add(1);
        if self.steady < STEADY_READS {
            return None;
        }
        let nanoseconds = u64::try_from(passed.as_nanos()).ok()?;
        let delay = Duration::from_nanos(nanoseconds.saturating_mul(TARGET) / came);
        // Outside this range the answer is too fast to need a delay, or too slow for one to help.
        (MIN_DELAY..=MAX_GAP).contains(&delay).then(|| delay.min(MAX_DELAY))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The delays for an answer of which `came` bytes come every `apart`.
    fn delays(apart: Duration, came: u64, reads: u32) -> Vec<Option<Duration>> {
        let (mut coalescer, begun) = (ReadCoalescer::default(), Instant::now());
        (0..reads).map(|n| coalescer.delay(begun + apart * n, came * u64::from(n))).collect()
    }

    #[test]
    fn only_long_answers_that_come_steadily_are_delayed() {
        let apart = Duration::from_micros(50);
        let found = delays(apart, 8 << 10, 20);
        assert!(found.iter().take(16).all(Option::is_none), "{found:?}");
        assert!(found.iter().skip(16).all(|delay| *delay == Some(apart * 8)), "{found:?}");
        // Fast, slow, and with pauses.
        assert!(delays(apart, 64 << 10, 30).iter().all(Option::is_none));
        assert!(delays(Duration::from_millis(1), 8 << 10, 30).iter().all(Option::is_none));
        assert!(delays(Duration::from_millis(5), 64 << 10, 30).iter().all(Option::is_none));
        assert!(delays(apart, 0, 30).iter().all(Option::is_none));
    }

    #[test]
    fn no_delay_is_longer_than_a_millisecond_and_a_pause_ends_them() {
        let apart = Duration::from_micros(300);
        assert_eq!(delays(apart, 8 << 10, 17).last(), Some(&Some(MAX_DELAY)));
        let (mut coalescer, mut now, mut received) = (ReadCoalescer::default(), Instant::now(), 0);
        for _ in 0..20 {
            now += apart;
            received += 8 << 10;
            coalescer.delay(now, received);
        }
        assert_eq!(coalescer.delay(now + apart, received), None);
        assert_eq!(coalescer.delay(now + apart * 2, received + 8192), None);
    }
}
