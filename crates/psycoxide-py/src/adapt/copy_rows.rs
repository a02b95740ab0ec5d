//! Writing rows as the data of a COPY FROM.

use psycoxide_proto::Written;
use psycoxide_sql::copy;
use psycoxide_sql::oid::{self, Oid};
use psycoxide_sql::parameter::{self, Dialect, ParameterForm, Unfit};
use psycoxide_sql::quote::number;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyFloat, PyList, PyString, PyTuple};

use super::context::AdaptContext;
use super::dump::Dumper;
use super::registry::{Native, type_name};
use super::scalar;
use crate::error;

/// Writes rows for a COPY FROM in text or in binary format.
///
/// Make a new one after the GIL was released, as with a `Merger`.
pub struct CopyRows<'a, 'py> {
    dumper: Dumper<'a, 'py>,
    context: AdaptContext<'a, 'py>,
    dialect: Dialect,
    binary: bool,
    /// The types of the columns, as far as they are known.
    types: &'a [Oid],
    /// The current value as an SQL constant. The buffer is reused.
    constant: Vec<u8>,
    /// Its content.
    content: Vec<u8>,
}

impl<'a, 'py> CopyRows<'a, 'py> {
    pub fn new(context: &AdaptContext<'a, 'py>, binary: bool, types: &'a [Oid]) -> PyResult<Self> {
        let encoding = context.quoting.encoding().encoding();
        let dialect = Dialect { encoding, strings: context.quoting.strings(), binary };
        let (dumper, context) = (Dumper::new(context, binary)?, *context);
        Ok(Self {
            dumper,
            context,
            dialect,
            binary,
            types,
            constant: Vec::new(),
            content: Vec::new(),
        })
    }

    /// Python code has run, which may have changed the adapters.
    pub fn forget(&mut self) {
        self.dumper.forget();
    }

    /// Appends a row. After an error `out` is as it was.
    pub fn row(&mut self, row: &Bound<'py, PyAny>, out: &mut Vec<u8>) -> PyResult<()> {
        let start = out.len();
        let written = if let Ok(row) = row.cast_exact::<PyTuple>() {
            self.values(row.len(), row.iter_borrowed().map(|value| Ok(value.to_owned())), out)
        } else if let Ok(row) = row.cast_exact::<PyList>() {
            self.values(row.len(), row.iter().map(Ok), out)
        } else if row.is_instance_of::<PyString>()
            || row.is_instance_of::<PyBytes>()
            || row.is_instance_of::<PyDict>()
        {
            let name = type_name(row);
            Err(PyTypeError::new_err(format!("a row is a sequence of values: got {name}")))
        } else {
            // A user's own sequence may run any code when it is asked for its items.
            let items = row.try_iter().and_then(Iterator::collect::<PyResult<Vec<_>>>);
            self.dumper.forget();
            items.and_then(|items| self.values(items.len(), items.into_iter().map(Ok), out))
        };
        written.inspect_err(|_| out.truncate(start))
    }

    fn values(
        &mut self,
        count: usize,
        values: impl Iterator<Item = PyResult<Bound<'py, PyAny>>>,
        out: &mut Vec<u8>,
    ) -> PyResult<()> {
        if self.binary {
            self.check_types(count)?;
            let count = i16::try_from(count)
                .map_err(|_| PyValueError::new_err("a row has too many values"))?;
            out.extend_from_slice(&count.to_be_bytes());
            for (column, value) in values.enumerate() {
                self.binary_field(&value?, column, out)?;
            }
            return Ok(());
        }
        for (column, value) in values.enumerate() {
            if column > 0 {
                out.push(b'\t');
            }
            self.text_field(&value?, column, out)?;
        }
        out.push(b'\n');
        Ok(())
    }

    fn check_types(&self, count: usize) -> PyResult<()> {
        let known = self.types.len();
        if known == 0 {
            return Err(error::programming(
                "rows can be written in binary format only after set_types()",
            ));
        }
        if known != count {
            return Err(error::programming(format!(
                "a row of {count} values, but set_types() named {known} types"
            )));
        }
        Ok(())
    }

