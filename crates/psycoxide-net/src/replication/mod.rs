//! A replication stream: how far it has come, and how long its server may stay silent.

mod keepalive_timer;
mod progress;

pub use keepalive_timer::{KeepaliveAction, KeepaliveTimer};
pub use progress::{StreamProgress, unix_seconds};
