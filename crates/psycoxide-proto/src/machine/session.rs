//! What the server has told about the session besides its answers.

use std::collections::VecDeque;

use crate::backend::report::Report;
use crate::backend::session::{CancelKey, Notification, TransactionStatus};
use crate::error::Violation;
use crate::machine::startup::ProtocolVersion;

/// More parameters than any server reports: a peer that sends more wants our memory.
const MAX_PARAMETERS: usize = 1000;
/// So many notices are kept between two looks: psycopg2's list holds as many.
const MAX_NOTICES: usize = 50;
/// So many bytes of notices at most.
const MAX_NOTICE_BYTES: usize = 4 << 20;

/// The session's state.
#[derive(Debug)]
pub(crate) struct Session {
    parameters: Vec<(Vec<u8>, Vec<u8>)>,
    pub(crate) parameters_version: u64,
    pub(crate) cancel_key: Option<CancelKey>,
    pub(crate) transaction: TransactionStatus,
    pub(crate) protocol: ProtocolVersion,
    notices: VecDeque<Report>,
    notice_bytes: usize,
    pub(crate) notifications: Vec<Notification>,
}

impl Session {
    pub(crate) fn new(protocol: ProtocolVersion) -> Self {
        Self {
            parameters: Vec::new(),
            parameters_version: 0,
            cancel_key: None,
            transaction: TransactionStatus::Idle,
            protocol,
            notices: VecDeque::new(),
            notice_bytes: 0,
            notifications: Vec::new(),
        }
    }

    pub(crate) fn parameter(&self, name: &[u8]) -> Option<&[u8]> {
        let found = self.parameters.iter().find(|(other, _)| other == name)?;
        Some(&found.1)
    }

    pub(crate) fn set_parameter(&mut self, name: &[u8], value: &[u8]) -> Result<(), Violation> {
        let full = self.parameters.len() >= MAX_PARAMETERS;
        match self.parameters.iter_mut().find(|(other, _)| other == name) {
            Some((_, old)) if old == value => return Ok(()),
            Some((_, old)) => *old = value.to_vec(),
            None if full => {
                return Err(Violation::Flood("parameters"));
            }
            None => self.parameters.push((name.to_vec(), value.to_vec())),
        }
        self.parameters_version += 1;
        Ok(())
    }

    pub(crate) fn backlog(&self) -> usize {
        self.notices.len() + self.notifications.len()
    }

    pub(crate) fn notice(&mut self, notice: Report, bytes: usize) {
        self.notices.push_back(notice);
        self.notice_bytes = self.notice_bytes.saturating_add(bytes);
        while self.notices.len() > MAX_NOTICES
            || self.notice_bytes > MAX_NOTICE_BYTES && self.notices.len() > 1
        {
            if let Some(dropped) = self.notices.pop_front() {
                self.notice_bytes = self.notice_bytes.saturating_sub(dropped.size());
            }
        }
    }

    pub(crate) fn take_notices(&mut self) -> Vec<Report> {
        self.notice_bytes = 0;
        std::mem::take(&mut self.notices).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_replaced_and_bounded() {
        let mut session = Session::new(ProtocolVersion::V3_0);
        session.set_parameter(b"a", b"1").unwrap();
        session.set_parameter(b"a", b"1").unwrap();
        assert_eq!(session.parameters_version, 1);
        session.set_parameter(b"a", b"2").unwrap();
        assert_eq!((session.parameter(b"a"), session.parameters_version), (Some(&b"2"[..]), 2));
        for number in 0..MAX_PARAMETERS {
            let _ = session.set_parameter(number.to_string().as_bytes(), b"");
        }
        assert!(session.set_parameter(b"one too many", b"").is_err());
    }

    #[test]
    fn only_the_newest_notices_are_kept() {
        let mut session = Session::new(ProtocolVersion::V3_0);
        for number in 0..200 {
            let body = format!("M{number}\0\0");
            session.notice(Report::parse(body.as_bytes()).unwrap(), body.len());
        }
        let notices = session.take_notices();
        assert_eq!(notices.len(), MAX_NOTICES);
        assert_eq!(notices[0].field(b'M'), Some(&b"150"[..]));
        assert_eq!(session.backlog(), 0);
    }

    #[test]
    fn long_notices_push_others_out() {
        let mut session = Session::new(ProtocolVersion::V3_0);
        for _ in 0..20 {
            let body = [b"M", vec![b'x'; 1 << 20].as_slice(), b"\0\0"].concat();
            session.notice(Report::parse(&body).unwrap(), body.len());
        }
        assert!(session.take_notices().len() <= 4);
    }
}
