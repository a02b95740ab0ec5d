//! What the driver knows of a session: its transaction, as far as the driver drives it.

use psycoxide_net::SessionSnapshot;
use psycoxide_proto::Request;
use psycoxide_sql::command::begin::Characteristics;

use crate::cast::PlanCache;

/// `connection.status`: what the *driver* did, not what the server says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Status {
    /// Nothing is ready: the connection is being made. An asynchronous one was not polled yet.
    #[default]
    Setup,
    /// No transaction was begun.
    Ready,
    /// The driver began a transaction.
    Begin,
    /// An asynchronous connection is under way.
    Connecting,
    /// `tpc_prepare()` was called.
    Prepared,
}

impl Status {
    /// psycopg2's number (`extensions.STATUS_READY`, …).
    pub fn number(self) -> i32 {
        match self {
            Self::Setup => 0,
            Self::Ready => 1,
            Self::Begin => 2,
            Self::Prepared => 5,
            Self::Connecting => 20,
        }
    }
}

/// Who waits for the answers to what a program runs on a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Waiter {
    /// The call itself, or the wait callback within it.
    #[default]
    Call,
    /// The program, which calls `poll()`.
    Program,
}

/// The driver's view of a session.
#[derive(Default)]
pub struct State {
    /// What the driver did last.
    pub status: Status,
    /// Grows when a transaction ends: a named cursor made before is gone.
    pub transaction_number: u64,
    /// No `BEGIN` is sent on the user's behalf.
    pub autocommit: bool,
    /// A replication session: no transaction is ever begun.
    pub replication: bool,
    /// Who waits for answers.
    pub waiter: Waiter,
    /// Opened with `async=1`: psycopg2's rules for such a connection hold, under which there are no
    /// transactions, named cursors, COPY, large objects and the like.
    pub asynchronous: bool,
    /// Inside `with connection:`.
    pub entered: bool,
    /// How transactions begin.
    pub characteristics: Characteristics,
    /// The identifier of the two-phase transaction under way, as the server knows it.
    pub tpc: Option<String>,
    /// The client encoding as PostgreSQL names it, cleaned.
    pub encoding: String,
    /// The name under which the program asked for the encoding, as long as the server reports the
    /// encoding that it named: a codec may belong to the one name (cp950) and not to the other.
    pub asked_encoding: Option<AskedEncoding>,
    /// Which version of the session's parameters the encoding and the quoting were made from.
    pub parameters_version: Option<u64>,
    /// What forked children are told.
    pub snapshot: Option<Box<SessionSnapshot>>,
    /// The server's version and the protocol's, which are told after the end as well.
    pub versions: (i64, i32),
    /// How the columns of the last results became objects.
    pub plans: PlanCache,
    /// What went wrong last, as `info.error_message` shows it.
    pub error_message: Option<String>,
}

/// A name of an encoding that was set, and the name by which the server reports it.
#[derive(Clone, Debug)]
pub struct AskedEncoding {
    pub name: String,
    pub reported: String,
}

impl State {
    /// Whether a connection that somebody polls is still being made, or did not come about.
    pub fn is_connecting(&self) -> bool {
        self.waiter == Waiter::Program && matches!(self.status, Status::Setup | Status::Connecting)
    }

    /// Whether the driver is to send a `BEGIN` before the next statement.
    pub fn begins(&self) -> bool {
        let wanted = !self.asynchronous && !self.replication && (!self.autocommit || self.entered);
        wanted && self.status == Status::Ready
    }

    /// Puts the `BEGIN` in front of a request, if there has to be one, and notes that; whether there
    /// is one.
    pub fn begin(&mut self, request: Request) -> (Request, bool) {
        if !self.begins() {
            return (request, false);
        }
        self.status = Status::Begin;
        (request.begin(self.characteristics.begin().as_bytes()), true)
    }

    /// The statement that ends the transaction, if there is one: whatever comes of it, the
    /// transaction is over.
    pub fn end(&mut self, command: &str) -> Option<Vec<u8>> {
        if self.status != Status::Begin {
            return None;
        }
        self.transaction_ended();
        Some(command.as_bytes().to_vec())
    }

    /// The transaction is over, one way or the other.
    pub fn transaction_ended(&mut self) {
        self.status = Status::Ready;
        self.transaction_number += 1;
    }
}
