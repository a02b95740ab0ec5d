//! What the server reports about the session, during requests and between them.

use std::collections::VecDeque;

use crate::backend::report::Report;
use crate::backend::session::{
    CancelKey, NegotiateProtocolVersion, Notification, TransactionStatus,
};
use crate::error::{Error, Violation};
use crate::machine::in_flight::BeginForm;
use crate::machine::startup::ProtocolVersion;
use crate::machine::statements::Statements;

/// Above this many queued notices and notifications the driver should take them.
const FLOOD: usize = 1000;
/// Above this many bytes of queued notices the driver should take them.
const FLOOD_BYTES: usize = 1 << 20;
/// Above this many bytes the oldest notices are dropped, though never the newest. Far more than
/// arrives between two checks for a flood.
const MAX_NOTICE_BYTES: usize = 16 << 20;
/// The approximate memory of a notice beside its text.
const NOTICE_OVERHEAD: usize = 64;
/// A server reports about fifteen parameters; extensions and poolers add a few.
const USUAL_PARAMETERS: usize = 16;
const MAX_PARAMETERS: usize = 1000;
/// Far above what any real server needs: no name or value is longer than a message may be.
const MAX_PARAMETER_BYTES: usize = 1 << 20;

/// The parameters that PostgreSQL reports at the start of every session, since 9.0. A peer that
/// reports all of them knows the extended query protocol: it is PostgreSQL, or relays PostgreSQL's
/// reports. Servers that speak only the simple protocol report the few that programs ask for, and
/// so do the consoles of poolers.
///
/// <https://www.postgresql.org/docs/current/libpq-status.html#LIBPQ-PQPARAMETERSTATUS>
const REPORTED_BY_POSTGRESQL: [&str; 10] = [
    "server_version",
    "server_encoding",
    "client_encoding",
    "is_superuser",
    "session_authorization",
    "DateStyle",
    "IntervalStyle",
    "TimeZone",
    "integer_datetimes",
    "standard_conforming_strings",
];

/// A parameter that PostgreSQL also reports since 14. Odyssey (1.5.2) relays the others and not
/// this one. It counts each Parse, even one that the server skips after an error before the Sync,
/// and then waits for its reply for ever. The reports of PostgreSQL 13 cannot be told from those of
/// Odyssey.
const REPORTED_SINCE_14: &str = "in_hot_standby";

/// The kind of peer, judged by the parameters that it reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum PeerKind {
    /// Any other peer.
    Unknown,
    /// PostgreSQL, or a pooler that may lose count of what a server skips.
    PostgreSql,
    /// PostgreSQL since 14, or a pooler that relays all its reports and keeps count.
    PostgreSql14,
}

impl PeerKind {
    /// An empty parameter counts as not reported: PostgreSQL's are never empty. PGlite reports an
    /// empty `session_authorization`. It takes the messages of several clients in turns, and only a
    /// simple query is a single message.
    fn of(parameters: &ServerParameters) -> PeerKind {
        let reported = |name: &str| parameters.get(name).is_some_and(|text| !text.is_empty());
        if !REPORTED_BY_POSTGRESQL.into_iter().all(reported) {
            PeerKind::Unknown
        } else if reported(REPORTED_SINCE_14) {
            PeerKind::PostgreSql14
        } else {
            PeerKind::PostgreSql
        }
    }
}

/// The state of the session, as the server reports it.
#[derive(Debug)]
pub(crate) struct SessionState {
    pub(crate) status: TransactionStatus,
    /// Whether the peer knows the extended query protocol, once that is known.
    extended: Option<bool>,
    /// The kind of peer, once the server has been ready.
    peer: Option<PeerKind>,
    pub(crate) protocol: ProtocolVersion,
    pub(crate) key: Option<CancelKey>,
    pub(crate) parameters: ServerParameters,
    pub(crate) statements: Statements,
    notices: VecDeque<Report>,
    notice_bytes: usize,
    notifications: Vec<Notification>,
}

impl SessionState {
    pub(crate) fn new(protocol: ProtocolVersion) -> SessionState {
        SessionState {
            status: TransactionStatus::Idle,
            extended: None,
            peer: None,
            protocol,
            key: None,
            parameters: ServerParameters::default(),
            statements: Statements::default(),
            notices: VecDeque::new(),
            notice_bytes: 0,
            notifications: Vec::new(),
        }
    }

    /// How to send a BEGIN to this peer: with as few round trips as are safe.
    pub(crate) fn begin_form(&self) -> BeginForm {
        match self.extended {
            Some(true) if self.pipelines() => BeginForm::Together,
            Some(true) => BeginForm::Alone,
            None if self.peer >= Some(PeerKind::PostgreSql) => BeginForm::First,
            None | Some(false) => BeginForm::Simple,
        }
    }

    /// Whether several statements may go before one Sync: the peer has answered by the extended
    /// query protocol, and knows what a server skips when one of them fails.
    pub(crate) fn pipelines(&self) -> bool {
        self.extended == Some(true) && self.peer == Some(PeerKind::PostgreSql14)
    }

