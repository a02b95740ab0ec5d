//! `Notify`: a message received through `LISTEN`.

use pyo3::basic::CompareOp;
use pyo3::exceptions::PyIndexError;
use pyo3::ffi;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple, PyType};

/// A notification: behaves as the pair `(pid, channel)`, and carries a payload.
///
/// psycopg2 grew the payload after programs had come to unpack pairs, so the length stays two and
/// equality with a pair ignores the payload; two notifications differ when their payloads do.
#[pyclass(module = "psycoxide.extensions", subclass)]
pub struct Notify {
    /// The process id of the session that notified.
    #[pyo3(get)]
    pid: Py<PyAny>,
    /// The channel's name.
    #[pyo3(get)]
    channel: Py<PyAny>,
    /// The payload; an empty string when there was none.
    #[pyo3(get)]
    payload: Py<PyAny>,
}

impl Notify {
    /// A received notification: a number and two texts.
    pub fn received(
        py: Python<'_>,
        pid: Py<PyAny>,
        channel: Py<PyAny>,
        payload: Py<PyAny>,
    ) -> PyResult<Bound<'_, Self>> {
        let notify = Bound::new(py, Self { pid, channel, payload })?;
        // They refer to no other object, so the garbage collector need not visit the thousands that
        // a busy listener keeps.
        // SAFETY: a valid object of a class whose objects the collector tracks.
        unsafe { ffi::PyObject_GC_UnTrack(notify.as_ptr().cast()) };
        Ok(notify)
    }

    fn no_payload(py: Python<'_>) -> PyResult<Py<PyAny>> {
        Ok("".into_pyobject(py)?.into_any().unbind())
    }

    fn parts<'py>(&self, py: Python<'py>, payload: bool) -> PyResult<Bound<'py, PyTuple>> {
        let (pid, channel) = (self.pid.bind(py), self.channel.bind(py));
        if payload {
            PyTuple::new(py, [pid, channel, self.payload.bind(py)])
        } else {
            PyTuple::new(py, [pid, channel])
        }
    }
}

#[pymethods]
impl Notify {
    /// An instance before its `__init__`. Subclasses may pass any arguments.
    #[new]
    #[classmethod]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn blank(
        class: &Bound<'_, PyType>,
        _args: &Bound<'_, PyTuple>,
        _kwargs: Option<&Bound<'_, PyDict>>,
    ) -> Self {
        let none = || class.py().None();
        Self { pid: none(), channel: none(), payload: none() }
    }

    #[pyo3(signature = (pid, channel, payload=None))]
    fn __init__(
        slf: &Bound<'_, Self>,
        pid: Py<PyAny>,
        channel: Py<PyAny>,
        payload: Option<Py<PyAny>>,
    ) -> PyResult<()> {
        let payload = payload.map_or_else(|| Self::no_payload(slf.py()), Ok)?;
        let old = std::mem::replace(&mut *slf.try_borrow_mut()?, Self { pid, channel, payload });
        // Dropped after the borrow: a destructor may run Python code that looks at this object.
        drop(old);
        Ok(())
    }

    /// What the positions of a pattern are: `case Notify(channel, payload):`.
    #[classattr]
    fn __match_args__() -> (&'static str, &'static str, &'static str) {
        ("channel", "payload", "pid")
    }

    fn __len__(&self) -> usize {
        2
    }

    fn __getitem__<'py>(&self, py: Python<'py>, index: isize) -> PyResult<Bound<'py, PyAny>> {
        match index {
            0 | -2 => Ok(self.pid.bind(py).clone()),
            1 | -1 => Ok(self.channel.bind(py).clone()),
            _ => Err(PyIndexError::new_err("index out of range")),
        }
    }

    fn __richcmp__<'py>(
        &self,
        py: Python<'py>,
        other: &Bound<'py, PyAny>,
        op: CompareOp,
    ) -> PyResult<Bound<'py, PyAny>> {
        if let Ok(other) = other.cast::<Self>() {
            return self
                .parts(py, true)?
                .into_any()
                .rich_compare(other.try_borrow()?.parts(py, true)?, op);
        }
        if other.is_instance_of::<PyTuple>() {
            return self.parts(py, false)?.into_any().rich_compare(other, op);
        }
        Ok(py.NotImplemented().into_bound(py))
    }

    fn __hash__(&self, py: Python<'_>) -> PyResult<isize> {
        let with_payload = self.payload.bind(py).is_truthy()?;
        self.parts(py, with_payload)?.hash()
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!(
            "Notify({}, {}, {})",
            self.pid.bind(py).repr()?,
            self.channel.bind(py).repr()?,
            self.payload.bind(py).repr()?
        ))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        [&self.pid, &self.channel, &self.payload]
            .into_iter()
            .try_for_each(|field| visit.call(field))
    }
}

/// Exports `Notify`.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Notify>()
}
