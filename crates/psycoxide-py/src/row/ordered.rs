//! `OrderedDict`s that make their list of nodes lazily, when somebody asks for the order.
//!
//! An `OrderedDict` keeps a node for each key beside the dict: more than a quarter of the time and
//! a third of the memory of a fetched row, and most rows are only asked for their values. A row is
//! filled as a plain dict, and a mark says that its nodes are missing. All methods that
//! `OrderedDict` has beyond `dict`'s look-ups, and all that change it, make the missing nodes first
//! and then call `OrderedDict`'s own method: the only difference is when the nodes are made.

use std::ffi::CStr;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use pyo3::ffi::{self, Py_ssize_t, PyObject, PyTypeObject};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyType};

use crate::once::Once;

/// The methods that read or change the order without going through another one of them.
const METHODS: [&CStr; 9] = [
    c"keys",
    c"values",
    c"items",
    c"copy",
    c"pop",
    c"popitem",
    c"move_to_end",
    c"clear",
    c"__reversed__",
];

/// `OrderedDict`'s own methods of these names.
static OWN: [AtomicPtr<PyObject>; METHODS.len()] =
    [const { AtomicPtr::new(std::ptr::null_mut()) }; METHODS.len()];

/// The offset of a row's mark, which says whether its nodes are missing: behind the fields of an
/// `OrderedDict`.
static MARK: AtomicUsize = AtomicUsize::new(0);

static BASE: AtomicPtr<PyTypeObject> = AtomicPtr::new(std::ptr::null_mut());
static CLASS: AtomicPtr<PyTypeObject> = AtomicPtr::new(std::ptr::null_mut());

/// `OrderedDict`; set before there is a row.
fn base() -> *mut PyTypeObject {
    BASE.load(Ordering::Relaxed)
}

/// Whether instances of a class can be filled by [`fill`].
pub fn is_class(class: &Bound<'_, PyType>) -> bool {
    let ours = CLASS.load(Ordering::Acquire);
    // SAFETY: both are types.
    !ours.is_null() && unsafe { ffi::PyType_IsSubtype(class.as_type_ptr(), ours) } != 0
}

/// The mark of a row.
///
/// # Safety
/// `row` is a valid instance of the class.
unsafe fn mark(row: *mut PyObject) -> *mut u8 {
    // SAFETY: every instance has the byte there, because the class is created with it.
    unsafe { row.cast::<u8>().add(MARK.load(Ordering::Relaxed)) }
}

/// Fills a new row with `values`, pairs of a key and a value. `template` has the same keys. They
/// are exact `str`, so that no Python code runs.
pub fn fill(
    row: &Bound<'_, PyAny>,
    template: &Bound<'_, PyDict>,
    values: impl Iterator<Item = (*mut PyObject, *mut PyObject)>,
) -> PyResult<()> {
    if nodes_may_be_late(row.py())? {
        fill_late(row, template, values)
    } else {
        fill_now(row, values)
    }
}

/// The same, without nodes.
fn fill_late(
    row: &Bound<'_, PyAny>,
    template: &Bound<'_, PyDict>,
    values: impl Iterator<Item = (*mut PyObject, *mut PyObject)>,
) -> PyResult<()> {
    let py = row.py();
    let row = row.as_ptr();
    // SAFETY: the row is an empty instance of the class, the template is a dict, and keys and
    // values are valid objects. The mark is set first: whatever fails, the nodes can still be made.
    unsafe {
        *mark(row) = 1;
        // The dict is copied in one piece, instead of growing with each key.
        if ffi::PyDict_Update(row, template.as_ptr()) != 0 {
            return Err(PyErr::fetch(py));
        }
        for (name, value) in values {
            if ffi::PyDict_SetItem(row, name, value) != 0 {
                return Err(PyErr::fetch(py));
            }
        }
    }
    Ok(())
}

/// The same, as `OrderedDict` does it.
fn fill_now(
    row: &Bound<'_, PyAny>,
    values: impl Iterator<Item = (*mut PyObject, *mut PyObject)>,
) -> PyResult<()> {
    for (name, value) in values {
        // SAFETY: the row is an instance of the class, keys and values are valid objects.
        let status = unsafe {
            let assign = (*(*base()).tp_as_mapping).mp_ass_subscript;
            assign.map_or(-1, |assign| assign(row.as_ptr(), name, value))
        };
        if status != 0 {
            return Err(PyErr::fetch(row.py()));
        }
    }
    Ok(())
}

/// Whether the nodes may be made late in the running Python. That is tested at the first use, on
/// rows made both ways.
fn nodes_may_be_late(py: Python<'_>) -> PyResult<bool> {
    static MAY_BE_LATE: Once<bool> = Once::new();
    MAY_BE_LATE.get_or_make(py, || Ok(are_same(py).unwrap_or(false))).copied()
}

type Operation = for<'py> fn(&Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>>;

