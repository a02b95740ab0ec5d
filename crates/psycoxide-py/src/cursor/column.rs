//! `Column`: one entry of `cursor.description` (PEP 249).

use psycoxide_proto::Column as ColumnReport;
use psycoxide_sql::oid;
use pyo3::basic::CompareOp;
use pyo3::exceptions::PyTypeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple, PyType};

/// A column of a result: a sequence of the seven items of PEP 249, with two more attributes.
#[pyclass(module = "psycoxide.extensions", subclass)]
pub struct Column {
    /// The column's name.
    #[pyo3(get)]
    name: Py<PyAny>,
    /// The oid of the column's type.
    #[pyo3(get)]
    type_code: Py<PyAny>,
    /// Always `None`: the server does not tell.
    #[pyo3(get)]
    display_size: Py<PyAny>,
    /// The size in bytes on the server; of a type of variable length the declared size, or -1.
    #[pyo3(get)]
    internal_size: Py<PyAny>,
    /// The number of digits, for `numeric`; otherwise `None`.
    #[pyo3(get)]
    precision: Py<PyAny>,
    /// The number of digits after the point, for `numeric`; otherwise `None`.
    #[pyo3(get)]
    scale: Py<PyAny>,
    /// Always `None`: the server does not tell.
    #[pyo3(get)]
    null_ok: Py<PyAny>,
    /// The oid of the table that the column belongs to, or `None`.
    #[pyo3(get)]
    table_oid: Py<PyAny>,
    /// The column's number in its table, from 1, or `None`.
    #[pyo3(get)]
    table_column: Py<PyAny>,
}

/// How many of the fields are items of the sequence.
const PEP_249_ITEMS: usize = 7;

/// `typmod` of types with a length counts the length's own four bytes.
const TYPMOD_HEADER: i32 = 4;

impl Column {
    /// The column that a RowDescription describes, with its name decoded.
    pub fn describe(
        py: Python<'_>,
        column: &ColumnReport,
        name: &Bound<'_, PyAny>,
    ) -> PyResult<Self> {
        let typmod = match column.type_modifier {
            modifier if modifier > 0 => modifier - TYPMOD_HEADER,
            modifier => modifier,
        };
        let numeric = column.type_oid == oid::NUMERIC;
        let size = match column.type_size {
            -1 if numeric => typmod >> 16,
            -1 => typmod,
            size => i32::from(size),
        };
        let optional =
            |value: Option<i64>| -> PyResult<Py<PyAny>> { Ok(value.into_pyobject(py)?.unbind()) };
        let known = |value: i64| optional((value != 0).then_some(value));
        Ok(Self {
            name: name.clone().unbind(),
            type_code: optional(Some(i64::from(column.type_oid)))?,
            display_size: py.None(),
            internal_size: optional(Some(i64::from(size)))?,
            precision: optional(numeric.then_some(i64::from((typmod >> 16) & 0xffff)))?,
            scale: optional(numeric.then_some(i64::from(typmod & 0xffff)))?,
            null_ok: py.None(),
            table_oid: known(i64::from(column.table_oid))?,
            table_column: known(i64::from(column.table_column))?,
        })
    }

    fn fields(&self) -> [&Py<PyAny>; 9] {
        [
            &self.name,
            &self.type_code,
            &self.display_size,
            &self.internal_size,
            &self.precision,
            &self.scale,
            &self.null_ok,
            &self.table_oid,
            &self.table_column,
        ]
    }

    fn fields_mut(&mut self) -> [&mut Py<PyAny>; 9] {
        [
            &mut self.name,
            &mut self.type_code,
            &mut self.display_size,
            &mut self.internal_size,
            &mut self.precision,
            &mut self.scale,
            &mut self.null_ok,
            &mut self.table_oid,
            &mut self.table_column,
        ]
    }

    /// Sets the first fields to `values`.
    fn fill(slf: &Bound<'_, Self>, values: impl Iterator<Item = Py<PyAny>>) -> PyResult<()> {
        let mut column = slf.try_borrow_mut()?;
        let items = column.fields_mut().into_iter().zip(values);
        let old: Vec<_> = items.map(|(field, item)| std::mem::replace(field, item)).collect();
        drop(column);
        // Dropped after the borrow: a destructor may run Python code that looks at the column.
        drop(old);
        Ok(())
    }

    fn items<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, &self.fields()[..PEP_249_ITEMS])
    }
}

#[pymethods]
impl Column {
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
        Self {
            name: none(),
            type_code: none(),
            display_size: none(),
            internal_size: none(),
            precision: none(),
            scale: none(),
            null_ok: none(),
            table_oid: none(),
            table_column: none(),
        }
    }

    #[pyo3(signature = (name=None, type_code=None, display_size=None, internal_size=None, precision=None, scale=None, null_ok=None, table_oid=None, table_column=None))]
    #[allow(clippy::too_many_arguments, reason = "the nine items of psycopg2's constructor")]
    fn __init__(
        slf: &Bound<'_, Self>,
        name: Option<Py<PyAny>>,
        type_code: Option<Py<PyAny>>,
        display_size: Option<Py<PyAny>>,
        internal_size: Option<Py<PyAny>>,
        precision: Option<Py<PyAny>>,
        scale: Option<Py<PyAny>>,
        null_ok: Option<Py<PyAny>>,
        table_oid: Option<Py<PyAny>>,
        table_column: Option<Py<PyAny>>,
    ) -> PyResult<()> {
        let given = [
            name,
            type_code,
            display_size,
            internal_size,
            precision,
            scale,
            null_ok,
            table_oid,
            table_column,
        ];
        let none = || slf.py().None();
        Self::fill(slf, given.into_iter().map(|value| value.unwrap_or_else(none)))
    }

    fn __len__(&self) -> usize {
        7
    }

    fn __getitem__<'py>(
        &self,
        py: Python<'py>,
        index: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.items(py)?.as_any().get_item(index)
    }

    fn __richcmp__<'py>(
        &self,
        py: Python<'py>,
        other: &Bound<'py, PyAny>,
        op: CompareOp,
    ) -> PyResult<Bound<'py, PyAny>> {
        let items = self.items(py)?.into_any();
        match other.cast::<Self>() {
            Ok(other) => items.rich_compare(other.borrow().items(py)?, op),
            Err(_) => items.rich_compare(other, op),
        }
    }

    #[classattr]
    const __hash__: Option<Py<PyAny>> = None;

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!(
            "Column(name={}, type_code={})",
            self.name.bind(py).repr()?,
            self.type_code.bind(py).repr()?
        ))
    }

    /// What is pickled: the seven items.
    fn __getstate__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        self.items(py)
    }

    /// Takes the items that psycopg2 pickles: its pickles are read as well.
    fn __setstate__(slf: &Bound<'_, Self>, state: &Bound<'_, PyAny>) -> PyResult<()> {
        let Ok(state) = state.cast::<PyTuple>() else {
            return Err(PyTypeError::new_err("state is not a tuple"));
        };
        Self::fill(slf, state.iter().map(Bound::unbind))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.fields().into_iter().try_for_each(|field| visit.call(field))
    }

    /// Drops the fields. Unlike a tuple, a column can be filled again, also with objects that refer
    /// to it.
    fn __clear__(&mut self, py: Python<'_>) {
        for field in self.fields_mut() {
            *field = py.None();
        }
    }
}
