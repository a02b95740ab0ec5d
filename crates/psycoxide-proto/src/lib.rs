//! PostgreSQL's frontend/backend protocol, without I/O.
//!
//! This crate turns bytes into events and requests into bytes. It opens no socket, reads no clock,
//! draws no random number and never waits. Bytes, time and randomness come in as arguments, so that
//! a conversation can be replayed from a transcript.
//!
//! # The calling contract of [`Engine`]
//!
//! A driver uses four groups of methods, in this order:
//!
//! 1. **getters** (`&self`): [`Engine::phase`], [`Engine::transaction_status`],
//!    [`Engine::parameter`], [`Engine::error`], … may be called at any time;
//! 2. **inputs**: [`Engine::space`] then [`Engine::filled`] for bytes that came from the server,
//!    [`Engine::receive_eof`] when it closed the connection;
//! 3. **commands**: [`Engine::submit`] when [`Engine::is_idle`] or, for pipelined requests,
//!    [`Engine::accepts_pipelined`], [`Engine::copy_chunk`] and [`Engine::copy_done`] after
//!    [`Event::CopyIn`], [`Engine::terminate`] at the end;
//! 4. **outputs**: after every input and every command, send what [`Engine::out`] holds and report
//!    it with [`Engine::sent`], take events with [`Engine::poll_event`] until there is none, call
//!    [`Engine::work`] while it returns `true`, then look at [`Engine::error`], and wait for what
//!    [`Engine::interest`] says.
//!
//! Events come before the error: when the server says why it closes the connection, the driver
//! first gets [`Event::Done`] with that report, and [`Engine::error`] is set as well. A failed
//! engine stays failed and returns the same error for ever.
//!
//! The messages are those of the manual's chapter "Frontend/Backend Protocol",
//! <https://www.postgresql.org/docs/current/protocol.html>.
#![forbid(unsafe_code)]
#![deny(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

pub mod auth;
pub mod backend;
mod error;
mod frontend;
mod interest;
mod machine;
pub mod replication;
mod result;
mod secret;
mod wire;

pub use auth::key_cache::KeyCache;
pub use backend::copy::CopyFormat;
pub use backend::report::Report;
pub use backend::session::{CancelKey, Notification, TransactionStatus};
pub use error::{AuthError, Error, Violation};
pub use frontend::parameters::{Parameters, Written};
pub use frontend::startup::{GSS_ENC_REQUEST, SSL_REQUEST};
pub use interest::Interest;
pub use machine::Engine;
pub use machine::batch::Batch;
pub use machine::event::{Answer, Ask, Event, Outcome, Tally, TokenRefusal};
pub use machine::repeat::Repeat;
pub use machine::request::{BoundStatement, Extended, Formats, Request};
pub use machine::startup::{AuthMethods, ChannelBinding, ProtocolVersion, Startup};
pub use machine::statements::{PrepareWhen, StatementSettings};
pub use machine::transitions::Phase;
pub use result::columns::{Column, Columns};
pub use result::rows::{Fields, Position, Row, RowIter, Rows};
pub use result::tag::Tag;
pub use result::{QueryResult, ResultKind};
pub use secret::Secret;
