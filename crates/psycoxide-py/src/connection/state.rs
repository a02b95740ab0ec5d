//! What the driver knows about a session, first of all the transaction that it has begun.

use std::sync::Arc;

use psycoxide_arrow::Catalog;
use psycoxide_net::SessionSnapshot;
use psycoxide_proto::Request;
use psycoxide_sql::command::begin::Characteristics;

use crate::cast::{FormatCache, PlanCache};

/// `connection.status`: what the *driver* did, not what the server says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Status {
    /// The connection is being opened. An asynchronous one was not polled yet.
    #[default]
    Setup,
    /// The driver has begun no transaction.
    Ready,
    /// The driver has begun a transaction.
    Begin,
    /// An asynchronous connection is being opened, and was polled.
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

/// Who waits for the replies to what a program runs on a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Waiter {
    /// The call itself, or the wait callback within it.
    #[default]
    Call,
    /// The program, which calls `poll()`.
    Program,
    /// An event loop, which wakes the task that awaits the call.
    EventLoop,
}

/// The driver's view of a session.
#[derive(Default)]
pub struct State {
    /// The driver's status.
    pub status: Status,
    /// Counts the transactions that have ended: a named cursor or large object with another number
    /// is gone.
    pub transaction_number: u64,
    /// No `BEGIN` is sent on the user's behalf.
    pub autocommit: bool,
    /// A replication session: no transaction is ever begun.
    pub replication: bool,
    /// Who waits for replies.
    pub waiter: Waiter,
    /// Opened with `async=1`: psycopg2's rules hold, which forbid transactions, named cursors,
    /// COPY, large objects and the like.
    pub asynchronous: bool,
    /// An operation keeps its turn between two calls.
    pub has_place: bool,
    /// Inside `with connection:`.
    pub entered: bool,
    /// How transactions begin.
    pub characteristics: Characteristics,
    /// How they begin outside the block of a transaction that has its own characteristics.
    pub usual_characteristics: Option<Characteristics>,
    /// The identifier of the current two-phase transaction, as the server knows it.
    pub tpc: Option<String>,
    /// The client encoding: PostgreSQL's name without punctuation.
    pub encoding: String,
    /// The name by which the program set the encoding, while the server still reports that
    /// encoding. It decides the codec: cp950 for WIN950, which the server reports as BIG5.
    pub asked_encoding: Option<AskedEncoding>,
    /// The version of the session's parameters that encoding and quoting were derived from.
    pub parameters_version: Option<u64>,
    /// What forked children can read.
    pub snapshot: Option<Box<SessionSnapshot>>,
    /// The versions of the server and the protocol, which can be read after the end as well.
    pub versions: (i64, i32),
    /// How to decode the columns of the last results.
    pub plans: PlanCache,
    /// In which formats the columns of the last statements come.
    pub formats: FormatCache,
    /// What is known of types that are not built in, and stay what they are.
    pub catalog: Arc<Catalog>,
    /// The text of the last error, for `info.error_message`.
    pub error_message: Option<String>,
}

/// A name of an encoding that was set, and the name by which the server reports it.
#[derive(Clone, Debug)]
pub struct AskedEncoding {
    pub name: String,
    pub reported: String,
}

impl State {
    /// Whether a polled connection is still being opened, or could not be opened.
    pub fn is_connecting(&self) -> bool {
        self.waiter == Waiter::Program && matches!(self.status, Status::Setup | Status::Connecting)
    }

    /// Whether the driver has to send a `BEGIN` before the next statement.
    pub fn begins(&self) -> bool {
        let wanted = !self.asynchronous && !self.replication && (!self.autocommit || self.entered);
        wanted && self.status == Status::Ready
    }

    /// Puts a `BEGIN` in front of a request, and notes that, if one has to be sent. Returns whether
    /// it did.
    pub fn begin(&mut self, request: Request) -> (Request, bool) {
        if !self.begins() {
            return (request, false);
        }
        self.status = Status::Begin;
        (request.begin(self.characteristics.begin().as_bytes()), true)
    }

    /// The statement that ends the transaction, if there is one. The transaction counts as over,
    /// whether the statement succeeds or not.
    pub fn end(&mut self, command: &str) -> Option<Vec<u8>> {
        if self.status != Status::Begin {
            return None;
        }
        self.transaction_ended();
        Some(command.as_bytes().to_vec())
    }

    /// Notes that the transaction is over.
    pub fn transaction_ended(&mut self) {
        self.status = Status::Ready;
        self.transaction_number += 1;
    }
}
