//! Values as parameters for a column whose type is known.

use psycoxide_proto::Written;
use psycoxide_sql::oid::{self, Oid};
use psycoxide_sql::parameter::{self, ParameterForm, Unfit};
use psycoxide_sql::quote::number;
use pyo3::prelude::*;
use pyo3::types::{PyDate, PyDateTime, PyDelta, PyFloat, PyList, PyString, PyTime};

use super::{Dumper, datetime};
use crate::adapt::registry::Native;
use crate::adapt::{scalar, uuid};

impl<'py> Dumper<'_, 'py> {
    /// Appends a value as a parameter of the type `oid`, with the meaning that its literal has for
    /// a column of that type. `Unfit` if there is no such parameter. `out` may hold a part of one
    /// after a failure.
    #[inline]
    pub fn column(
        &mut self,
        object: &Bound<'py, PyAny>,
        oid: Oid,
        out: &mut Vec<u8>,
    ) -> PyResult<Result<Written, Unfit>> {
        if object.is_none() {
            return Ok(Ok(Written::Null));
        }
        let start = out.len();
        if self.dialect.binary
            && let Some(written) = self.column_native(object, oid, out)?
        {
            return Ok(Ok(written));
        }
        out.truncate(start);
        self.column_as_sql(object, oid, out)
    }

    /// By the value's SQL.
    #[inline(never)]
    fn column_as_sql(
        &mut self,
        object: &Bound<'py, PyAny>,
        oid: Oid,
        out: &mut Vec<u8>,
    ) -> PyResult<Result<Written, Unfit>> {
        self.sql.clear();
        self.quoter.value(object, &mut self.sql)?;
        Ok(parameter::write(out, &self.sql, oid, self.dialect).map(|form| match form {
            ParameterForm::Null => Written::Null,
            ParameterForm::Text => Written::Text,
            ParameterForm::Binary => Written::Binary,
        }))
    }

    /// A value of a class of Python's own, for a type that takes it as it is. `None` for all
    /// others.
    #[inline]
    fn column_native(
        &mut self,
        object: &Bound<'py, PyAny>,
        oid: Oid,
        out: &mut Vec<u8>,
    ) -> PyResult<Option<Written>> {
        let Some(native) = self.quoter.native_for(object)? else {
            let number = match oid {
                oid::UUID if self.quoter.is_plain_uuid(object)? => uuid::number(object),
                _ => None,
            };
            return Ok(number.map(|number| {
                out.extend_from_slice(&number.to_be_bytes());
                Written::Binary
            }));
        };
        match native {
            Native::Int => {
                Ok(scalar::small_int(object).and_then(|value| write_integer(value, oid, out)))
            }
            Native::QuotedString => match object.cast_exact::<PyString>() {
                Ok(text) => {
                    self.context.quoting.write_text(text, out)?;
                    Ok(Some(Written::Text))
                }
                Err(_) => Ok(None),
            },
            Native::Float => {
                let float = object.cast_exact::<PyFloat>().ok();
                Ok(float.and_then(|float| write_float(float.value(), oid, out)))
            }
            Native::Boolean if oid == oid::BOOL => {
                out.push(u8::from(object.is_truthy()?));
                Ok(Some(Written::Binary))
            }
            Native::Binary if oid == oid::BYTEA => match scalar::content(object)? {
                Some(data) => {
                    out.extend_from_slice(&data);
                    Ok(Some(Written::Binary))
                }
                None => Ok(None),
            },
            _ => self.column_uncommon(native, object, oid, out),
        }
    }

    fn column_uncommon(
        &mut self,
        native: Native,
        object: &Bound<'py, PyAny>,
        oid: Oid,
        out: &mut Vec<u8>,
    ) -> PyResult<Option<Written>> {
        let written = match (native, oid) {
            (Native::Timestamp, oid::TIMESTAMP | oid::TIMESTAMPTZ) => {
                match object.cast_exact::<PyDateTime>() {
                    Ok(moment) => self.timestamp(moment, out)?,
                    Err(_) => None,
                }
            }
            (Native::Time, oid::TIME | oid::TIMETZ) => match object.cast_exact::<PyTime>() {
                Ok(time) => self.time(time, out)?,
                Err(_) => None,
            },
            (Native::Date, oid::DATE) => {
                object.cast_exact::<PyDate>().ok().map(|day| datetime::date(day, out))
            }
            (Native::Interval, oid::INTERVAL) => {
                object.cast::<PyDelta>().ok().map(|delta| datetime::interval(delta, out))
            }
            (Native::List, _) => match object.cast_exact::<PyList>() {
                Ok(list) if self.list_of(list, oid, out)? => Some(oid),
                _ => None,
            },
            _ => None,
        };
        // A naive moment is no `timestamptz`, and the other way round.
        Ok((written == Some(oid)).then_some(Written::Binary))
    }
}

/// Writes an integer that the type has; else nothing: the server says what is wrong.
#[inline]
fn write_integer(value: i64, oid: Oid, out: &mut Vec<u8>) -> Option<Written> {
    match oid {
        oid::INT4 => out.extend_from_slice(&i32::try_from(value).ok()?.to_be_bytes()),
        oid::INT8 => out.extend_from_slice(&value.to_be_bytes()),
        oid::INT2 => out.extend_from_slice(&i16::try_from(value).ok()?.to_be_bytes()),
        #[expect(clippy::cast_precision_loss, reason = "the server rounds, too")]
        oid::FLOAT8 => out.extend_from_slice(&(value as f64).to_be_bytes()),
        oid::NUMERIC | oid::TEXT | oid::VARCHAR => {
            number::write_plain_integer(out, value);
            return Some(Written::Text);
        }
        _ => return None,
    }
    Some(Written::Binary)
}

/// The same for a float.
#[inline]
fn write_float(value: f64, oid: Oid, out: &mut Vec<u8>) -> Option<Written> {
    if !value.is_finite() {
        return None;
    }
    // A numeric constant has no negative zero.
    let value = value + 0.0;
    match oid {
        oid::FLOAT8 => {
            out.extend_from_slice(&value.to_be_bytes());
            Some(Written::Binary)
        }
        oid::NUMERIC => {
            number::write_repr(out, value);
            Some(Written::Text)
        }
        _ => None,
    }
}
