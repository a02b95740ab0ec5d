//! Writing Python values as parameters that are bound on the server (`$1`).
//!
//! The type that is declared for a value is the one that its literal would have, so that the server
//! resolves operators and functions as it does for merged text, and needs not be asked for types
//! first. What is no constant stays SQL text, to be merged into the statement.

mod array;
mod column;
mod datetime;

use psycoxide_proto::Written;
use psycoxide_sql::oid::{self, Oid};
use psycoxide_sql::parameter::{self, Dialect, ParameterForm, Unfit};
use psycoxide_sql::quote::{StringStyle, number};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDate, PyDateTime, PyDelta, PyFloat, PyString, PyTime};

use super::context::AdaptContext;
use super::quoter::{Quoter, Source};
use super::registry::Native;
use super::{scalar, uuid};
use crate::conventions::Conventions;
use crate::encoding::{ClientEncoding, QuoteContext};

/// What became of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dumped {
    /// Its content was written, to be bound as a parameter of this type. Type 0: the place of the
    /// parameter decides, as for a string constant without a cast.
    Bound(Oid, Written),
    /// SQL text was written, which must be merged into the statement.
    Literal,
}

/// NULL, of whatever type.
const NULL: Dumped = Dumped::Bound(0, Written::Null);

/// Writes the parameters of a statement, or of several between which no Python code runs.
///
/// Make a new one after the GIL was released, as with a `Quoter`.
pub struct Dumper<'a, 'py> {
    quoter: Quoter<'a, 'py>,
    context: AdaptContext<'a, 'py>,
    dialect: Dialect,
    /// Floats and decimals have the types that their literals have. Else floats are `float8` and
    /// decimals `numeric`.
    literal_types: bool,
    /// An array is being written.
    in_array: bool,
    /// The current value as SQL. The buffer is reused.
    sql: Vec<u8>,
}

impl<'a, 'py> Dumper<'a, 'py> {
    /// `binary`: whether values may be sent in binary formats, because the server is known to have
    /// those of PostgreSQL 10 and later. Without them all types are those of the literals.
    pub fn new(context: &AdaptContext<'a, 'py>, binary: bool) -> PyResult<Self> {
        let quoting = &context.quoting;
        let dialect =
            Dialect { encoding: quoting.encoding().encoding(), strings: quoting.strings(), binary };
        Ok(Self {
            quoter: Quoter::new(context)?,
            context: *context,
            dialect,
            literal_types: quoting.conventions() == Conventions::Psycopg2,
            in_array: false,
            sql: Vec::new(),
        })
    }

    /// Forgets which adapters are unchanged: Python code may have run and changed the registry.
    pub fn forget(&mut self) {
        self.quoter.forget();
    }

    /// What writes the values that stay SQL.
    #[inline]
    pub fn quoter(&mut self) -> &mut Quoter<'a, 'py> {
        &mut self.quoter
    }

    /// Appends a value to `out`. After an error `out` may hold a part of it.
    #[inline]
    pub fn value(&mut self, object: &Bound<'py, PyAny>, out: &mut Vec<u8>) -> PyResult<Dumped> {
        if object.is_none() {
            return Ok(NULL);
        }
        match self.quoter.native_for(object)? {
            Some(native) => self.native(native, object, out),
            None => self.other(object, out),
        }
    }

    /// A value whose type has no built-in adapter, or whose adapter was replaced.
    #[inline(never)]
    fn other(&mut self, object: &Bound<'py, PyAny>, out: &mut Vec<u8>) -> PyResult<Dumped> {
        if self.dialect.binary
            && self.quoter.is_plain_uuid(object)?
            && let Some(number) = uuid::number(object)
        {
            out.extend_from_slice(&number.to_be_bytes());
            return Ok(Dumped::Bound(oid::UUID, Written::Binary));
        }
        match self.quoter.source(object)? {
            Source::Native(native, object) => self.native(native, &object, out),
            Source::Quoted(sql) => {
                self.sql.clear();
                self.quoter.quoted(&sql, &mut self.sql)?;
                Ok(self.constant(out))
            }
        }
    }

