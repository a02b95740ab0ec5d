//! Files whose content the kernel can send itself, as nobody can tell whether they are read.

use std::fs::File;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::imports::{BUFFERED_RANDOM, BUFFERED_READER, FILE_IO};

/// So much is sent in a message: the server holds one at a time in its memory.
const PART: u32 = 256 << 10;

/// A regular file behind one of Python's own objects for binary files, from where that would read.
pub(super) struct Source<'a, 'py> {
    object: &'a Bound<'py, PyAny>,
    file: Arc<File>,
    offset: u64,
    size: u64,
}

impl<'a, 'py> Source<'a, 'py> {
    /// `None` for anything but that: what it gives may be another thing than what lies in the file.
    pub(super) fn of(object: &'a Bound<'py, PyAny>) -> PyResult<Option<Self>> {
        if !cfg!(target_os = "linux") {
            return Ok(None);
        }
        let py = object.py();
        let class = object.get_type();
        let raw = if class.is(BUFFERED_READER.bind(py)?) || class.is(BUFFERED_RANDOM.bind(py)?) {
            object.getattr("raw")?
        } else {
            object.clone()
        };
        if !raw.get_type().is(FILE_IO.bind(py)?) || is_patched(object)? || is_patched(&raw)? {
            return Ok(None);
        }
        Ok(Self::open(object).ok().flatten())
    }

    /// What fails here fails again when the file is read, and is raised then.
    fn open(object: &'a Bound<'py, PyAny>) -> PyResult<Option<Self>> {
        if !object.call_method0("readable")?.is_truthy()? {
            return Ok(None);
        }
        // What was written through it and is not in the file yet.
        object.call_method0("flush")?;
        let offset: u64 = object.call_method0("tell")?.extract()?;
        let fd: i32 = object.call_method0("fileno")?.extract()?;
        if fd < 0 {
            return Ok(None);
        }
        // SAFETY: the file object, which was just asked, has it open; nothing of Python runs before
        // it is duplicated.
        let file = File::from(unsafe { BorrowedFd::borrow_raw(fd) }.try_clone_to_owned()?);
        let metadata = file.metadata()?;
        if !metadata.is_file() || metadata.len() <= offset {
            return Ok(None);
        }
        let (file, size) = (Arc::new(file), metadata.len());
        Ok(Some(Self { object, file, offset, size }))
    }

    /// The next part: where it begins, and its length.
    pub(super) fn next(&self) -> Option<(&Arc<File>, u64, u32)> {
        let left = self.size.saturating_sub(self.offset);
        let length = u32::try_from(left).unwrap_or(PART).min(PART);
        (length > 0).then_some((&self.file, self.offset, length))
    }

    /// So much of it is sent.
    pub(super) fn sent(&mut self, length: u32) {
        self.offset += u64::from(length);
    }

    /// Moves the file object to where reading would have brought it.
    pub(super) fn settle(&self) -> PyResult<()> {
        self.object.call_method1("seek", (self.offset,)).map(drop)
    }
}

/// Whether somebody put a method of their own on the object.
fn is_patched(object: &Bound<'_, PyAny>) -> PyResult<bool> {
    let own = object.getattr("__dict__")?;
    let own = own.cast::<PyDict>()?;
    Ok(own.keys().iter().any(|key| key.to_string() != "name" && key.to_string() != "mode"))
}
