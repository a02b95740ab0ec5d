//! The row classes of `extras`, which are written in Python but whose rows are made here.
//!
//! As row factories they would be called for each row, and again for each of its values. As long as
//! their methods are those of `extras`, programs cannot see that these are not called.

use std::sync::Arc;

use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyType};

use super::ordered;
use crate::guarded::Guarded;

/// What the rows of a class are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `DictRow`: a list that knows the cursor's index.
    List,
    /// `RealDictRow`: a dict.
    Dict,
}

/// A class, with the methods that would make its rows if it were called.
pub struct RowClass {
    pub kind: Kind,
    class: Py<PyType>,
    init: Py<PyAny>,
    set_item: Py<PyAny>,
}

/// The classes: the last one of each kind, because `extras` may be imported anew.
static CLASSES: Guarded<[Option<Arc<RowClass>>; 2]> = Guarded::new([None, None]);

/// The methods that are called while a class makes a row.
const METHODS: [&str; 8] = [
    "__new__",
    "__init__",
    "__setattr__",
    "__getattribute__",
    "__setitem__",
    "__getitem__",
    "__delitem__",
    "__contains__",
];

impl RowClass {
    /// The row class that this factory is, or that it inherits from without a change in how rows
    /// are made.
    pub fn of(factory: &Bound<'_, PyAny>) -> Option<Arc<Self>> {
        let py = factory.py();
        // A metaclass may make objects in its own way.
        let class = factory.cast_exact::<PyType>().ok()?;
        let known = CLASSES.lock(py).clone();
        known.into_iter().flatten().find(|known| {
            let base = known.class.bind(py);
            let inherits = |name| {
                let of_base = base.getattr(name);
                class.getattr(name).is_ok_and(|own| of_base.is_ok_and(|of_base| own.is(&of_base)))
            };
            class.is(base)
                || class.is_subclass(base).unwrap_or(false) && METHODS.into_iter().all(inherits)
        })
    }

    /// Whether a class that [`RowClass::of`] found still makes its rows as it did.
    pub fn is_untouched(&self, class: &Bound<'_, PyType>) -> bool {
        let py = class.py();
        let same = |name, own: &Py<PyAny>| class.getattr(name).is_ok_and(|now| now.is(own));
        same(intern!(py, "__init__"), &self.init)
            && same(intern!(py, "__setitem__"), &self.set_item)
    }
}

/// Has the rows of a class of `extras` made without calling it: one that is derived from list and
/// has an attribute `_index`, or one that is derived from `_OrderedRow`. Returns the class.
#[pyfunction]
fn _row_class<'py>(cls: Bound<'py, PyType>) -> PyResult<Bound<'py, PyType>> {
    let py = cls.py();
    let kind = match (ordered::is_class(&cls), cls.is_subclass_of::<PyList>()?) {
        (true, _) => Kind::Dict,
        (_, true) => Kind::List,
        _ => return Err(PyTypeError::new_err("rows are lists or dicts")),
    };
    let known = RowClass {
        kind,
        class: cls.clone().unbind(),
        init: cls.getattr(intern!(py, "__init__"))?.unbind(),
        set_item: cls.getattr(intern!(py, "__setitem__"))?.unbind(),
    };
    let mut classes = CLASSES.lock(py);
    let [list, dict] = &mut *classes;
    let place = if kind == Kind::List { list } else { dict };
    let old = place.replace(Arc::new(known));
    drop(classes);
    drop(old);
    Ok(cls)
}

/// Exports the function.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(_row_class, module)?)
}
