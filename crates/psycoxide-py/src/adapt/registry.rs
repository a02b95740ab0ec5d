//! The registry `adapters`, and how an adapter is looked up.

use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple, PyType};

use super::class::{self, ISQLQuote};
use crate::error;
use crate::once::Once;

/// A built-in adapter whose SQL is written without making the adapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Native {
    AsIs,
    Binary,
    Boolean,
    Date,
    Decimal,
    Float,
    In,
    Int,
    Interval,
    List,
    Null,
    QuotedString,
    Time,
    Timestamp,
}

/// The built-in pairs of type and adapter, and the dict that users change.
pub struct Registry {
    adapters: Py<PyDict>,
    protocol: Py<PyType>,
    natives: Vec<(Native, Py<PyAny>)>,
    builtins: Vec<Builtin>,
    /// The address of each built-in type, with its adapter. The keys of the pairs keep the types
    /// alive.
    classes: Vec<(usize, Native)>,
}

struct Builtin {
    /// `(class, ISQLQuote)`: the very tuple that is in the dict, so that a look-up compares only
    /// identities.
    key: Py<PyTuple>,
    adapter: Py<PyAny>,
}

/// The built-in pairs that were found unchanged in the dict, and how far the dict was read. Start
/// anew once Python code ran, which may change the dict.
#[derive(Default)]
pub struct ConfirmedPairs {
    /// A bit for each confirmed pair.
    bits: u32,
    /// How many pairs were checked in the order of the dict.
    checked: usize,
    position: ffi::Py_ssize_t,
}

impl ConfirmedPairs {
    /// Whether the pair of this number is confirmed.
    #[inline]
    pub fn has(&self, number: usize) -> bool {
        self.bits >> number & 1 == 1
    }

    /// Confirms the pair of this number.
    pub fn mark(&mut self, number: usize) {
        self.bits |= 1 << number;
    }
}

