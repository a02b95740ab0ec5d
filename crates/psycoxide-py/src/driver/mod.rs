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

pub use deliver::{deliver, refresh};
pub use exchange::{Exchange, OneRequest};
pub use operation::{Next, Operation, OperationContext, RowSink, Running};
pub use reply::{Making, Reply};
pub use turn::{CallLimit, Launched, TurnGuard};
