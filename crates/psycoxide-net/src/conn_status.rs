//! How far a connection is.

/// How a connection is: libpq's `ConnStatusType`, with its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum ConnStatus {
    /// The session is set up.
    Ok = 0,
    /// There is none (any more).
    Bad = 1,
    /// Waiting for the connection to be made.
    Started = 2,
    /// The connection is made; nothing was sent yet.
    Made = 3,
    /// Waiting for the server to answer.
    AwaitingResponse = 4,
    /// Authenticated; the server is starting the session.
    AuthOk = 5,
    /// TLS is being set up.
    SslStartup = 7,
    /// The server is asked whether it is read-only.
    CheckWritable = 9,
    /// Encryption by GSSAPI is being set up.
    GssStartup = 11,
    /// The server is asked whether it is a standby.
    CheckStandby = 13,
}