/// The result of the search for an adapter.
pub enum Found<'py> {
    /// An adapter class, to be called with the object.
    Adapter(Bound<'py, PyAny>),
    /// An adapter that the object or the protocol returned itself.
    Adapted(Bound<'py, PyAny>),
}

/// The registry with the types that every interpreter has loaded.
static BASIC: Once<Registry> = Once::new();

/// The registry with all types. The modules of the others take longer to import than this one, so
/// they wait until somebody looks at the dict or passes a value that is not text, a number or a
/// truth value.
static COMPLETE: Once<Registry> = Once::new();

impl Registry {
    /// The complete registry if it exists yet, else the basic one. A type that is missing here may be
    /// in the [complete](Self::complete) one.
    pub fn current(py: Python<'_>) -> PyResult<&Registry> {
        COMPLETE.get(py).map_or_else(|| Self::basic(py), Ok)
    }

    /// The registry with all built-in pairs. The first call imports their modules.
    pub fn complete(py: Python<'_>) -> PyResult<&Registry> {
        COMPLETE.get_or_make(py, || Self::basic(py)?.with_other_types(py))
    }

    /// Whether this is the complete one.
    pub fn is_complete(&self, py: Python<'_>) -> bool {
        COMPLETE.get(py).is_some_and(|complete| std::ptr::eq(complete, self))
    }

    fn basic(py: Python<'_>) -> PyResult<&Registry> {
        // Filled when the module is initialised; nothing can be quoted before.
        BASIC.get(py).ok_or_else(|| PyRuntimeError::new_err("the module is not initialised"))
    }

    /// The number and the native adapter of the built-in pair whose type is exactly that of
    /// `object`.
    #[inline]
    pub fn builtin(&self, object: &Bound<'_, PyAny>) -> Option<(usize, Native)> {
        let class = object.get_type_ptr().addr();
        let mut classes = self.classes.iter().enumerate();
        classes.find(|(_, known)| known.0 == class).map(|(number, known)| (number, known.1))
    }

    /// Whether the dict still maps a built-in type to its built-in adapter.
    pub fn confirm(&self, py: Python<'_>, number: usize) -> PyResult<bool> {
        let Some(builtin) = self.builtins.get(number) else { return Ok(false) };
        let registered = self.adapters.bind(py).get_item(&builtin.key)?;
        Ok(registered.is_some_and(|adapter| adapter.is(&builtin.adapter)))
    }

    /// Reads the dict up to the built-in pair of this number, and confirms the pairs on the way.
    /// The built-in pairs are its first items as long as nobody changed them, and reading on costs
    /// far less than a look-up for each.
    pub fn confirm_up_to(&self, py: Python<'_>, confirmed: &mut ConfirmedPairs, number: usize) {
        while confirmed.checked <= number {
            let Some(builtin) = self.builtins.get(confirmed.checked) else { return };
            let (mut key, mut value) = (std::ptr::null_mut(), std::ptr::null_mut());
            // SAFETY: `adapters` is a dict, the GIL is held, and the position is one that the
            // function gave or the 0 it begins with. What it gives is only compared.
            let more = unsafe {
                ffi::PyDict_Next(
                    self.adapters.bind(py).as_ptr(),
                    &raw mut confirmed.position,
                    &raw mut key,
                    &raw mut value,
                )
            };
            if more == 0 || key != builtin.key.as_ptr() {
                // The order differs: the other pairs have to be looked up.
                confirmed.checked = self.builtins.len();
                return;
            }
            if value == builtin.adapter.as_ptr() {
                confirmed.mark(confirmed.checked);
            }
            confirmed.checked += 1;
        }
    }

    /// The native form of an adapter, if it is a built-in one.
    pub fn native(&self, adapter: &Bound<'_, PyAny>) -> Option<Native> {
        self.natives.iter().find(|(_, known)| adapter.is(known)).map(|(native, _)| *native)
    }

    pub fn protocol<'py>(&self, py: Python<'py>) -> &Bound<'py, PyType> {
        self.protocol.bind(py)
    }

    /// Looks for an adapter: by exact type, then the protocol's `__adapt__`, then the object's
    /// `__conform__`, then by the types it inherits from.
    ///
    /// The two methods are PEP 246's: a TypeError from them means "no".
    pub fn find<'py>(
        &self,
        object: &Bound<'py, PyAny>,
        protocol: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Found<'py>>> {
        let class = object.get_type();
        if let Some(adapter) = self.registered(class.as_any(), protocol)? {
            return Ok(Some(Found::Adapter(adapter)));
        }
        for (asked, method, argument) in
            [(protocol, "__adapt__", object), (object, "__conform__", protocol)]
        {
            let Some(method) = asked.getattr_opt(method)? else { continue };
            match method.call1((argument,)) {
                Ok(adapted) if adapted.is_none() => {}
                Ok(adapted) => return Ok(Some(Found::Adapted(adapted))),
                Err(error) if error.is_instance_of::<PyTypeError>(object.py()) => {}
                Err(error) => return Err(error),
            }
        }
        for base in class.mro().iter().skip(1) {
            if let Some(adapter) = self.registered(&base, protocol)? {
                return Ok(Some(Found::Adapter(adapter)));
            }
        }
        Ok(None)
    }

    /// The adapter that the dict has for a class.
    pub fn registered<'py>(
        &self,
        class: &Bound<'py, PyAny>,
        protocol: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.adapters.bind(class.py()).get_item((class, protocol))
    }
}

/// The exception for an object that has no adapter.
#[cold]
pub fn no_adapter(object: &Bound<'_, PyAny>) -> PyErr {
    error::programming(format!("can't adapt type '{}'", type_name(object)))
}

/// `tp_name` of the object's type: dotted for types that are written in C.
///
/// Programs and their users know error messages with it: `can't adapt type 'numpy.int64'`.
pub fn type_name(object: &Bound<'_, PyAny>) -> String {
    // SAFETY: every object has a type and every ready type a name that ends in NUL; `object` keeps
    // its type alive while the name is copied.
    unsafe { std::ffi::CStr::from_ptr((*ffi::Py_TYPE(object.as_ptr())).tp_name) }
        .to_string_lossy()
        .into_owned()
}

/// The adapter of an object: its method `getquoted()` returns the object's SQL.
///
/// `protocol` is `ISQLQuote` by default; `alternate` is there for PEP 246 and never used, as in
/// psycopg2. Raises ProgrammingError if there is no adapter.
#[pyfunction]
#[pyo3(signature = (obj, protocol=None, alternate=None, /))]
fn adapt<'py>(
    obj: &Bound<'py, PyAny>,
    protocol: Option<Bound<'py, PyAny>>,
    alternate: Option<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let _ = alternate;
    let registry = Registry::complete(obj.py())?;
    let protocol = protocol.unwrap_or_else(|| registry.protocol(obj.py()).clone().into_any());
    match registry.find(obj, &protocol)? {
        Some(Found::Adapter(adapter)) => adapter.call1((obj,)),
        Some(Found::Adapted(adapted)) => Ok(adapted),
        None => Err(no_adapter(obj)),
    }
}

