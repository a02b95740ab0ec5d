//! A replication stream: how far it has come, and how long its server may say nothing.

mod progress;
mod silence;

pub use progress::{StreamProgress, unix_seconds};
pub use silence::{Next, Silence};