    /// Whether the names of statements last; `None` as long as nothing is known. Who cannot be asked
    /// gets none.
    pub(crate) fn names_last(&self) -> Option<bool> {
        let is_able = self.extended != Some(false)
            && self.key.is_some()
            && self.peer.is_none_or(|peer| peer == PeerKind::PostgreSql14);
        if is_able { self.statements.names_last() } else { Some(false) }
    }

    /// Whether parameters can be bound by this peer: it reports what PostgreSQL does, has refused
    /// nothing so far, and is not the pooler Odyssey. That reports a newer server's version, and not all
    /// that such a server does. In transaction mode it prepares statements without a name under names of
    /// its own, which fail once a table has changed.
    pub(crate) fn binds(&self, server_version: impl FnOnce() -> u32) -> bool {
        let is_postgresql = match self.peer {
            Some(PeerKind::PostgreSql14) => true,
            Some(PeerKind::PostgreSql) => server_version() < 140_000,
            Some(PeerKind::Unknown) | None => false,
        };
        is_postgresql && self.extended != Some(false)
    }

    /// Judges the peer by its reports up to the first ReadyForQuery. A pooler may relay more of
    /// them later.
    pub(crate) fn settle(&mut self) {
        if self.peer.is_none() {
            self.peer = Some(PeerKind::of(&self.parameters));
        }
    }

    /// Notes that the peer has answered a request by the extended query protocol, or refused one.
    pub(crate) fn set_extended(&mut self, extended: bool) {
        self.extended = Some(extended);
    }

    /// Queues a notice. Drops the oldest ones if nobody takes them.
    pub(crate) fn add_notice(&mut self, report: Report) {
        self.notice_bytes += report.memory() + NOTICE_OVERHEAD;
        self.notices.push_back(report);
        while self.notice_bytes > MAX_NOTICE_BYTES && self.notices.len() > 1 {
            let Some(oldest) = self.notices.pop_front() else { break };
            self.notice_bytes -= oldest.memory() + NOTICE_OVERHEAD;
        }
    }

    pub(crate) fn add_notification(&mut self, notification: Notification) {
        self.notifications.push(notification);
    }

    pub(crate) fn take_notices(&mut self) -> Vec<Report> {
        self.notice_bytes = 0;
        self.notices.drain(..).collect()
    }

    pub(crate) fn take_notifications(&mut self) -> Vec<Notification> {
        std::mem::take(&mut self.notifications)
    }

    pub(crate) fn backlog(&self) -> usize {
        self.notices.len() + self.notifications.len()
    }

    /// Whether the driver should take notices and notifications before more is read.
    pub(crate) fn is_flooded(&self) -> bool {
        self.backlog() > FLOOD || self.notice_bytes > FLOOD_BYTES
    }

    pub(crate) fn pending_notifications(&self) -> usize {
        self.notifications.len()
    }

    /// Accepts the older version that the server offers.
    ///
    /// The manual describes the number as a minor version, but servers send the whole version. Both
    /// are accepted.
    pub(crate) fn negotiate(&mut self, offer: &NegotiateProtocolVersion<'_>) -> Result<(), Error> {
        let asked = self.protocol;
        let code = if offer.newest >> 16 == 0 {
            u32::from(asked.major) << 16 | offer.newest
        } else {
            offer.newest
        };
        let [a, b, c, d] = code.to_be_bytes();
        let (major, minor) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        let offered = ProtocolVersion { major, minor };
        let malformed = |reason| Violation::Malformed { message: b'v', reason }.into();
        if offered.major != asked.major {
            return Err(malformed("the server offers another major protocol version"));
        }
        if offered > asked {
            return Err(malformed("the server asks for a newer protocol version than offered"));
        }
        self.protocol = offered;
        if let Some(option) = offer.unknown.first() {
            return Err(if option.starts_with(b"_pq_.") {
                Error::Unsupported(format!(
                    "the server does not support the protocol option \"{}\"",
                    String::from_utf8_lossy(option)
                ))
            } else {
                malformed("the server refuses an option that is not a protocol option")
            });
        }
        Ok(())
    }
}

/// The run-time parameters that the server reports, with their current values.
#[derive(Debug, Default)]
pub(crate) struct ServerParameters {
    /// So few that a linear search is enough.
    values: Vec<ServerParameter>,
    bytes: usize,
    version: u64,
}

/// A name and a value, in one allocation.
#[derive(Debug)]
struct ServerParameter {
    text: Box<[u8]>,
    /// The length of the name.
    name: usize,
}

impl ServerParameter {
    fn new(name: &[u8], value: &[u8]) -> ServerParameter {
        ServerParameter { text: [name, value].concat().into(), name: name.len() }
    }

    /// The value, if `name` is this parameter's name.
    fn value_of(&self, name: &[u8]) -> Option<&[u8]> {
        self.text
            .split_at_checked(self.name)
            .filter(|(own, _)| *own == name)
            .map(|(_, value)| value)
    }
}