    #[inline]
    fn text_field(
        &mut self,
        value: &Bound<'py, PyAny>,
        column: usize,
        out: &mut Vec<u8>,
    ) -> PyResult<()> {
        if value.is_none() {
            out.extend_from_slice(copy::NULL);
            return Ok(());
        }
        match self.dumper.quoter().native_for(value)? {
            Some(Native::Int) if write_integer(value, out) => Ok(()),
            Some(Native::QuotedString) if value.is_instance_of::<PyString>() => {
                let text = self.context.quoting.encode(value.cast::<PyString>()?)?;
                copy::write(out, text.as_bytes(), self.dialect.encoding);
                Ok(())
            }
            Some(Native::Float) if value.is_instance_of::<PyFloat>() => {
                write_float(out, value.extract()?);
                Ok(())
            }
            _ => self.other_text(value, column, out),
        }
    }

    /// A field of a type that is adapted as an SQL constant.
    #[inline(never)]
    fn other_text(
        &mut self,
        value: &Bound<'py, PyAny>,
        column: usize,
        out: &mut Vec<u8>,
    ) -> PyResult<()> {
        self.constant.clear();
        self.dumper.quoter().value(value, &mut self.constant)?;
        self.content.clear();
        match parameter::write_text(&mut self.content, &self.constant, self.dialect) {
            Ok(ParameterForm::Null) => out.extend_from_slice(copy::NULL),
            Ok(_) => copy::write(out, &self.content, self.dialect.encoding),
            Err(Unfit) => {
                return Err(error::not_supported(format!(
                    "COPY cannot send a value of type '{}' as field {}: it is not written as a \
                     constant",
                    type_name(value),
                    column + 1
                )));
            }
        }
        Ok(())
    }

    fn binary_field(
        &mut self,
        value: &Bound<'py, PyAny>,
        column: usize,
        out: &mut Vec<u8>,
    ) -> PyResult<()> {
        let at = out.len();
        out.extend_from_slice(&(-1_i32).to_be_bytes());
        let start = out.len();
        let oid = self.types.get(column).copied().unwrap_or_default();
        if oid == oid::JSONB {
            // The version of the format, before the text.
            out.push(1);
        }
        match self.binary_value(value, oid, out)? {
            Ok(Written::Null) => {
                out.truncate(start);
                return Ok(());
            }
            Ok(Written::Binary) => {}
            Ok(Written::Text) if oid::is_text_in_binary(oid) => {}
            Ok(Written::Text) | Err(Unfit) => {
                return Err(error::not_supported(format!(
                    "a value of type '{}' cannot be written in the binary format of the type with \
                     OID {oid}: use COPY's text format",
                    type_name(value)
                )));
            }
        }
        let length = i32::try_from(out.len() - start)
            .map_err(|_| PyValueError::new_err("a value is too long for COPY"))?;
        if let Some(place) = out.get_mut(at..start) {
            place.copy_from_slice(&length.to_be_bytes());
        }
        Ok(())
    }

    /// Appends a value of a type: as text if it has no binary format here.
    fn binary_value(
        &mut self,
        value: &Bound<'py, PyAny>,
        oid: Oid,
        out: &mut Vec<u8>,
    ) -> PyResult<Result<Written, Unfit>> {
        match self.dumper.quoter().native_for(value)? {
            Some(Native::QuotedString)
                if oid::is_text_in_binary(oid) && value.is_instance_of::<PyString>() =>
            {
                // Not a parameter: the server says itself that it takes no NUL.
                let text = self.context.quoting.encode(value.cast::<PyString>()?)?;
                out.extend_from_slice(text.as_bytes());
                return Ok(Ok(Written::Binary));
            }
            Some(Native::Float) if oid == oid::FLOAT8 && value.is_instance_of::<PyFloat>() => {
                out.extend_from_slice(&value.extract::<f64>()?.to_be_bytes());
                return Ok(Ok(Written::Binary));
            }
            _ => {}
        }
        self.dumper.column(value, oid, out)
    }
}

/// Appends an int. Writes nothing and returns false if it has more than 64 bits.
#[inline]
fn write_integer(value: &Bound<'_, PyAny>, out: &mut Vec<u8>) -> bool {
    let Some(number) = scalar::small_int(value) else { return false };
    number::write_plain_integer(out, number);
    true
}

fn write_float(out: &mut Vec<u8>, value: f64) {
    if value.is_finite() {
        number::write_repr(out, value);
    } else if value.is_nan() {
        out.extend_from_slice(b"NaN");
    } else {
        out.extend_from_slice(if value > 0.0 { b"Infinity" } else { b"-Infinity" });
    }
}
