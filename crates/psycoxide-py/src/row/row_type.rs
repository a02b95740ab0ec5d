//! The type of the rows that a fetch returns.
//!
//! Rows are made as tuples. The rows of `extras`' classes are then made from them through the slots
//! of the base classes, so that no Python code runs. When such a class is called, it asks its
//! cursor for an index or for keys. Here that is done before the values are decoded, as decoding
//! may run any code.

use std::sync::Arc;

use pyo3::exceptions::PyTypeError;
use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyTuple, PyType};

use super::classes::{Kind, RowClass};
use super::{collector, ordered};

/// The type of a row.
pub enum RowType<'py> {
    /// A tuple.
    Tuple,
    /// What this row factory makes, with each value assigned to it.
    Factory(Bound<'py, PyAny>),
    /// A `DictRow` or an instance of a subclass, with this index.
    List { class: Bound<'py, PyType>, index: Bound<'py, PyAny> },
    /// A `RealDictRow` or an instance of a subclass, with these keys.
    Dict { class: Bound<'py, PyType>, keys: Arc<RowKeys> },
}

/// How a cursor makes rows that are not tuples.
pub struct RowMaker<'a, 'py> {
    /// The cursor, whose attributes are the rows' index and keys.
    pub cursor: &'a Bound<'py, PyAny>,
    /// The row factory.
    pub factory: Bound<'py, PyAny>,
    /// The row class of the factory, if its rows need not be made by calling it.
    pub class: Option<Arc<RowClass>>,
}

impl<'py> RowType<'py> {
    /// The type of the next row. `width` is the number of columns; `last_keys` are the keys of the
    /// cursor's last row that had some, and become those of this one.
    ///
    /// # Errors
    /// The exception of a cursor that lacks an attribute that the row's class needs.
    pub fn of(
        maker: RowMaker<'_, 'py>,
        width: usize,
        last_keys: &mut Option<Arc<RowKeys>>,
    ) -> PyResult<Self> {
        let RowMaker { cursor, factory, class } = maker;
        let Some(known) = class else { return Ok(Self::Factory(factory)) };
        let class = match factory.cast::<PyType>() {
            Ok(class) if known.is_untouched(class) => class.clone(),
            _ => return Ok(Self::Factory(factory)),
        };
        Ok(match known.kind {
            Kind::List => {
                Self::List { class, index: cursor.getattr(intern!(cursor.py(), "index"))? }
            }
            Kind::Dict => match RowKeys::of(cursor, width, last_keys)? {
                Some(keys) => Self::Dict { class, keys },
                None => Self::Factory(factory),
            },
        })
    }

    /// The factory, if it has to be called for each row.
    pub fn factory(&self) -> Option<&Bound<'py, PyAny>> {
        match self {
            Self::Factory(factory) => Some(factory),
            _ => None,
        }
    }

    /// Converts a tuple of the row's values; a row that a factory made stays as it is.
    pub fn convert(&self, row: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        match self {
            Self::Tuple | Self::Factory(_) => Ok(row),
            Self::List { class, index } => {
                list_row(&Constructor::of(class), index, row.cast_exact()?)
            }
            Self::Dict { class, keys } => keys.row(&Constructor::of(class), row.cast_exact()?),
        }
    }

    /// The same for each row of a list, in place.
    pub fn convert_all(&self, rows: &Bound<'py, PyList>) -> PyResult<()> {
        match self {
            Self::Tuple | Self::Factory(_) => Ok(()),
            Self::List { class, index } => {
                let new = Constructor::of(class);
                replace(rows, |values| list_row(&new, index, values))
            }
            Self::Dict { class, keys } => {
                let new = Constructor::of(class);
                replace(rows, |values| keys.row(&new, values))
            }
        }
    }
}

/// Replaces each tuple in `rows` by what `make` makes of it.
fn replace<'py>(
    rows: &Bound<'py, PyList>,
    make: impl Fn(&Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyAny>>,
) -> PyResult<()> {
    let _paused = collector::pause();
    for index in 0..rows.len() {
        let row = rows.get_item(index)?;
        rows.set_item(index, make(row.cast_exact::<PyTuple>()?)?)?;
    }
    Ok(())
}

