//! Functions of Python's standard library whose work casters do themselves, unless a program has
//! replaced them.
//!
//! Programs do that: `json.loads` with `Decimal` for the numbers, a quicker `uuid.UUID`. psycopg2
//! calls whatever is there, so the replacement has to be called here too.

use std::cell::OnceCell;

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFunction, PyModule, PyString, PyType};

use crate::imports::loaded;
use crate::once::Once;

/// What one fetch found in the standard library, where it looks once.
pub struct Stdlib<'py> {
    py: Python<'py>,
    json: OnceCell<bool>,
    uuid: OnceCell<Bound<'py, PyAny>>,
}

impl<'py> Stdlib<'py> {
    /// Nothing is looked up yet.
    pub fn new(py: Python<'py>) -> Self {
        Self { py, json: OnceCell::new(), uuid: OnceCell::new() }
    }

    /// Whether the parts of the standard JSON decoder are still the original ones.
    pub fn has_standard_json(&self) -> bool {
        *self.json.get_or_init(|| JsonDecoder::is_standard(self.py).unwrap_or(false))
    }

    /// Whether `uuid.UUID` is the standard class.
    pub fn has_standard_uuid(&self) -> bool {
        self.uuid().is_ok_and(|found| {
            found.cast::<PyType>().is_ok_and(|class| is_of(class, "uuid", "UUID").unwrap_or(false))
        })
    }

    /// The object that is `uuid.UUID` now.
    pub fn uuid(&self) -> PyResult<&Bound<'py, PyAny>> {
        if let Some(found) = self.uuid.get() {
            return Ok(found);
        }
        let found = self.py.import(intern!(self.py, "uuid"))?.getattr(intern!(self.py, "UUID"))?;
        Ok(self.uuid.get_or_init(|| found))
    }
}

/// The parts of the default JSON decoder that a program may have replaced.
struct JsonDecoder {
    decoder: Py<PyAny>,
    scan_once: Py<PyAny>,
    decode: Py<PyAny>,
    raw_decode: Py<PyAny>,
}

impl JsonDecoder {
    fn is_standard(py: Python<'_>) -> PyResult<bool> {
        static KNOWN: Once<JsonDecoder> = Once::new();
        let Some(module) = loaded(py, intern!(py, "json").as_any())? else { return Ok(true) };
        let Some(found) = Self::find(&module)? else { return Ok(false) };
        if let Some(known) = KNOWN.get(py) {
            return Ok(known.is(&found) || found.has_standard_parts(py)?);
        }
        let standard = found.has_standard_parts(py)?;
        if standard {
            KNOWN.get_or_make(py, || Ok(found))?;
        }
        Ok(standard)
    }

    /// The parts as they are now; `None` if one is not in its usual place.
    fn find(module: &Bound<'_, PyAny>) -> PyResult<Option<Self>> {
        let py = module.py();
        let Some(decoder) = module.getattr_opt(intern!(py, "_default_decoder"))? else {
            return Ok(None);
        };
        let own = decoder.getattr(intern!(py, "__dict__"))?;
        let own = own.cast::<PyDict>()?;
        let (decode, raw_decode) = (intern!(py, "decode"), intern!(py, "raw_decode"));
        if own.contains(decode)? || own.contains(raw_decode)? {
            return Ok(None);
        }
        let Some(scan_once) = own.get_item(intern!(py, "scan_once"))? else { return Ok(None) };
        let class = decoder.get_type();
        let (decode, raw_decode) = (class.getattr(decode)?, class.getattr(raw_decode)?);
        Ok(Some(Self {
            decoder: decoder.unbind(),
            scan_once: scan_once.unbind(),
            decode: decode.unbind(),
            raw_decode: raw_decode.unbind(),
        }))
    }

    fn is(&self, other: &Self) -> bool {
        self.decoder.is(&other.decoder)
            && self.scan_once.is(&other.scan_once)
            && self.decode.is(&other.decode)
            && self.raw_decode.is(&other.raw_decode)
    }

    fn has_standard_parts(&self, py: Python<'_>) -> PyResult<bool> {
        let decoder = self.decoder.bind(py);
        let scanner = self.scan_once.bind(py);
        let is_none = |name| PyResult::Ok(scanner.getattr(name)?.is_none());
        Ok(is_of(&decoder.get_type(), "json.decoder", "JSONDecoder")?
            && is_from(self.decode.bind(py), "json.decoder", "decode")?
            && is_from(self.raw_decode.bind(py), "json.decoder", "raw_decode")?
            // The scanner in C: its settings cannot be changed once it is made.
            && is_of(&scanner.get_type(), "_json", "Scanner")?
            && scanner.getattr("strict")?.is_truthy()?
            && is_none("object_hook")?
            && is_none("object_pairs_hook")?
            && scanner.getattr("parse_float")?.is(py.get_type::<pyo3::types::PyFloat>())
            && scanner.getattr("parse_int")?.is(py.get_type::<pyo3::types::PyInt>()))
    }
}

/// Whether a class says that it is `name` of a module.
pub fn is_of(class: &Bound<'_, PyType>, module: &str, name: &str) -> PyResult<bool> {
    Ok(class.module()?.to_str()? == module && class.name()?.to_str()? == name)
}

/// Whether a function is defined by the code of a module, whatever its attributes claim.
fn is_from(function: &Bound<'_, PyAny>, module: &str, name: &str) -> PyResult<bool> {
    if function.cast::<PyFunction>().is_err() {
        return Ok(false);
    }
    let globals = function.getattr("__globals__")?;
    let code = function.getattr("__code__")?;
    Ok(globals.get_item("__name__")?.eq(module)? && code.getattr("co_name")?.eq(name)?)
}

/// What a program has put in the place of `json.loads`; `None` if it is the standard one.
#[pyfunction]
pub fn _json_loads(py: Python<'_>) -> PyResult<Option<Bound<'_, PyAny>>> {
    let Some(module) = loaded(py, intern!(py, "json").as_any())? else { return Ok(None) };
    let loads = module.getattr("loads")?;
    let standard = module
        .cast::<PyModule>()
        .is_ok_and(|module| module.name().is_ok_and(|name| name.to_string_lossy() == "json"));
    Ok(if standard && is_from(&loads, "json", "loads")? { None } else { Some(loads) })
}

/// A typecaster's function over one that reads JSON: `json.loads` or what takes its place.
#[pyclass(frozen, module = "psycoxide._psycopg", name = "_JSONLoads")]
pub struct JsonLoads(Py<PyAny>);

#[pymethods]
impl JsonLoads {
    #[new]
    pub fn new(loads: Py<PyAny>) -> Self {
        Self(loads)
    }

    #[pyo3(signature = (s, cur=None))]
    fn __call__<'py>(
        &self,
        s: &Bound<'py, PyAny>,
        cur: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let _ = cur;
        if s.is_none() { Ok(s.clone()) } else { self.0.bind(s.py()).call1((s,)) }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.0)
    }
}

/// What the standard `json.loads` returns for a text. It asks the default decoder, which a program
/// may have replaced.
pub fn loads<'py>(text: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyAny>> {
    let py = text.py();
    let module = py.import(intern!(py, "json"))?;
    if text.to_string_lossy().starts_with('\u{feff}') {
        let words = "Unexpected UTF-8 BOM (decode using utf-8-sig)";
        let raised = module.getattr("JSONDecodeError")?.call1((words, text, 0))?;
        return Err(PyErr::from_value(raised));
    }
    module.getattr(intern!(py, "_default_decoder"))?.call_method1(intern!(py, "decode"), (text,))
}
