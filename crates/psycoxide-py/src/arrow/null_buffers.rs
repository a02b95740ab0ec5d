//! Arrays of Arrow's type Null that come with buffers.
//!
//! The C data interface says that such an array (format `n`) has none. Polars exports one, and arrow-rs
//! refuses the whole batch for it. So a batch with such arrays is imported by copies of its structs that
//! say what the interface says. The producer's own structs are not changed: its release callback finds
//! them as it made them.
//!
//! <https://arrow.apache.org/docs/format/CDataInterface.html>

use std::ffi::{c_char, c_int, c_void};
use std::ptr;
use std::sync::{Arc, OnceLock};

use arrow_array::RecordBatchReader;
use arrow_array::ffi::{FFI_ArrowArray, FFI_ArrowSchema};
use arrow_array::ffi_stream::{FFI_ArrowArrayStream, RecordBatchStreamReader};
use arrow_schema::{ArrowError, DataType};

/// `EINVAL`: the same number on every system.
const INVALID: c_int = 22;

/// The struct of the interface, whose fields `FFI_ArrowArray` keeps private.
#[repr(C)]
#[derive(Clone, Copy)]
struct Raw {
    length: i64,
    null_count: i64,
    offset: i64,
    n_buffers: i64,
    n_children: i64,
    buffers: *mut *const c_void,
    children: *mut *mut Raw,
    dictionary: *mut Raw,
    release: Option<unsafe extern "C" fn(*mut Raw)>,
    private_data: *mut c_void,
}

const _: () = assert!(
    size_of::<Raw>() == size_of::<FFI_ArrowArray>()
        && align_of::<Raw>() == align_of::<FFI_ArrowArray>()
);

/// The types of the children, or of the dictionary, of arrays of this type.
fn parts(data_type: &DataType) -> Vec<&DataType> {
    match data_type {
        DataType::List(field)
        | DataType::LargeList(field)
        | DataType::ListView(field)
        | DataType::LargeListView(field)
        | DataType::FixedSizeList(field, _)
        | DataType::Map(field, _) => vec![field.data_type()],
        DataType::Struct(fields) => fields.iter().map(|field| field.data_type()).collect(),
        DataType::Union(fields, _) => fields.iter().map(|(_, field)| field.data_type()).collect(),
        DataType::RunEndEncoded(ends, values) => vec![ends.data_type(), values.data_type()],
        DataType::Dictionary(_, values) => vec![values],
        _ => Vec::new(),
    }
}

fn has_null(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Null) || parts(data_type).into_iter().any(has_null)
}

/// A producer's array, and the copies of its structs that are read instead.
struct Copies {
    /// Released when this is dropped.
    original: FFI_ArrowArray,
    /// Copies of children and dictionaries, from `Box::into_raw`.
    parts: Vec<*mut Raw>,
    /// What their `children` point to.
    lists: Vec<Vec<*mut Raw>>,
}

impl Drop for Copies {
    fn drop(&mut self) {
        for part in self.parts.drain(..) {
            // SAFETY: it is from `Box::into_raw`, is freed here only, and nothing reads it any more: the
            // array that led to it is being released. `Raw` does not release what it points to.
            drop(unsafe { Box::from_raw(part) });
        }
    }
}

impl Copies {
    /// A copy of a struct, with copies of its parts; arrays of type Null have no buffers there.
    ///
    /// # Safety
    /// `from` points to a struct of the interface that `original` owns, of this type.
    unsafe fn copy(&mut self, from: *const Raw, data_type: &DataType) -> Raw {
        // SAFETY: the caller says so. Everything in the struct may be copied as long as only one is
        // released, which is the original.
        let mut copy = unsafe { ptr::read_unaligned(from) };
        copy.release = None;
        copy.private_data = ptr::null_mut();
        if matches!(data_type, DataType::Null) {
            copy.n_buffers = 0;
            copy.buffers = ptr::null_mut();
        }
        let types = parts(data_type);
        if let DataType::Dictionary(_, values) = data_type {
            // SAFETY: a dictionary is part of the array that it belongs to.
            copy.dictionary = unsafe { self.part(copy.dictionary, values) };
        } else if !types.is_empty() && !copy.children.is_null() {
            let count = usize::try_from(copy.n_children).unwrap_or_default();
            let mut list = Vec::with_capacity(count);
            for place in 0..count {
                // SAFETY: there are `n_children` pointers.
                let child = unsafe { ptr::read_unaligned(copy.children.add(place)) };
                list.push(match types.get(place) {
                    // SAFETY: a child is part of the array that it belongs to.
                    Some(of_child) => unsafe { self.part(child, of_child) },
                    None => child,
                });
            }
            copy.children = list.as_mut_ptr();
            self.lists.push(list);
        }
        copy
    }

