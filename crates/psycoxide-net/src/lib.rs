//! A protocol engine joined to the network: configuration, sockets, dialing and waiting.
//!
//! A [`Link`] is one connection. [`Link::dial`] begins it, [`Link::start`] hands over a request, and
//! [`Link::advance`] goes on without ever waiting: it answers [`Progress::Wait`] when the socket has
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
mod dial;
mod error;
mod gather;
mod gss;
mod link;
mod offload;
mod ownership;
mod pace;
mod pump;
mod resolve;
mod securing;
pub mod silence;
mod socket;
mod tls;
mod turn;
mod wait;

pub use cancel::CancelToken;
pub use config::{Config, OnDemand};
pub use error::{Attempt, Error, Reason};
pub use gather::Gather;
pub use gss::Failure as GssFailure;
pub use link::{ConnStatus, Link, News, Progress};
pub use ownership::{Ownership, Refusal, count_forks};
pub use psycoxide_proto::Interest;
pub use socket::conduit::Conduit;
pub use socket::place::Place;
#[cfg(feature = "fuzzing")]
pub use tls::fuzzing;
pub use tls::{Failure, TlsInfo};
pub use turn::{Turn, TurnError};
pub use wait::{Readiness, wait};