    /// A value as a built-in adapter writes it.
    #[inline]
    fn native(
        &mut self,
        native: Native,
        object: &Bound<'py, PyAny>,
        out: &mut Vec<u8>,
    ) -> PyResult<Dumped> {
        if !self.dialect.binary {
            return self.as_sql(native, object, out);
        }
        let oid = match native {
            Native::Int => match scalar::small_int(object) {
                Some(value) => write_integer(value, out),
                None => return self.as_sql(native, object, out),
            },
            Native::QuotedString => match object.cast::<PyString>() {
                Ok(text) => {
                    self.context.quoting.write_text(text, out)?;
                    return Ok(Dumped::Bound(0, Written::Text));
                }
                Err(_) => return self.as_sql(native, object, out),
            },
            Native::Float => match object.cast::<PyFloat>() {
                Ok(float) => return Ok(self.float(float.value(), out)),
                Err(_) => return self.as_sql(native, object, out),
            },
            Native::Boolean => {
                out.push(u8::from(object.is_truthy()?));
                oid::BOOL
            }
            Native::Binary => match scalar::content(object)? {
                Some(data) => {
                    out.extend_from_slice(&data);
                    oid::BYTEA
                }
                None => return Ok(NULL),
            },
            _ => return self.uncommon(native, object, out),
        };
        Ok(Dumped::Bound(oid, Written::Binary))
    }

    #[inline(never)]
    fn uncommon(
        &mut self,
        native: Native,
        object: &Bound<'py, PyAny>,
        out: &mut Vec<u8>,
    ) -> PyResult<Dumped> {
        let written = match native {
            Native::Timestamp => match object.cast_exact::<PyDateTime>() {
                Ok(moment) => self.timestamp(moment, out)?,
                Err(_) => None,
            },
            Native::Time => match object.cast_exact::<PyTime>() {
                Ok(time) => self.time(time, out)?,
                Err(_) => None,
            },
            Native::Date => object.cast_exact::<PyDate>().ok().map(|day| datetime::date(day, out)),
            Native::Interval => {
                object.cast::<PyDelta>().ok().map(|delta| datetime::interval(delta, out))
            }
            Native::Decimal => return self.decimal(object, out),
            Native::List => return self.list(object, out),
            Native::AsIs | Native::In => {
                self.quoter.native(native, object, out)?;
                return Ok(Dumped::Literal);
            }
            _ => None,
        };
        match written {
            Some(oid) => Ok(Dumped::Bound(oid, Written::Binary)),
            None => self.as_sql(native, object, out),
        }
    }

    /// A value whose parameter is read from its SQL.
    fn as_sql(
        &mut self,
        native: Native,
        object: &Bound<'py, PyAny>,
        out: &mut Vec<u8>,
    ) -> PyResult<Dumped> {
        self.sql.clear();
        self.quoter.native(native, object, &mut self.sql)?;
        if matches!(native, Native::AsIs | Native::In) {
            out.extend_from_slice(&self.sql);
            return Ok(Dumped::Literal);
        }
        Ok(self.constant(out))
    }

    /// The parameter for the SQL in `self.sql`, or that SQL itself if it is no constant.
    fn constant(&self, out: &mut Vec<u8>) -> Dumped {
        let start = out.len();
        match parameter::write_typed(out, &self.sql, self.dialect) {
            Ok((_, ParameterForm::Null)) => NULL,
            Ok((oid, ParameterForm::Text)) => Dumped::Bound(oid, Written::Text),
            Ok((oid, ParameterForm::Binary)) => Dumped::Bound(oid, Written::Binary),
            Err(Unfit) => {
                out.truncate(start);
                out.extend_from_slice(&self.sql);
                Dumped::Literal
            }
        }
    }