    /// A copy of a part, which is kept here.
    ///
    /// # Safety
    /// As for `copy`, or the pointer is null.
    unsafe fn part(&mut self, from: *const Raw, data_type: &DataType) -> *mut Raw {
        if from.is_null() {
            return ptr::null_mut();
        }
        // SAFETY: the caller says so.
        let part = Box::into_raw(Box::new(unsafe { self.copy(from, data_type) }));
        self.parts.push(part);
        part
    }
}

unsafe extern "C" fn release_copies(array: *mut Raw) {
    // SAFETY: this is the callback of the structs that `without_null_buffers` makes, called once for
    // each with a pointer to it. Their private data are a box of `Copies`.
    unsafe {
        drop(Box::from_raw((*array).private_data.cast::<Copies>()));
        (*array).private_data = ptr::null_mut();
        (*array).release = None;
    }
}

/// The same array, without the buffers of arrays of type Null in it.
///
/// # Safety
/// The array agrees with the C data interface, but for these buffers, and is of this type.
pub unsafe fn without_null_buffers(array: FFI_ArrowArray, data_type: &DataType) -> FFI_ArrowArray {
    if array.is_released() || !has_null(data_type) {
        return array;
    }
    let mut copies = Copies { original: array, parts: Vec::new(), lists: Vec::new() };
    let original = ptr::from_ref(&copies.original).cast::<Raw>();
    // SAFETY: both types are the struct of the interface, and the caller vouches for what is in it.
    let mut root = unsafe { copies.copy(original, data_type) };
    root.release = Some(release_copies);
    root.private_data = Box::into_raw(Box::new(copies)).cast();
    // SAFETY: the same struct, complete: it is released by `release_copies`, once.
    unsafe { ptr::read(ptr::from_ref(&root).cast::<FFI_ArrowArray>()) }
}

/// A producer's stream, and the type of its arrays as soon as that is known to have Null in it.
struct Source {
    stream: FFI_ArrowArrayStream,
    data_type: Arc<OnceLock<DataType>>,
}

/// # Safety
/// The stream is one that `reader` has made.
unsafe fn source<'a>(stream: *mut FFI_ArrowArrayStream) -> &'a mut Source {
    // SAFETY: its private data are a box of this, and calls of a stream's callbacks do not overlap.
    unsafe { &mut *(*stream).private_data().cast::<Source>() }
}

unsafe extern "C" fn get_schema(
    stream: *mut FFI_ArrowArrayStream,
    out: *mut FFI_ArrowSchema,
) -> c_int {
    // SAFETY: this is a callback of such a stream. The producer's is called with its own stream.
    unsafe {
        let inner = &mut source(stream).stream;
        inner.get_schema().map_or(INVALID, |call| call(inner, out))
    }
}

unsafe extern "C" fn get_next(
    stream: *mut FFI_ArrowArrayStream,
    out: *mut FFI_ArrowArray,
) -> c_int {
    // SAFETY: as above. What the producer has written is moved out of `out`, and written there again.
    unsafe {
        let Source { stream: inner, data_type } = source(stream);
        let code = inner.get_next().map_or(INVALID, |call| call(inner, out));
        if code == 0
            && let Some(data_type) = data_type.get()
        {
            let array = ptr::read(out);
            ptr::write(out, without_null_buffers(array, data_type));
        }
        code
    }
}

unsafe extern "C" fn get_last_error(stream: *mut FFI_ArrowArrayStream) -> *const c_char {
    // SAFETY: as above.
    unsafe {
        let inner = &mut source(stream).stream;
        inner.get_last_error().map_or(ptr::null(), |call| call(inner))
    }
}

unsafe extern "C" fn release(stream: *mut FFI_ArrowArrayStream) {
    // SAFETY: as above; called once. Dropping the source releases the producer's stream.
    unsafe {
        drop(Box::from_raw((*stream).set_private_data(ptr::null_mut()).cast::<Source>()));
        (*stream).set_release(None);
    }
}

/// A reader of a stream, which is not released.
///
/// # Errors
/// It gives no schema, or one that is no table's.
pub fn reader(stream: FFI_ArrowArrayStream) -> Result<RecordBatchStreamReader, ArrowError> {
    let data_type = Arc::new(OnceLock::new());
    let source = Box::new(Source { stream, data_type: Arc::clone(&data_type) });
    // SAFETY: these callbacks take a `Source` for the private data, and `release` frees it, once.
    let stream = unsafe {
        FFI_ArrowArrayStream::new_unchecked(
            Some(get_schema),
            Some(get_next),
            Some(get_last_error),
            Some(release),
            Box::into_raw(source).cast(),
        )
    };
    let reader = RecordBatchStreamReader::try_new(stream)?;
    let table = DataType::Struct(reader.schema().fields().clone());
    if has_null(&table) {
        // It is empty: nobody else sets it.
        let _ = data_type.set(table);
    }
    Ok(reader)
}
