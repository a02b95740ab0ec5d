//! Files whose content the kernel can send itself, as nobody can tell whether they are read.

use std::fs::File;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use psycoxide_net::SplicePipe;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::imports::{BUFFERED_RANDOM, BUFFERED_READER, FILE_IO};

/// A regular file behind one of Python's own objects for binary files, from where that would read.
pub(super) struct Source<'a, 'py> {
    object: &'a Bound<'py, PyAny>,
    file: File,
    pipe: Arc<SplicePipe>,
    offset: u64,
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
        let pipe = Arc::new(SplicePipe::new()?);
        Ok(Some(Self { object, file, pipe, offset }))
    }

    /// The next part, in the pipe that it goes through, and its length; none at the end, and where the
    /// rest has to be read. That may wait for the disk.
    pub(super) fn next(&self) -> Option<(&Arc<SplicePipe>, u32)> {
        let (file, pipe, offset) = (&self.file, &self.pipe, self.offset);
        let filled = self.object.py().detach(|| pipe.fill(file, offset));
        filled.ok().filter(|length| *length > 0).map(|length| (&self.pipe, length))
    }

    /// So much of it is sent.
    pub(super) fn sent(&mut self, length: u32) {
        self.offset += u64::from(length);
    }

    /// Whether the file is shorter now than what was sent of it. Of what was on its way when that
    /// happened zeros may have been sent: the pages are the file's own.
    pub(super) fn became_shorter(&self) -> bool {
        self.file.metadata().is_ok_and(|metadata| metadata.len() < self.offset)
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
