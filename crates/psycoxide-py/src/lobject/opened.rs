//! A large object that is open on the server.

use pyo3::prelude::*;

use super::function::{Function, call_int4, call_int8, calls};
use super::mode::{Mode, READ_AND_WRITE};
use crate::connection::Connection;
use crate::driver::{Next, TurnGuard};
use crate::error;
use crate::guarded::Guarded;

/// The most bytes that one call transfers: client and server hold a chunk in memory as a whole.
const CHUNK: usize = 1 << 20;

/// A large object, and how it was opened.
pub struct Opened {
    pub connection: Py<Connection>,
    pub oid: u32,
    pub mode: Mode,
    /// The connection's `transaction_number` when it was opened: once that is another, the
    /// transaction is over.
    pub transaction_number: u64,
    /// The server's descriptor; `None` once closed.
    pub descriptor: Guarded<Option<i32>>,
}

impl Opened {
    /// Opens an object, or makes one if `oid` is 0.
    pub fn open(
        conn: &Bound<'_, Connection>,
        oid: u32,
        mode: Mode,
        new_oid: u32,
        content: Option<Vec<u8>>,
    ) -> PyResult<Self> {
        let py = conn.py();
        let (mut oid, mut mode) = (oid, mode);
        if oid == 0 {
            mode = mode.created();
            // The same functions that libpq calls: error messages of the server name them.
            let created = match new_oid {
                0 => call_int4(conn, Function::Creat, vec![int4(READ_AND_WRITE)]),
                oid => call_int4(conn, Function::Create, vec![oid.to_be_bytes().to_vec()]),
            };
            oid = created?.cast_unsigned();
        }
        let descriptor = if mode.opens() {
            let arguments = vec![oid.to_be_bytes().to_vec(), int4(mode.flags())];
            Some(call_int4(conn, Function::Open, arguments)?)
        } else {
            None
        };
        let object = Self {
            connection: conn.clone().unbind(),
            oid,
            mode,
            transaction_number: conn.get().state(py).transaction_number,
            descriptor: Guarded::new(descriptor),
        };
        if let Some(content) = content {
            object.write_bytes(py, &content)?;
            call_int8(
                conn,
                Function::Seek,
                vec![int4(descriptor.unwrap_or_default()), 0_i64.to_be_bytes().to_vec(), int4(0)],
            )?;
        }
        Ok(object)
    }

    pub fn is_closed(&self, py: Python<'_>) -> bool {
        self.descriptor.lock(py).is_none() || self.connection.get().usable_session().is_err()
    }

    /// The connection and the descriptor, if the object can be used.
    pub fn usable<'py>(&self, py: Python<'py>) -> PyResult<(&Bound<'py, Connection>, i32)> {
        let connection = self.connection.bind(py);
        let Some(descriptor) = *self.descriptor.lock(py) else {
            return Err(error::interface("lobject already closed"));
        };
        if connection.get().open_session().is_err() {
            let closed = || error::interface("lobject already closed");
            return Err(connection.get().refusal().unwrap_or_else(closed));
        }
        check_allowed(py, connection.get())?;
        if connection.get().state(py).transaction_number != self.transaction_number {
            return Err(error::programming("lobject isn't valid anymore"));
        }
        Ok((connection, descriptor))
    }

    /// Reads up to `size` bytes, or to the end if it is negative.
    pub fn read_bytes(&self, py: Python<'_>, size: i64) -> PyResult<Vec<u8>> {
        let (connection, descriptor) = self.usable(py)?;
        let mut left = usize::try_from(size).unwrap_or(usize::MAX);
        if left == 0 {
            return Ok(Vec::new());
        }
        let request = |length: usize| {
            let length = i32::try_from(length).unwrap_or(i32::MAX);
            Function::Read.request(vec![int4(descriptor), int4(length)])
        };
        let first = request(left.min(CHUNK));
        let mut bytes = Vec::new();
        let follow = |chunk: Vec<u8>| {
            let wanted = left.min(CHUNK);
            if chunk.len() > wanted {
                return Err(error::operational("the server gave more than was asked for"));
            }
            bytes.extend_from_slice(&chunk);
            left -= chunk.len();
            Ok(match chunk.len() < wanted || left == 0 {
                true => Next::Done(std::mem::take(&mut bytes)),
                false => Next::SendInTransaction(request(left.min(CHUNK))),
            })
        };
        TurnGuard::take(connection)?.run(calls(first, follow))
    }

    /// Writes all of `data`; returns its length.
    pub fn write_bytes(&self, py: Python<'_>, data: &[u8]) -> PyResult<usize> {
        let (connection, descriptor) = self.usable(py)?;
        let mut chunks = data
            .chunks(CHUNK)
            .map(|chunk| Function::Write.request(vec![int4(descriptor), chunk.to_vec()]));
        let Some(first) = chunks.next() else { return Ok(0) };
        let follow =
            |_written| Ok(chunks.next().map_or(Next::Done(data.len()), Next::SendInTransaction));
        TurnGuard::take(connection)?.run(calls(first, follow))
    }

    /// Closes the object; after its transaction nothing is left to close.
    pub fn close(&self, py: Python<'_>) -> PyResult<()> {
        let connection = self.connection.bind(py);
        let this = connection.get();
        if this.session_to_end().is_none()
            || this.state(py).transaction_number != self.transaction_number
        {
            return Ok(());
        }
        let taken = self.descriptor.lock(py).take();
        match taken {
            Some(descriptor) if !this.outside_transactions(py) => {
                call_int4(connection, Function::Close, vec![int4(descriptor)]).map(drop)
            }
            _ => Ok(()),
        }
    }
}

/// Refuses connections on which large objects cannot be used, or not now.
pub fn check_allowed(py: Python<'_>, connection: &Connection) -> PyResult<()> {
    connection.refuse_async(py, "lobject")?;
    connection.refuse_tpc_prepared(py, "lobject")?;
    if connection.outside_transactions(py) {
        return Err(error::programming("can't use a lobject outside of transactions"));
    }
    Ok(())
}

pub fn int4(value: i32) -> Vec<u8> {
    value.to_be_bytes().to_vec()
}
