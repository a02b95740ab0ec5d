//! The rows of a result, made in the shape that the caller wants.

use std::time::Instant;

use pyo3::exceptions::PyTypeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyTuple, PyType};

use crate::cursor::Cursor;
use crate::driver::Making;
use crate::error;
use crate::imports::Lazy;
use crate::row::{NamedTupleClass, collector};

/// How many fields are decoded between two looks at the clock.
const PORTION: usize = 5000;

static TUPLE_ROW: Lazy = Lazy::new("psycoxide.rows", "tuple_row");
static DICT_ROW: Lazy = Lazy::new("psycoxide.rows", "dict_row");
static SCALAR_ROW: Lazy = Lazy::new("psycoxide.rows", "scalar_row");
static RECORD_ROW: Lazy = Lazy::new("psycoxide.rows", "record_row");
static RECORD_CLASS: Lazy = Lazy::new("psycoxide.rows", "_record_class");
static NAMEDTUPLE_ROW: Lazy = Lazy::new("psycoxide.rows", "namedtuple_row");
static NAMEDTUPLE_CLASS: Lazy = Lazy::new("psycoxide.rows", "_row_class");

/// Which part of a result the caller wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// A list of all rows.
    All,
    /// A list of the next rows, as many as this or fewer.
    Some(usize),
    /// The first row, or `None`.
    Row,
    /// The first value of the first row, or `None`.
    Value,
}

/// Makes the rows of a cursor's result.
pub struct Rows {
    cursor: Py<Cursor>,
    want: Want,
    row_factory: Option<Py<PyAny>>,
    /// Chosen when the first row is made.
    shape: Option<Shape>,
    made: Option<Py<PyList>>,
}

/// What becomes of a row's tuple.
pub(super) enum Shape {
    Tuple,
    /// A dict with these keys, each of which the template has once.
    Dict {
        keys: Vec<Py<PyString>>,
        template: Py<PyDict>,
    },
    /// An instance of this class, which is a tuple without more.
    Named(Py<PyType>),
    /// Its first value.
    Scalar,
    /// What a row maker returns for it.
    Made(Py<PyAny>),
}

impl Rows {
    pub fn new(
        cursor: &Bound<'_, Cursor>,
        want: Want,
        row_factory: Option<Bound<'_, PyAny>>,
    ) -> Self {
        let row_factory = row_factory.map(Bound::unbind);
        Self { cursor: cursor.clone().unbind(), want, row_factory, shape: None, made: None }
    }

    /// The shape of the rows, chosen once.
    fn shape(&mut self, py: Python<'_>) -> PyResult<&Shape> {
        let shape = match self.shape.take() {
            Some(shape) => shape,
            None => {
                let factory = self.row_factory.as_ref().map(|factory| factory.bind(py));
                Shape::of(self.cursor.bind(py), factory)?
            }
        };
        Ok(self.shape.insert(shape))
    }
}

impl Shape {
    /// Whether a row factory leaves rows as they are.
    pub fn is_tuple(factory: &Bound<'_, PyAny>) -> PyResult<bool> {
        Ok(factory.is(TUPLE_ROW.bind(factory.py())?))
    }

    pub fn of(cursor: &Bound<'_, Cursor>, factory: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let py = cursor.py();
        let Some(factory) = factory else { return Ok(Self::Tuple) };
        Ok(if Self::is_tuple(factory)? {
            Self::Tuple
        } else if factory.is(DICT_ROW.bind(py)?) {
            let keys = Cursor::column_names(cursor)?;
            let template = PyDict::new(py);
            for key in &keys {
                template.set_item(key, py.None())?;
            }
            Self::Dict { keys, template: template.unbind() }
        } else if factory.is(RECORD_ROW.bind(py)?) {
            Self::named(cursor, &RECORD_CLASS)?
        } else if factory.is(NAMEDTUPLE_ROW.bind(py)?) {
            Self::named(cursor, &NAMEDTUPLE_CLASS)?
        } else if factory.is(SCALAR_ROW.bind(py)?) {
            if cursor.get().width(py) == 0 {
                return Err(error::programming("at least one column expected"));
            }
            Self::Scalar
        } else {
            Self::Made(factory.call1((cursor,))?.unbind())
        })
    }