/// Operations that read or change the order, of every kind.
const OPERATIONS: [Operation; 12] = [
    list,
    |row| list(&row.call_method0("__reversed__")?),
    |row| row.call_method1("move_to_end", ("b",)),
    |row| row.call_method1("move_to_end", ("c", false)),
    |row| row.call_method1("pop", ("a",)),
    |row| row.call_method1("popitem", (false,)),
    |row| row.set_item("new", 4).map(|()| row.clone()),
    |row| row.del_item("b").map(|()| row.clone()),
    |row| row.call_method0("clear"),
    |row| row.call_method0("copy"),
    |row| Ok(row.repr()?.into_any()),
    // What pickle asks for.
    |row| list(&row.call_method1("__reduce_ex__", (2,))?.get_item(4)?),
];

fn list<'py>(items: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let found = items.try_iter()?.collect::<PyResult<Vec<_>>>()?;
    Ok(PyList::new(items.py(), found)?.into_any())
}

/// Whether rows without nodes are as `OrderedDict`s are, whatever is done with them.
fn are_same(py: Python<'_>) -> PyResult<bool> {
    let content = PyDict::new(py);
    for (key, value) in [("b", 1), ("a", 2), ("c", 3)] {
        content.set_item(key, value)?;
    }
    let pairs = content.items();
    let late = || {
        let row = ordered_row(py)?.call0()?;
        let values = content.iter().map(|(key, value)| (key.as_ptr(), value.as_ptr()));
        fill_late(&row, &content, values).map(|()| row)
    };
    // SAFETY: it is a type, and lives for ever.
    let usual = unsafe { Bound::from_borrowed_ptr(py, base().cast()) };
    let usual = || usual.call1((&pairs,));
    for operation in OPERATIONS {
        if outcome(&late()?, operation)? != outcome(&usual()?, operation)? {
            return Ok(false);
        }
    }
    let (other, reversed) = (late()?, late()?);
    reversed.call_method1("move_to_end", ("b",))?;
    Ok(late()?.eq(usual()?)?
        && usual()?.eq(late()?)?
        && late()?.eq(other)?
        && late()?.ne(reversed)?)
}

/// What an operation returns and leaves, without the names of classes.
fn outcome(row: &Bound<'_, PyAny>, operation: Operation) -> PyResult<String> {
    let class = row.get_type().name()?.to_string();
    let returned = operation(row)?.str()?.to_string().replace(&class, "");
    let (items, reversed) = (row.call_method0("items")?, row.call_method0("__reversed__")?);
    Ok(format!("{returned} {} {} {}", list(&items)?, list(&reversed)?, row.len()?))
}

/// Makes the nodes of a row, if they are missing. False with an exception set.
///
/// # Safety
/// `row` is a valid instance of the class, and the GIL is held.
unsafe fn order(row: *mut PyObject) -> bool {
    // SAFETY: the row is valid. Its values are replaced by themselves, which PyDict_Next allows. Its
    // keys are `str`, so that no other code runs; unless somebody went past the class and put in
    // another by `dict.__setitem__`, whose hash may do anything: key and value are held meanwhile.
    unsafe {
        if *mark(row) == 0 {
            return true;
        }
        let Some(assign) = (*(*base()).tp_as_mapping).mp_ass_subscript else { return true };
        let size = ffi::PyDict_Size(row);
        let mut place: Py_ssize_t = 0;
        let (mut key, mut value) = (std::ptr::null_mut(), std::ptr::null_mut());
        while ffi::PyDict_Next(row, &raw mut place, &raw mut key, &raw mut value) != 0 {
            ffi::Py_INCREF(key);
            ffi::Py_INCREF(value);
            let status = assign(row, key, value);
            ffi::Py_DECREF(value);
            ffi::Py_DECREF(key);
            if status != 0 {
                return false;
            }
            if ffi::PyDict_Size(row) != size {
                // Python 3.10 would loop for ever in a row whose nodes have lost their keys.
                let text = c"the row changed while its order was written down";
                ffi::PyErr_SetString(ffi::PyExc_RuntimeError, text.as_ptr());
                return false;
            }
        }
        *mark(row) = 0;
        true
    }
}

/// A method of `OrderedDict`, called when the row has its nodes.
#[expect(clippy::indexing_slicing, reason = "N is one of the places, which the compiler checks")]
unsafe extern "C" fn method<const N: usize>(
    row: *mut PyObject,
    arguments: *const *mut PyObject,
    count: Py_ssize_t,
    names: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: the interpreter calls this as it has been told to: with a row, `count` arguments by
    // position and one more for each name.
    unsafe {
        if !order(row) {
            return std::ptr::null_mut();
        }
        let named = if names.is_null() { 0 } else { ffi::PyTuple_GET_SIZE(names) };
        const { assert!(N < OWN.len()) };
        let own = OWN[N].load(Ordering::Relaxed);
        if count + named == 0 {
            return ffi::PyObject_Vectorcall(own, &raw const row, 1, std::ptr::null_mut());
        }
        let given = usize::try_from(count + named).unwrap_or(0);
        let mut all = vec![row];
        all.extend_from_slice(std::slice::from_raw_parts(arguments, given));
        ffi::PyObject_Vectorcall(own, all.as_ptr(), all.len() - named as usize, names)
    }
}

