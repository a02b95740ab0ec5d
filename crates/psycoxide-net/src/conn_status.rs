//! The state of a connection.

/// The state of a connection: libpq's `ConnStatusType`, with its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum ConnStatus {
    /// The session is set up.
    Ok = 0,
    /// There is no session, or no longer one.
    Bad = 1,
    /// The socket is connecting.
    Started = 2,
    /// The socket is connected; nothing was sent yet.
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
