//! Whether a server is of the kind that `target_session_attrs` asks for.
//!
//! <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNECT-TARGET-SESSION-ATTRS>

use psycoxide_proto::{Engine, QueryResult};

use crate::config::TargetSession;

/// The first version whose standbys accept sessions; earlier ones lack the function to ask.
const STANDBYS_SINCE: u32 = 90_000;

/// A question to a server that does not report its kind by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Question {
    ReadOnly,
    Standby,
}

impl Question {
    pub(super) fn sql(self) -> &'static str {
        match self {
            Question::ReadOnly => "SHOW transaction_read_only",
            Question::Standby => "SELECT pg_catalog.pg_is_in_recovery()",
        }
    }

    /// The answer's only field, as a boolean.
    pub(super) fn answer(self, result: Option<&QueryResult>) -> Option<bool> {
        let rows = &result?.rows;
        let row = rows.next_row(&mut rows.start())?;
        let mut fields = row.fields();
        match fields.next()?? {
            b"on" | b"t" => Some(true),
            b"off" | b"f" => Some(false),
            _ => None,
        }
    }
}

/// Whether a server is of the wanted kind.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Fit,
    /// The server is of the wrong kind, with libpq's text.
    Unfit(&'static str),
    /// The server has to be asked first.
    Ask(Question),
}

/// Judges by the parameters that the server reported; from PostgreSQL 14 on they suffice.
pub(super) fn judge(wanted: TargetSession, engine: &Engine) -> Verdict {
    let reported = |name| engine.parameter(name).map(|value| value == b"on");
    let standby = reported("in_hot_standby")
        .or_else(|| (engine.server_version() < STANDBYS_SINCE).then_some(false));
    decide(wanted, standby, reported("default_transaction_read_only"))
}

fn decide(wanted: TargetSession, standby: Option<bool>, read_only: Option<bool>) -> Verdict {
    let question = match wanted {
        TargetSession::Any => return Verdict::Fit,
        TargetSession::ReadWrite | TargetSession::ReadOnly => Question::ReadOnly,
        TargetSession::Primary | TargetSession::Standby | TargetSession::PreferStandby => {
            Question::Standby
        }
    };
    match (question, standby, read_only) {
        (Question::ReadOnly, Some(standby), Some(read_only)) => weigh(wanted, standby || read_only),
        (Question::Standby, Some(standby), _) => weigh(wanted, standby),
        _ => Verdict::Ask(question),
    }
}

/// Judges by the answer to the question that decides about `wanted`.
pub(super) fn weigh(wanted: TargetSession, answer: bool) -> Verdict {
    match (wanted, answer) {
        (TargetSession::ReadWrite, true) => Verdict::Unfit("session is read-only"),
        (TargetSession::ReadOnly, false) => Verdict::Unfit("session is not read-only"),
        (TargetSession::Primary, true) => Verdict::Unfit("server is in hot standby mode"),
        (TargetSession::Standby | TargetSession::PreferStandby, false) => {
            Verdict::Unfit("server is not in hot standby mode")
        }
        _ => Verdict::Fit,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use TargetSession::{Any, PreferStandby, Primary, ReadOnly, ReadWrite, Standby};

    #[test]
    fn what_the_server_reports_decides() {
        let fits = |wanted, standby, read_only| {
            decide(wanted, Some(standby), Some(read_only)) == Verdict::Fit
        };
        let kinds = [Any, ReadWrite, ReadOnly, Primary, Standby, PreferStandby];
        let table = |standby, read_only| kinds.map(|wanted| fits(wanted, standby, read_only));
        assert_eq!(table(false, false), [true, true, false, true, false, false]);
        assert_eq!(table(false, true), [true, false, true, true, false, false]);
        assert_eq!(table(true, false), [true, false, true, false, true, true]);
        assert_eq!(table(true, true), [true, false, true, false, true, true]);
    }

    #[test]
    fn the_server_is_asked_what_it_does_not_report() {
        assert_eq!(decide(ReadWrite, None, Some(false)), Verdict::Ask(Question::ReadOnly));
        assert_eq!(decide(ReadOnly, Some(false), None), Verdict::Ask(Question::ReadOnly));
        assert_eq!(decide(Primary, None, None), Verdict::Ask(Question::Standby));
        assert_eq!(decide(Standby, Some(true), None), Verdict::Fit);
        assert_eq!(decide(Any, None, None), Verdict::Fit);
    }

    #[test]
    fn a_missing_answer_decides_nothing() {
        assert_eq!(Question::Standby.answer(None), None);
        assert_eq!(Question::Standby.answer(Some(&QueryResult::default())), None);
    }
}