impl ServerParameters {
    /// Stores a parameter's new value.
    pub(crate) fn set(&mut self, name: &[u8], value: &[u8]) -> Result<(), Violation> {
        match self.values.iter_mut().find(|known| known.value_of(name).is_some()) {
            Some(known) => {
                let old = known.value_of(name).unwrap_or_default();
                if old == value {
                    return Ok(());
                }
                self.bytes -= old.len();
                self.bytes += value.len();
                *known = ServerParameter::new(name, value);
            }
            None => {
                self.bytes += name.len() + value.len();
                if self.values.is_empty() {
                    self.values.reserve(USUAL_PARAMETERS);
                }
                self.values.push(ServerParameter::new(name, value));
            }
        }
        self.version += 1;
        if self.values.len() > MAX_PARAMETERS || self.bytes > MAX_PARAMETER_BYTES {
            return Err(Violation::Flood("parameters"));
        }
        Ok(())
    }

    pub(crate) fn get(&self, name: &str) -> Option<&[u8]> {
        self.values.iter().find_map(|known| known.value_of(name.as_bytes()))
    }

    /// All names and values.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.values.iter().filter_map(|known| known.text.split_at_checked(known.name))
    }

    /// A number that is increased at each change.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(text: &str) -> Report {
        Report::parse(format!("M{text}\0\0").as_bytes()).unwrap()
    }

    #[test]
    fn notices_are_queued_in_order_and_a_flood_is_reported() {
        let mut session = SessionState::new(ProtocolVersion::V3_0);
        for n in 0..=FLOOD {
            assert!(!session.is_flooded());
            session.add_notice(report(&n.to_string()));
        }
        assert!(session.is_flooded());
        let notices = session.take_notices();
        assert!(!session.is_flooded() && session.backlog() == 0);
        let texts = notices.iter().map(|notice| notice.message().unwrap().to_vec());
        assert!(texts.eq((0..=FLOOD).map(|n| n.to_string().into_bytes())));
        session.add_notice(report(&"x".repeat(FLOOD_BYTES)));
        assert!(session.is_flooded());
    }

    #[test]
    fn the_queue_of_notices_is_bounded() {
        let mut session = SessionState::new(ProtocolVersion::V3_0);
        for n in 0..MAX_NOTICE_BYTES / NOTICE_OVERHEAD {
            session.add_notice(report(&n.to_string()));
        }
        assert!(session.backlog() < MAX_NOTICE_BYTES / NOTICE_OVERHEAD);
        session.add_notice(report(&"x".repeat(2 * MAX_NOTICE_BYTES)));
        assert_eq!(session.backlog(), 1);
        session.add_notice(report("next"));
        let notices = session.take_notices();
        assert_eq!(notices.len(), 1);
        assert_eq!(notices[0].message(), Some(&b"next"[..]));
    }

    #[test]
    fn a_parameter_has_its_last_value_and_changes_are_counted() {
        let mut parameters = ServerParameters::default();
        parameters.set(b"TimeZone", b"UTC").unwrap();
        assert_eq!(parameters.version(), 1);
        parameters.set(b"TimeZone", b"UTC").unwrap();
        assert_eq!(parameters.version(), 1);
        parameters.set(b"TimeZone", b"Europe/Rome").unwrap();
        assert_eq!(parameters.version(), 2);
        assert_eq!(parameters.get("TimeZone"), Some(&b"Europe/Rome"[..]));
        assert_eq!(parameters.get("timezone"), None);
    }

    #[test]
    fn parameters_are_bounded() {
        let mut parameters = ServerParameters::default();
        let flood = (0..=MAX_PARAMETERS).map(|n| parameters.set(n.to_string().as_bytes(), b"x"));
        assert_eq!(flood.last(), Some(Err(Violation::Flood("parameters"))));
        let mut parameters = ServerParameters::default();
        let value = vec![b'x'; 29_000];
        let flood = (0..40).try_for_each(|n| parameters.set(n.to_string().as_bytes(), &value));
        assert_eq!(flood, Err(Violation::Flood("parameters")));
    }

    #[test]
    fn an_older_minor_version_is_accepted_in_both_spellings() {
        for newest in [0, 3 << 16] {
            let mut session = SessionState::new(ProtocolVersion::V3_2);
            let offer = NegotiateProtocolVersion { newest, unknown: vec![] };
            session.negotiate(&offer).unwrap();
            assert_eq!(session.protocol, ProtocolVersion::V3_0);
        }
    }

    #[test]
    fn other_versions_and_options_are_refused() {
        for (newest, unknown) in [
            (2 << 16, vec![]),
            (4 << 16, vec![]),
            (3 << 16 | 3, vec![]),
            (3 << 16, vec![&b"_pq_.x"[..]]),
            (3 << 16, vec![&b"user"[..]]),
        ] {
            let mut session = SessionState::new(ProtocolVersion::V3_2);
            assert!(session.negotiate(&NegotiateProtocolVersion { newest, unknown }).is_err());
        }
    }
}