unsafe extern "C" fn iterate(row: *mut PyObject) -> *mut PyObject {
    // SAFETY: called with a row.
    unsafe {
        match (*base()).tp_iter {
            Some(iterate) if order(row) => iterate(row),
            _ => std::ptr::null_mut(),
        }
    }
}

unsafe extern "C" fn assign(row: *mut PyObject, key: *mut PyObject, value: *mut PyObject) -> i32 {
    // SAFETY: called with a row, a key, and a value or null.
    unsafe {
        match (*(*base()).tp_as_mapping).mp_ass_subscript {
            Some(assign) if order(row) => assign(row, key, value),
            _ => -1,
        }
    }
}

unsafe extern "C" fn compare(row: *mut PyObject, other: *mut PyObject, how: i32) -> *mut PyObject {
    // SAFETY: called with a row and any object.
    unsafe {
        // Only a comparison with a dict needs the order, and `iter(cursor.fetchone, None)` compares
        // each row with None.
        let ordered = ffi::PyDict_Check(other) == 0
            || ((ffi::PyObject_TypeCheck(other, CLASS.load(Ordering::Relaxed)) == 0
                || order(other))
                && order(row));
        match (*base()).tp_richcompare {
            Some(compare) if ordered => compare(row, other, how),
            _ => std::ptr::null_mut(),
        }
    }
}

fn method_table() -> Vec<ffi::PyMethodDef> {
    let functions: [ffi::PyCFunctionFastWithKeywords; METHODS.len()] = [
        method::<0>,
        method::<1>,
        method::<2>,
        method::<3>,
        method::<4>,
        method::<5>,
        method::<6>,
        method::<7>,
        method::<8>,
    ];
    let methods = METHODS.iter().zip(functions).map(|(name, function)| ffi::PyMethodDef {
        ml_name: name.as_ptr(),
        ml_meth: ffi::PyMethodDefPointer { PyCFunctionFastWithKeywords: function },
        ml_flags: ffi::METH_FASTCALL | ffi::METH_KEYWORDS,
        ml_doc: c"As OrderedDict's.".as_ptr(),
    });
    methods.chain([ffi::PyMethodDef::zeroed()]).collect()
}

/// The class `_OrderedRow`. There is one, however often the module is imported anew.
pub fn ordered_row(py: Python<'_>) -> PyResult<&Bound<'_, PyType>> {
    static CREATED: Once<Py<PyType>> = Once::new();
    CREATED.get_or_make(py, || create(py).map(Bound::unbind)).map(|class| class.bind(py))
}

fn create(py: Python<'_>) -> PyResult<Bound<'_, PyType>> {
    let ordered_dict = py.import("collections")?.getattr("OrderedDict")?.cast_into::<PyType>()?;
    for (name, own) in METHODS.iter().zip(&OWN) {
        let method = ordered_dict.getattr(name.to_string_lossy().as_ref())?;
        own.store(method.into_ptr(), Ordering::Relaxed);
    }
    BASE.store(ordered_dict.clone().into_ptr().cast(), Ordering::Relaxed);
    // SAFETY: the type is ready; its size is public.
    let size = unsafe { (*base()).tp_basicsize };
    MARK.store(usize::try_from(size)?, Ordering::Relaxed);
    let mut slots = [
        ffi::PyType_Slot { slot: ffi::Py_tp_iter, pfunc: iterate as *mut _ },
        ffi::PyType_Slot { slot: ffi::Py_tp_richcompare, pfunc: compare as *mut _ },
        ffi::PyType_Slot { slot: ffi::Py_mp_ass_subscript, pfunc: assign as *mut _ },
        ffi::PyType_Slot {
            slot: ffi::Py_tp_methods,
            pfunc: method_table().leak().as_mut_ptr().cast(),
        },
        ffi::PyType_Slot {
            slot: ffi::Py_tp_doc,
            pfunc: c"An OrderedDict that writes down its order late.".as_ptr() as *mut _,
        },
        ffi::PyType_Slot { slot: 0, pfunc: std::ptr::null_mut() },
    ];
    let mut spec = ffi::PyType_Spec {
        name: c"psycoxide._psycopg._OrderedRow".as_ptr(),
        // A whole word, because an object's size is a multiple of it.
        basicsize: i32::try_from(size)? + 8,
        itemsize: 0,
        flags: (ffi::Py_TPFLAGS_DEFAULT | ffi::Py_TPFLAGS_BASETYPE) as u32,
        slots: slots.as_mut_ptr(),
    };
    let bases = (&ordered_dict,).into_pyobject(py)?;
    // SAFETY: the slots have the types that the interpreter expects, and those that it keeps live
    // for ever; an instance is an OrderedDict and one word more.
    let class = unsafe {
        let class = ffi::PyType_FromSpecWithBases(&raw mut spec, bases.as_ptr());
        Bound::from_owned_ptr_or_err(py, class)?.cast_into::<PyType>()?
    };
    CLASS.store(class.as_type_ptr(), Ordering::Release);
    Ok(class)
}