    fn float(&self, value: f64, out: &mut Vec<u8>) -> Dumped {
        if self.literal_types && value.is_finite() {
            number::write_repr(out, value);
            return Dumped::Bound(oid::NUMERIC, Written::Text);
        }
        out.extend_from_slice(&value.to_be_bytes());
        Dumped::Bound(oid::FLOAT8, Written::Binary)
    }

    fn decimal(&mut self, object: &Bound<'py, PyAny>, out: &mut Vec<u8>) -> PyResult<Dumped> {
        self.sql.clear();
        scalar::decimal(object, &mut self.sql)?;
        if self.literal_types || self.sql.starts_with(b"'") {
            return Ok(self.constant(out));
        }
        out.extend_from_slice(self.sql.trim_ascii_start());
        Ok(Dumped::Bound(oid::NUMERIC, Written::Text))
    }
}

/// Writes an integer that begins at `start` in binary, of the type `found`, as one of a wider type, if
/// whatever column it is assigned to gets the same value.
pub fn widen(found: Oid, wider: Oid, start: usize, out: &mut Vec<u8>) -> Option<(Oid, Written)> {
    /// A larger `float8` has an exponent as text.
    const PLAIN_FLOATS: u64 = 1_000_000_000_000_000;
    if !array::is_integer(found) {
        return None;
    }
    let value = array::integer(out.get(start..)?)?;
    let written = match wider {
        oid::INT8 => {
            out.truncate(start);
            out.extend_from_slice(&value.to_be_bytes());
            Written::Binary
        }
        oid::NUMERIC => {
            out.truncate(start);
            number::write_plain_integer(out, value);
            Written::Text
        }
        oid::FLOAT8 if value.unsigned_abs() < PLAIN_FLOATS => {
            out.truncate(start);
            #[expect(clippy::cast_precision_loss, reason = "it is not so large")]
            out.extend_from_slice(&(value as f64).to_be_bytes());
            Written::Binary
        }
        _ => return None,
    };
    Some((wider, written))
}

/// Writes an int of the smaller type that has it, and returns that.
#[inline]
fn write_integer(value: i64, out: &mut Vec<u8>) -> Oid {
    match i32::try_from(value) {
        Ok(value) => {
            out.extend_from_slice(&value.to_be_bytes());
            oid::INT4
        }
        Err(_) => {
            out.extend_from_slice(&value.to_be_bytes());
            oid::INT8
        }
    }
}

/// A value as a parameter: its type, its format (0 is text, 1 binary) and its content, None for
/// NULL; or the SQL text that has to be merged instead.
///
/// For tests. `own`: by the conventions of `psycoxide.aio` and `psycoxide.sync`.
#[pyfunction]
#[pyo3(signature = (
    value, *, encoding="UTF8", standard_conforming_strings=true, own=false, binary=true
))]
fn _dump<'py>(
    value: &Bound<'py, PyAny>,
    encoding: &str,
    standard_conforming_strings: bool,
    own: bool,
    binary: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let py = value.py();
    let strings = match standard_conforming_strings {
        true => StringStyle::Standard,
        false => StringStyle::Escape,
    };
    let conventions = if own { Conventions::Own } else { Conventions::Psycopg2 };
    let quoting = QuoteContext::new(ClientEncoding::lookup(py, encoding)?, strings);
    let none = py.None().into_bound(py);
    let context = AdaptContext::without_session(&none, quoting.with_conventions(conventions));
    let mut out = Vec::new();
    let dumped = Dumper::new(&context, binary)?.value(value, &mut out)?;
    let content = PyBytes::new(py, &out);
    match dumped {
        Dumped::Literal => Ok(content.into_any()),
        Dumped::Bound(oid, written) => {
            let content = (written != Written::Null).then_some(content);
            let made = (oid, i32::from(written == Written::Binary), content).into_pyobject(py)?;
            Ok(made.into_any())
        }
    }
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(_dump, module)?)
}
