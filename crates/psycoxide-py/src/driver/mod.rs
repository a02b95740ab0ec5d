//! Who waits while an operation runs.
//!
//! An [`Operation`] is a value that says what is sent first and what follows each reply. The
//! drivers are the files of this room, one for each way of waiting: [`blocking`] waits itself,
//! [`green`] lets the wait callback do it, and both run within one call, in the [`TurnGuard`] of
//! its thread; [`polled`] goes on whenever the program calls `poll()`, and [`awaited`] whenever an
//! event loop finds the socket ready.

pub mod awaited;
pub mod blocking;
mod deliver;
mod exchange;
pub mod green;
mod operation;
pub mod polled;
mod reply;
mod turn;

/// What a call hears if the task or thread that makes it has a stream or a COPY open: it would wait
/// for itself.
const HAS_PLACE: &str = "a stream of rows or a COPY is open on the connection: end it first, by \
                         leaving its block or by its close()";

/// What a call hears that goes on with something which was given up.
pub const LEFT: &str = "the stream or COPY is over: it was left before its end";

pub use deliver::{deliver, refresh};
pub use exchange::{Exchange, OneRequest};
pub use operation::{Next, Operation, OperationContext, RowSink, Running};
pub use reply::{Making, Reply};
pub use turn::{CallLimit, Launched, TurnGuard};
