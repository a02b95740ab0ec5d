//! How far a replication stream has come, and what the server is told about it.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use psycoxide_proto::replication::StandbyStatus;

/// Seconds from 1970-01-01 to 2000-01-01, PostgreSQL's epoch.
const EPOCH: i64 = 946_684_800;

/// The state of a stream.
#[derive(Clone, Copy, Debug)]
pub struct StreamProgress {
    /// Whether payloads are decoded to str.
    pub decode: bool,
    /// How often feedback is sent without a request for it.
    pub status_interval: Duration,
    /// The end of the WAL on the server, as last reported.
    pub wal_end: u64,
    /// When something was last received.
    pub last_io: SystemTime,
    /// How many messages were received, keepalives included.
    pub received: u64,
    /// When feedback was last sent.
    pub last_feedback: SystemTime,
    /// The same on the monotonic clock, to measure intervals; `None` before the first feedback.
    fed_back: Option<Instant>,
    /// The user confirms that everything before this position was received, …
    write: u64,
    /// … is on disk, …
    flush: u64,
    /// … and was applied.
    apply: u64,
    /// Where the last message started.
    last_data_start: u64,
    /// The user has confirmed everything up to here.
    confirmed: u64,
}

impl Default for StreamProgress {
    fn default() -> Self {
        Self {
            decode: false,
            status_interval: Duration::from_secs(10),
            wal_end: 0,
            last_io: UNIX_EPOCH,
            received: 0,
            last_feedback: UNIX_EPOCH,
            fed_back: None,
            write: 0,
            flush: 0,
            apply: 0,
            last_data_start: 0,
            confirmed: 0,
        }
    }
}

impl StreamProgress {
    /// A stream that begins now. The first feedback is due at once, as with psycopg2: programs
    /// compute from its time how long they may wait for the next.
    pub fn begin(decode: bool, status_interval: Duration) -> Self {
        Self { decode, status_interval, last_io: SystemTime::now(), ..Self::default() }
    }

    /// Notes that a message with data came.
    pub fn data(&mut self, data_start: u64, wal_end: u64) {
        self.last_io = SystemTime::now();
        self.received += 1;
        self.last_data_start = data_start;
        self.wal_end = wal_end;
    }

    /// Notes that a keepalive came. If everything received is confirmed, the rest of the WAL counts
    /// as confirmed too: it held nothing for us, and the server must not keep it for ever.
    pub fn keepalive(&mut self, wal_end: u64) {
        self.last_io = SystemTime::now();
        self.received += 1;
        self.wal_end = wal_end;
        if self.confirmed >= self.last_data_start && self.flush < wal_end && self.flush > 0 {
            self.flush = wal_end;
        }
    }

    /// Notes what the user confirms; positions only grow.
    pub fn confirm(&mut self, write: u64, flush: u64, apply: u64) {
        self.write = self.write.max(write);
        self.flush = self.flush.max(flush);
        self.apply = self.apply.max(apply);
        self.confirmed = self.confirmed.max(flush);
    }

    /// Whether feedback is due.
    pub fn is_due(&self) -> bool {
        self.due() <= Instant::now()
    }

    /// When feedback is due.
    pub fn due(&self) -> Instant {
        self.fed_back.map_or_else(Instant::now, |last| last + self.status_interval)
    }

    /// The feedback to send now.
    pub fn status(&mut self, reply: bool) -> StandbyStatus {
        self.fed_back = Some(Instant::now());
        self.last_feedback = SystemTime::now();
        StandbyStatus {
            write: self.write,
            flush: self.flush,
            apply: self.apply,
            time: microseconds(self.last_feedback),
            reply,
        }
    }
}

/// A time as PostgreSQL counts it: microseconds since 2000.
fn microseconds(time: SystemTime) -> i64 {
    let unix = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
    i64::try_from(unix).unwrap_or(i64::MAX).saturating_sub(EPOCH * 1_000_000)
}

/// Converts PostgreSQL's time into seconds since 1970.
pub fn unix_seconds(microseconds: i64) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "a float is what Python's fromtimestamp takes")]
    let seconds = microseconds as f64 / 1e6;
    #[allow(clippy::cast_precision_loss, reason = "the constant is far below 2^53")]
    let epoch = EPOCH as f64;
    seconds + epoch
}

#[cfg(test)]
mod tests {
    use super::*;

    fn confirmed(progress: &mut StreamProgress) -> (u64, u64, u64) {
        let status = progress.status(false);
        (status.write, status.flush, status.apply)
    }

    #[test]
    fn positions_that_the_user_confirms_only_grow() {
        let mut progress = StreamProgress::begin(false, Duration::from_secs(10));
        progress.confirm(9, 8, 7);
        progress.confirm(5, 9, 6);
        assert_eq!(confirmed(&mut progress), (9, 9, 7));
    }

    #[test]
    fn a_keepalive_moves_the_flushed_position_on_only_if_all_data_are_confirmed() {
        let mut progress = StreamProgress::begin(false, Duration::from_secs(10));
        progress.keepalive(50);
        assert_eq!(confirmed(&mut progress), (0, 0, 0), "nothing was confirmed yet");
        progress.data(100, 120);
        progress.confirm(0, 60, 0);
        progress.keepalive(200);
        assert_eq!(confirmed(&mut progress), (0, 60, 0), "the message at 100 is not confirmed");
        progress.confirm(0, 100, 0);
        progress.keepalive(300);
        assert_eq!(confirmed(&mut progress), (0, 300, 0));
        assert_eq!((progress.wal_end, progress.received), (300, 4));
    }

    #[test]
    fn the_first_feedback_is_due_at_once_and_the_next_after_the_interval() {
        let mut progress = StreamProgress::begin(false, Duration::from_secs(3600));
        assert!(progress.is_due());
        progress.status(false);
        assert!(!progress.is_due());
    }

    #[test]
    fn times_count_from_the_year_2000_on_the_wire() {
        assert_eq!(microseconds(UNIX_EPOCH + Duration::from_secs(946_684_801)), 1_000_000);
        assert!((unix_seconds(1_500_000) - 946_684_801.5).abs() < 1e-6);
    }
}
