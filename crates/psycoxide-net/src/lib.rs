//! A protocol engine joined to the network: configuration, sockets, dialing and waiting.
//!
//! A [`Link`] is one connection. [`Link::dial`] begins it, [`Link::start`] hands over a request, and
//! [`Link::advance`] goes on without ever waiting: it returns [`Progress::Wait`] when the socket has
//! to be ready first, and whoever drives the link does the waiting ([`wait()`], an event loop, a
//! coroutine library).

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]
#![cfg_attr(
    test,
    allow(
        clippy::disallowed_methods,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used
    )
)]

mod cancel;
pub mod config;
mod conn_status;
mod copy_flush;
mod dial;
mod encryption_method;
mod encryption_setup;
mod error;
mod gss;
mod link;
mod offload;
mod ownership;
mod pump;
mod read_coalescing;
pub mod replication;
mod resolve;
mod session;
mod sigpipe;
mod socket;
mod tls;
mod turn;
mod wait;

pub use cancel::{CancelProgress, CancelToken, Cancelling};
pub use config::{Config, ConnInfo, Environment, OnDemand, ParameterBinding};
pub use conn_status::ConnStatus;
pub use copy_flush::CopyFlushPolicy;
pub use error::{Error, FailedAttempt, Reason};
pub use gss::GssFailure;
pub use link::{AsyncMessages, Link, Progress};
pub use ownership::{Refusal, count_forks};
pub use psycoxide_proto::Interest;
pub use session::{Closed, NoEngine, Session, SessionSnapshot, Step, Stop};
pub use socket::address::Address;
pub use socket::lent_message::{Body, Lent};
pub use socket::splice_pipe::SplicePipe;
#[cfg(feature = "fuzzing")]
pub use tls::fuzzing;
pub use tls::{TlsFailure, TlsInfo};
pub use turn::{Turn, TurnError};
pub use wait::{Readiness, wait};
