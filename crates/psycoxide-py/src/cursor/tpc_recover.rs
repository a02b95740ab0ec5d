//! `connection.tpc_recover()`: it reads rows, by a cursor.

use psycoxide_sql::command::tpc;
use pyo3::prelude::*;
use pyo3::types::PyList;

use super::Cursor;
use crate::connection::{Connection, Status};
use crate::error;
use crate::xid::Xid;

#[pymethods]
impl Connection {
    /// tpc_recover() -> list of Xid -- A list of the prepared transactions of all databases.
    ///
    /// Their `prepared`, `owner` and `database` are set.
    fn tpc_recover<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyList>> {
        let py = slf.py();
        let this = slf.get();
        this.refuse_blank(error::not_supported)?;
        this.open_session()?;
        this.refuse_async(slf.py(), "tpc_recover")?;
        this.refuse_tpc_prepared(slf.py(), "tpc_recover")?;
        let was_ready = this.state(slf.py()).status == Status::Ready;
        let class = py.get_type::<Cursor>();
        let cursor = class.call1((slf,))?;
        cursor.call_method1("execute", (tpc::RECOVER,))?;
        let rows = cursor.call_method0("fetchall")?;
        cursor.call_method0("close")?;
        if was_ready {
            Connection::end_transaction(slf, "ROLLBACK")?;
        }
        let list = PyList::empty(py);
        for row in rows.try_iter()? {
            let (gid, prepared, owner, database): (String, Py<PyAny>, Py<PyAny>, Py<PyAny>) =
                row?.extract()?;
            list.append(Bound::new(py, Xid::recovered(py, &gid, prepared, owner, database))?)?;
        }
        Ok(list)
    }
}
