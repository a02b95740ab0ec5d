//! PostgreSQL's frontend/backend protocol, without I/O.
#![forbid(unsafe_code)]