/// Makes objects of a class by its `__new__`, without `__init__`.
struct Constructor<'a, 'py> {
    class: &'a Bound<'py, PyType>,
    arguments: Bound<'py, PyTuple>,
}

impl<'a, 'py> Constructor<'a, 'py> {
    fn of(class: &'a Bound<'py, PyType>) -> Self {
        Self { class, arguments: PyTuple::empty(class.py()) }
    }

    fn object(&self) -> PyResult<Bound<'py, PyAny>> {
        // SAFETY: the class is valid, and a slot that is set has the slot's type.
        unsafe {
            let class = self.class.as_type_ptr();
            let Some(new) = (*class).tp_new else {
                return Err(PyTypeError::new_err("a class that makes no objects"));
            };
            let object = new(class, self.arguments.as_ptr(), std::ptr::null_mut());
            Bound::from_owned_ptr_or_err(self.class.py(), object)
        }
    }
}

fn list_row<'py>(
    new: &Constructor<'_, 'py>,
    index: &Bound<'py, PyAny>,
    values: &Bound<'py, PyTuple>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = values.py();
    let row = new.object()?;
    let name = intern!(py, "_index");
    // SAFETY: all are valid objects, and `row` is a list.
    let failed = unsafe {
        let row = row.as_ptr();
        ffi::PyList_SetSlice(row, 0, 0, values.as_ptr()) != 0
            || ffi::PyObject_GenericSetAttr(row, name.as_ptr(), index.as_ptr()) != 0
    };
    if failed { Err(PyErr::fetch(py)) } else { Ok(row) }
}

/// The keys of a result's rows.
pub struct RowKeys {
    /// A name for each column.
    names: Vec<Py<PyString>>,
    /// Each name once, in the order of the columns.
    template: Py<PyDict>,
}

impl RowKeys {
    /// The keys in the cursor's `column_mapping`. `None` if the class has to be called: if the
    /// mapping is not a list with a name for each column, or if names would be compared by Python
    /// code.
    fn of(
        cursor: &Bound<'_, PyAny>,
        width: usize,
        last: &mut Option<Arc<Self>>,
    ) -> PyResult<Option<Arc<Self>>> {
        let attribute = intern!(cursor.py(), "column_mapping");
        if width == 0 {
            return Ok(None);
        }
        let mut mapping = cursor.getattr(attribute)?;
        if !mapping.is_truthy()? {
            // A named cursor has no description before the first fetch.
            cursor.call_method0(intern!(cursor.py(), "_build_index"))?;
            mapping = cursor.getattr(attribute)?;
        }
        let Ok(mapping) = mapping.cast_exact::<PyList>() else { return Ok(None) };
        if mapping.len() != width {
            return Ok(None);
        }
        if let Some(known) = last
            && known.are(mapping)
        {
            return Ok(Some(Arc::clone(known)));
        }
        let Some(keys) = Self::new(mapping)? else { return Ok(None) };
        Ok(Some(Arc::clone(last.insert(Arc::new(keys)))))
    }

    fn new(mapping: &Bound<'_, PyList>) -> PyResult<Option<Self>> {
        let template = PyDict::new(mapping.py());
        let mut names = Vec::with_capacity(mapping.len());
        for name in mapping {
            let Ok(name) = name.cast_into_exact::<PyString>() else { return Ok(None) };
            template.set_item(&name, mapping.py().None())?;
            names.push(name.unbind());
        }
        Ok(Some(Self { names, template: template.unbind() }))
    }

    /// Whether the keys are the very objects of a list.
    fn are(&self, mapping: &Bound<'_, PyList>) -> bool {
        mapping.len() == self.names.len()
            && mapping.iter().zip(&self.names).all(|(now, name)| now.is(name))
    }

    fn row<'py>(
        &self,
        new: &Constructor<'_, 'py>,
        values: &Bound<'py, PyTuple>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let row = new.object()?;
        let names = self.names.iter().map(|name| name.as_ptr());
        let values = values.iter_borrowed().map(|value| value.as_ptr());
        ordered::fill(&row, self.template.bind(row.py()), names.zip(values))?;
        Ok(row)
    }
}
