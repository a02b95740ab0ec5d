//! The statements that the driver itself writes.

pub mod begin;
pub mod copy;
pub mod named;
pub mod tpc;
pub mod types;
