//! Writing any Python value as SQL text.

use pyo3::exceptions::{PyRecursionError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString, PyTuple};

use super::class;
use super::context::AdaptContext;
use super::datetime::{self, Zone};
use super::registry::{ConfirmedPairs, Found, Native, Registry, no_adapter, type_name};
use super::{scalar, uuid};
use crate::conventions::Conventions;
use crate::imports::{ADAPT, Lazy};

/// Returns the adapter that an object has in `psycoxide.aio` and `psycoxide.sync` if the program
/// has registered none, or None.
static DEFAULT_ADAPTER: Lazy = Lazy::new("psycoxide._defaults", "adapter");

/// The deepest nesting of lists and tuples.
///
/// A list that contains itself must raise an exception before the stack overflows: a level takes a
/// few hundred bytes of it. An array of the server has 6 dimensions at most.
const MAX_DEPTH: usize = 500;

/// The number under which the adapter of `uuid.UUID` is confirmed: above those of the built-in
/// pairs.
const UUID: usize = 31;

/// What the SQL of an object comes from.
pub enum Source<'py> {
    /// A built-in adapter, which writes this object.
    Native(Native, Bound<'py, PyAny>),
    /// An adapter of the program: what its `getquoted()` returned.
    Quoted(Bound<'py, PyAny>),
}

/// Writes the values of a statement, or of several between which no Python code runs.
pub struct Quoter<'a, 'py> {
    registry: &'py Registry,
    context: AdaptContext<'a, 'py>,
    /// The built-in pairs that were found unchanged in the registry. It is emptied after Python
    /// code ran, which may change the registry.
    confirmed: ConfirmedPairs,
    /// Raw SQL was written: by `AsIs`, or by a program's own adapter.
    raw_sql: bool,
    depth: usize,
}

impl<'a, 'py> Quoter<'a, 'py> {
    pub fn new(context: &AdaptContext<'a, 'py>) -> PyResult<Self> {
        let registry = Registry::current(context.conn.py())?;
        Ok(Self {
            registry,
            context: *context,
            confirmed: ConfirmedPairs::default(),
            raw_sql: false,
            depth: 0,
        })
    }

    /// Forgets what was confirmed: Python code may have run and changed the registry.
    pub fn forget(&mut self) {
        self.confirmed = ConfirmedPairs::default();
    }

    /// Whether raw SQL was written since the last call.
    pub fn wrote_raw_sql(&mut self) -> bool {
        std::mem::take(&mut self.raw_sql)
    }

    /// Writes a parameter. None is always NULL, whatever adapter is registered for it.
    pub fn value(&mut self, object: &Bound<'py, PyAny>, out: &mut Vec<u8>) -> PyResult<()> {
        if object.is_none() {
            out.extend_from_slice(b"NULL");
            return Ok(());
        }
        self.adapted(object, out)
    }

    /// The native adapter for an object, if its type still has that.
    #[inline]
    pub fn native_for(&mut self, object: &Bound<'py, PyAny>) -> PyResult<Option<Native>> {
        let Some((number, native)) = self.registry.builtin(object) else { return Ok(None) };
        let confirmed = self.confirmed.has(number) || self.confirm_for_copy(number)?;
        Ok(confirmed.then_some(native))
    }

    /// Whether `object` is a `uuid.UUID` that the standard adapter writes.
    #[inline]
    pub fn is_plain_uuid(&mut self, object: &Bound<'py, PyAny>) -> PyResult<bool> {
        if !uuid::is_uuid(object)? {
            return Ok(false);
        }
        if !self.confirmed.has(UUID) {
            let own = self.context.quoting.conventions() == Conventions::Own;
            if !uuid::is_adapted_as_usual(object, self.registry, own)? {
                return Ok(false);
            }
            self.confirmed.mark(UUID);
        }
        Ok(true)
    }

    /// A function of its own, so that the one below stays inlined where statements are merged.
    #[inline(never)]
    fn confirm_for_copy(&mut self, number: usize) -> PyResult<bool> {
        self.confirm(number)
    }

    /// Writes an object by its adapter.
    #[inline]
    pub fn adapted(&mut self, object: &Bound<'py, PyAny>, out: &mut Vec<u8>) -> PyResult<()> {
        match self.registry.builtin(object) {
            Some((number, native)) if self.confirmed.has(number) => {
                self.native(native, object, out)
            }
            found => self.unconfirmed(found, object, out),
        }
    }

    /// Writes an object whose type has not been confirmed since Python code last ran.
    #[inline(never)]
    fn unconfirmed(
        &mut self,
        found: Option<(usize, Native)>,
        object: &Bound<'py, PyAny>,
        out: &mut Vec<u8>,
    ) -> PyResult<()> {
        if let Some((number, native)) = found
            && self.confirm(number)?
        {
            return self.native(native, object, out);
        }
        if !self.registry.is_complete(object.py()) {
            self.registry = Registry::complete(object.py())?;
            self.forget();
            return self.adapted(object, out);
        }
        self.forget();
        let result = self.looked_up(object, out);
        self.forget();
        result
    }

    /// Writes an object whose type has no built-in adapter, or whose built-in adapter was replaced.
    fn looked_up(&mut self, object: &Bound<'py, PyAny>, out: &mut Vec<u8>) -> PyResult<()> {
        match self.look_up(object)? {
            Source::Native(native, object) => self.native(native, &object, out),
            Source::Quoted(sql) => self.quoted(&sql, out),
        }
    }

    /// What the SQL of an object comes from, for an object whose type has no built-in adapter that
    /// is [native](Self::native_for).
    pub fn source(&mut self, object: &Bound<'py, PyAny>) -> PyResult<Source<'py>> {
        if !self.registry.is_complete(object.py()) {
            self.registry = Registry::complete(object.py())?;
            self.forget();
            if let Some(native) = self.native_for(object)? {
                return Ok(Source::Native(native, object.clone()));
            }
        }
        self.forget();
        let result = self.look_up(object);
        self.forget();
        result
    }

    fn look_up(&mut self, object: &Bound<'py, PyAny>) -> PyResult<Source<'py>> {
        match self.registry.find(object, self.registry.protocol(object.py()).as_any())? {
            Some(Found::Adapter(adapter)) => match self.registry.native(&adapter) {
                Some(native) => Ok(Source::Native(native, object.clone())),
                None => self.adapter(&adapter.call1((object,))?),
            },
            Some(Found::Adapted(adapter)) => self.adapter(&adapter),
            None => self.by_default(object),
        }
    }

    /// The same for an object that has no adapter.
    fn by_default(&self, object: &Bound<'py, PyAny>) -> PyResult<Source<'py>> {
        if self.context.quoting.conventions() == Conventions::Psycopg2 {
            return Err(no_adapter(object));
        }
        let adapter = DEFAULT_ADAPTER.bind(object.py())?.call1((object,))?;
        if adapter.is_none() { Err(no_adapter(object)) } else { self.adapter(&adapter) }
    }

    /// What the SQL of an adapter object comes from.
    fn adapter(&self, adapter: &Bound<'py, PyAny>) -> PyResult<Source<'py>> {
        if let Some((native, wrapped)) = class::unwrap(adapter, &self.context) {
            return Ok(Source::Native(native, wrapped));
        }
        if !self.context.conn.is_none()
            && let Some(prepare) = adapter.getattr_opt("prepare")?
        {
            prepare.call1((self.context.conn,))?;
        }
        Ok(Source::Quoted(adapter.call_method0("getquoted")?))
    }

    /// Writes what a program's adapter returned.
    pub fn quoted(&mut self, sql: &Bound<'py, PyAny>, out: &mut Vec<u8>) -> PyResult<()> {
        self.raw_sql = true;
        if let Ok(bytes) = sql.cast_exact::<PyBytes>() {
            out.extend_from_slice(bytes.as_bytes());
        } else if let Ok(text) = sql.cast_exact::<PyString>() {
            out.extend_from_slice(self.context.quoting.encoding().encode(text)?.as_bytes());
        } else {
            return Err(PyValueError::new_err(format!(
                "only bytes values expected, got {}",
                type_name(sql)
            )));
        }
        Ok(())
    }

    /// Writes `object` as the built-in adapter would.
    pub fn native(
        &mut self,
        native: Native,
        object: &Bound<'py, PyAny>,
        out: &mut Vec<u8>,
    ) -> PyResult<()> {
        match native {
            Native::QuotedString => scalar::string(object, &self.context.quoting, out),
            Native::Int => scalar::int(object, out),
            Native::Float => scalar::float(object, out),
            Native::Boolean => scalar::boolean(object, out),
            Native::Timestamp => self.zoned(datetime::timestamp(object, out)),
            Native::Date => datetime::date(object, out),
            Native::Time => self.zoned(datetime::time(object, out)),
            Native::Interval => {
                datetime::interval(object, self.context.quoting.signs_intervals(), out)
            }
            Native::Decimal => scalar::decimal(object, out),
            Native::Binary => scalar::binary(object, &self.context.quoting, out),
            Native::AsIs => {
                self.raw_sql = true;
                scalar::as_is(object, &self.context.quoting, out)
            }
            Native::List => self.nested(|quoter| quoter.list(object, out)),
            Native::In => self.nested(|quoter| quoter.tuple(object, out)),
            Native::Null => {
                out.extend_from_slice(b"NULL");
                Ok(())
            }
        }
    }

    /// Writes a list as an array.
    ///
    /// The server refuses `ARRAY[…]` for an empty array and for one of NULLs only, because nothing
    /// tells their type; these are written as strings. Inside another array an empty one can only
    /// be `ARRAY[]`.
    fn list(&mut self, object: &Bound<'py, PyAny>, out: &mut Vec<u8>) -> PyResult<()> {
        let list = object.cast::<PyList>()?;
        if list.is_empty() {
            out.extend_from_slice(b"'{}'");
            return Ok(());
        }
        let start = out.len();
        let mut only_nulls = true;
        let mut ends = Vec::new();
        out.extend_from_slice(b"ARRAY[");
        let mut index = 0;
        // The length is read anew each time: an adapter may change the list.
        while index < list.len() {
            if index > 0 {
                out.push(b',');
            }
            let item = list.get_item(index)?;
            let item_start = out.len();
            self.value(&item, out)?;
            if item.is_instance_of::<PyList>() {
                match out.get(item_start..) {
                    Some([b'A', ..]) => only_nulls = false,
                    Some(b"'{}'") => {
                        only_nulls = false;
                        out.truncate(item_start);
                        out.extend_from_slice(b"ARRAY[]");
                    }
                    _ => {}
                }
            } else if !item.is_none() {
                only_nulls = false;
            }
            if only_nulls {
                ends.push(item_start..out.len());
            }
            index += 1;
        }
        if !only_nulls {
            out.push(b']');
            return Ok(());
        }
        let text = null_array(ends.into_iter().filter_map(|range| out.get(range)));
        out.truncate(start);
        out.extend_from_slice(&text);
        Ok(())
    }

    /// Writes a tuple, or any other iterable, as `(a, b)`: for `IN` and composites.
    fn tuple(&mut self, object: &Bound<'py, PyAny>, out: &mut Vec<u8>) -> PyResult<()> {
        let in_python = !object.is_exact_instance_of::<PyTuple>();
        let replaced = ADAPT.replaced(object.py())?;
        out.push(b'(');
        for (number, item) in object.try_iter()?.enumerate() {
            if number > 0 {
                out.extend_from_slice(b", ");
            }
            if in_python {
                self.forget();
            }
            if let Some(adapt) = &replaced {
                let adapter = adapt.call1((item?,))?;
                self.forget();
                match self.adapter(&adapter)? {
                    Source::Native(native, object) => self.native(native, &object, out)?,
                    Source::Quoted(sql) => self.quoted(&sql, out)?,
                }
                continue;
            }
            // Not `value`: here None is written by its adapter.
            self.adapted(&item?, out)?;
        }
        out.push(b')');
        Ok(())
    }

    /// Whether the registry still maps a built-in type to its built-in adapter.
    #[inline(always)]
    fn confirm(&mut self, number: usize) -> PyResult<bool> {
        self.registry.confirm_up_to(self.context.conn.py(), &mut self.confirmed, number);
        if !self.confirmed.has(number) && self.registry.confirm(self.context.conn.py(), number)? {
            self.confirmed.mark(number);
        }
        Ok(self.confirmed.has(number))
    }

    /// Takes the result of a writer that may have asked a `tzinfo`, which may be Python code.
    #[inline]
    fn zoned(&mut self, written: PyResult<Zone>) -> PyResult<()> {
        match written {
            Ok(Zone::None) => Ok(()),
            written => {
                self.forget();
                written.map(|_| ())
            }
        }
    }

    /// Calls `write` one level deeper, unless that is too deep.
    fn nested(&mut self, write: impl FnOnce(&mut Self) -> PyResult<()>) -> PyResult<()> {
        if self.depth == MAX_DEPTH {
            return Err(PyRecursionError::new_err(format!(
                "lists and tuples nested more than {MAX_DEPTH} levels deep"
            )));
        }
        self.depth += 1;
        let result = write(self);
        self.depth -= 1;
        result
    }
}

/// `'{…}'` of items that are `NULL` or have this form themselves.
fn null_array<'a>(items: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut text = b"'{".to_vec();
    for (number, item) in items.enumerate() {
        if number > 0 {
            text.push(b',');
        }
        let inner = item.strip_prefix(b"'").and_then(|item| item.strip_suffix(b"'"));
        text.extend_from_slice(inner.unwrap_or(item));
    }
    text.extend_from_slice(b"}'");
    text
}