/// Exports `adapt`; `adapters` is [made](adapters) when it is first asked for.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    BASIC.get_or_make(module.py(), || Registry::new(module))?;
    module.add_function(wrap_pyfunction!(adapt, module)?)
}

/// The dict `adapters`, with the built-in pairs in it.
pub fn adapters(py: Python<'_>) -> PyResult<&Bound<'_, PyDict>> {
    Ok(Registry::complete(py)?.adapters.bind(py))
}

impl Registry {
    fn new(module: &Bound<'_, PyModule>) -> PyResult<Self> {
        let py = module.py();
        let mut registry = Self {
            adapters: PyDict::new(py).unbind(),
            protocol: py.get_type::<ISQLQuote>().unbind(),
            natives: class::natives(module)?,
            builtins: Vec::new(),
            classes: Vec::new(),
        };
        registry.add_builtins(py, BASIC_TYPES)?;
        Ok(registry)
    }

    /// A copy with the other types.
    fn with_other_types(&self, py: Python<'_>) -> PyResult<Self> {
        let copy = |pair: &Builtin| Builtin {
            key: pair.key.clone_ref(py),
            adapter: pair.adapter.clone_ref(py),
        };
        let natives = self.natives.iter();
        let mut registry = Self {
            adapters: self.adapters.clone_ref(py),
            protocol: self.protocol.clone_ref(py),
            natives: natives.map(|(native, adapter)| (*native, adapter.clone_ref(py))).collect(),
            builtins: self.builtins.iter().map(copy).collect(),
            classes: self.classes.clone(),
        };
        registry.add_builtins(py, OTHER_TYPES)?;
        Ok(registry)
    }

    fn add_builtins(&mut self, py: Python<'_>, types: &[(&str, &str, Native)]) -> PyResult<()> {
        // Imports come first, as other threads run meanwhile: one of them may have added the pairs,
        // and its program may have replaced some.
        let classes = types.iter().map(|(module, name, native)| {
            Ok(match native {
                // `NoneType` is not an attribute of `builtins`.
                Native::Null => py.None().bind(py).get_type(),
                _ => py.import(*module)?.getattr(*name)?.cast_into()?,
            })
        });
        let classes = classes.collect::<PyResult<Vec<Bound<'_, PyType>>>>()?;
        let adapters = self.adapters.bind(py);
        for (class, (_, _, native)) in classes.iter().zip(types) {
            let adapter = self
                .natives
                .iter()
                .find_map(|(known, adapter)| (known == native).then(|| adapter.clone_ref(py)))
                .ok_or_else(|| PyRuntimeError::new_err("an adapter is missing"))?;
            let key = PyTuple::new(py, [class.as_any(), self.protocol.bind(py).as_any()])?;
            if !adapters.contains(&key)? {
                adapters.set_item(&key, &adapter)?;
            }
            // The key keeps the type alive, and so its address valid.
            self.builtins.push(Builtin { key: key.unbind(), adapter });
            self.classes.push((class.as_ptr().addr(), *native));
        }
        Ok(())
    }
}

/// The types that have an adapter from the start, the frequent ones first.
const BASIC_TYPES: &[(&str, &str, Native)] = &[
    ("builtins", "str", Native::QuotedString),
    ("builtins", "int", Native::Int),
    ("builtins", "float", Native::Float),
    ("builtins", "bool", Native::Boolean),
];

const OTHER_TYPES: &[(&str, &str, Native)] = &[
    ("datetime", "datetime", Native::Timestamp),
    ("datetime", "date", Native::Date),
    ("decimal", "Decimal", Native::Decimal),
    ("builtins", "list", Native::List),
    ("builtins", "tuple", Native::In),
    ("builtins", "bytes", Native::Binary),
    ("datetime", "time", Native::Time),
    ("datetime", "timedelta", Native::Interval),
    ("builtins", "bytearray", Native::Binary),
    ("builtins", "memoryview", Native::Binary),
    ("builtins", "NoneType", Native::Null),
];