    /// Rows of the class that `class_of` returns for the names of the columns.
    fn named(cursor: &Bound<'_, Cursor>, class_of: &Lazy) -> PyResult<Self> {
        let py = cursor.py();
        let names = PyTuple::new(py, Cursor::column_names(cursor)?)?;
        let class = class_of.bind(py)?.call1((names,))?.cast_into::<PyType>()?;
        NamedTupleClass::of(&class)?;
        Ok(Self::Named(class.unbind()))
    }

    pub fn row<'py>(&self, row: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = row.py();
        match self {
            Self::Tuple => Ok(row),
            Self::Dict { keys, template } => {
                // Copied in one piece, instead of growing with each key.
                let dict = template.bind(py).copy()?;
                for (key, value) in keys.iter().zip(row.cast::<PyTuple>()?.iter_borrowed()) {
                    dict.set_item(key, value)?;
                }
                Ok(dict.into_any())
            }
            Self::Named(class) => NamedTupleClass::of(class.bind(py))?.record(row.cast()?),
            Self::Scalar => first(&row),
            Self::Made(maker) => maker.bind(py).call1((row,)),
        }
    }

    pub fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self {
            Self::Made(maker) => visit.call(maker),
            Self::Named(class) => visit.call(class),
            _ => Ok(()),
        }
    }

    /// The same for all rows of a list, in place.
    fn rows(&self, rows: &Bound<'_, PyList>) -> PyResult<()> {
        if matches!(self, Self::Tuple) {
            return Ok(());
        }
        // No Python code runs while these are made.
        let paused = matches!(self, Self::Dict { .. } | Self::Named(_)).then(collector::pause);
        for index in 0..rows.len() {
            rows.set_item(index, self.row(rows.get_item(index)?)?)?;
        }
        drop(paused);
        Ok(())
    }
}

fn first<'py>(row: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    match row.cast::<PyTuple>() {
        Ok(row) => row.get_item(0),
        Err(_) => Err(PyTypeError::new_err("a row that is no tuple")),
    }
}

impl Making for Rows {
    fn go_on(&mut self, py: Python<'_>, until: Option<Instant>) -> PyResult<Option<Py<PyAny>>> {
        let cursor = self.cursor.clone_ref(py).into_bound(py);
        if !cursor.get().has_rows(py) {
            // A statement without a result has no rows.
            return Ok(Some(match self.want {
                Want::All | Want::Some(_) => PyList::empty(py).into_any().unbind(),
                Want::Row | Want::Value => py.None(),
            }));
        }
        let most = match self.want {
            Want::Value => {
                let row = Cursor::next_row(&cursor)?;
                return Ok(Some(match row {
                    Some(row) if cursor.get().width(py) > 0 => first(&row)?.unbind(),
                    _ => py.None(),
                }));
            }
            Want::Row => {
                let Some(row) = Cursor::next_row(&cursor)? else { return Ok(Some(py.None())) };
                return Ok(Some(self.shape(py)?.row(row)?.unbind()));
            }
            Want::All => usize::MAX,
            Want::Some(count) => count,
        };
        let portion = (PORTION / cursor.get().width(py).max(1)).max(1);
        loop {
            let so_far = self.made.as_ref().map_or(0, |made| made.bind(py).len());
            let left = most - so_far;
            let portion = if until.is_some() { left.min(portion) } else { left };
            let rows = Cursor::next_rows(&cursor, portion)?;
            self.shape(py)?.rows(&rows)?;
            let over = rows.len() < portion || portion == left;
            let Some(made) = &self.made else {
                if over {
                    return Ok(Some(rows.into_any().unbind()));
                }
                self.made = Some(rows.unbind());
                continue;
            };
            made.bind(py).as_sequence().in_place_concat(rows.as_sequence())?;
            if over {
                return Ok(self.made.take().map(Py::into_any));
            }
            if until.is_some_and(|until| until <= Instant::now()) {
                return Ok(None);
            }
        }
    }

    fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.cursor)?;
        visit.call(&self.row_factory)?;
        visit.call(&self.made)?;
        self.shape.as_ref().map_or(Ok(()), |shape| shape.traverse(visit))
    }
}
