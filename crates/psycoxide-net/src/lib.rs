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
mod dial;
mod encryption_method;
mod error;
mod gather;
mod gss;
mod link;
mod offload;
mod ownership;
mod pace;
mod pump;
pub mod replication;
mod resolve;
mod securing;
mod session;
mod sigpipe;
mod socket;
mod tls;
mod turn;
mod wait;

pub use cancel::CancelToken;
pub use config::{Config, OnDemand};
pub use conn_status::ConnStatus;
pub use error::{Error, FailedAttempt, Reason};
pub use gather::Gather;
pub use gss::GssFailure;
pub use link::{Link, News, Progress};
pub use ownership::{Refusal, count_forks};
pub use psycoxide_proto::Interest;
pub use session::{Closed, Facts, NoEngine, Polled, Session, Stop};
pub use socket::address::Address;
pub use socket::conduit::Conduit;
#[cfg(feature = "fuzzing")]
pub use tls::fuzzing;
pub use tls::{TlsFailure, TlsInfo};
pub use turn::{Turn, TurnError};
pub use wait::{Readiness, wait};
