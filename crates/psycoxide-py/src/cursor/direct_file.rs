//! File objects whose content COPY FROM sends from where it lies: no program can tell that `read()`
//! was not called.

use std::fs::File;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use psycoxide_net::{Body, Lent, SplicePipe};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString};

use crate::encoding::{Encoded, QuoteContext};
use crate::imports::{BUFFERED_RANDOM, BUFFERED_READER, BYTES_IO, FILE_IO, STRING_IO};

/// Content up to this length is read, and sent in one piece with what follows.
const MIN_LENGTH: usize = 64 << 10;

/// A longer text is read in parts: if it was passed to `StringIO()` rather than written,
/// `getvalue()` makes a copy of it, which costs more the longer the text is.
const MAX_TEXT: u64 = 2 << 20;

/// One of Python's own file objects, and the offset of what is sent next.
pub(super) struct DirectFile {
    object: Py<PyAny>,
    content: Content,
    offset: u64,
}

enum Content {
    File {
        file: File,
        pipe: Arc<SplicePipe>,
    },
    Memory(Lent),
    /// The encoded text, and its length in characters.
    Text(Lent, u64),
}

/// The memory of a `bytes` or an ASCII `str`, which never changes, and the object, which keeps it
/// alive.
struct ObjectBytes {
    _owner: Py<PyAny>,
    bytes: *const [u8],
}

// SAFETY: nobody writes to the bytes, and the owner is only dropped, which any thread may do.
unsafe impl Send for ObjectBytes {}
// SAFETY: as above.
unsafe impl Sync for ObjectBytes {}

impl ObjectBytes {
    fn bytes(bytes: Bound<'_, PyBytes>) -> Lent {
        let memory: *const [u8] = bytes.as_bytes();
        Arc::new(Self { bytes: memory, _owner: bytes.into_any().unbind() })
    }

    fn text(text: &Bound<'_, PyString>, context: &QuoteContext) -> PyResult<Lent> {
        Ok(match context.encode(text)? {
            Encoded::Bytes(bytes) => Self::bytes(bytes),
            Encoded::Text(same) => {
                Arc::new(Self { bytes: same.as_bytes(), _owner: text.as_any().clone().unbind() })
            }
        })
    }
}

impl AsRef<[u8]> for ObjectBytes {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: the owner keeps the bytes alive.
        unsafe { &*self.bytes }
    }
}

impl DirectFile {
    /// Returns `None` for any other object, since its `read()` may return something else than what
    /// it holds. An error here is ignored: it occurs again, and is raised, when the file is read.
    ///
    /// In the binary format zeros are values, and a file that becomes shorter on its way may show
    /// some: so `binary` data are read from files of the system. In text the server refuses them.
    pub(super) fn of(
        object: &Bound<'_, PyAny>,
        context: &QuoteContext,
        binary: bool,
    ) -> PyResult<Option<Self>> {
        let py = object.py();
        let class = object.get_type();
        let opened = if class.is(BYTES_IO.bind(py)?) && !is_patched(object)? {
            Self::open_bytes(object)
        } else if class.is(STRING_IO.bind(py)?) && !is_patched(object)? {
            Self::open_text(object, context)
        } else if cfg!(target_os = "linux") && !binary && is_file(object)? {
            Self::open_file(object)
        } else {
            return Ok(None);
        };
        Ok(opened.ok().flatten())
    }

    fn new(object: &Bound<'_, PyAny>, content: Content, offset: u64) -> Self {
        Self { object: object.clone().unbind(), content, offset }
    }

    /// Takes the bytes of a `BytesIO` without a copy: it makes one itself before it is written to
    /// again.
    fn open_bytes(object: &Bound<'_, PyAny>) -> PyResult<Option<Self>> {
        let offset: u64 = object.call_method0("tell")?.extract()?;
        let value = object.call_method0("getvalue")?.cast_into::<PyBytes>()?;
        let start = usize::try_from(offset)?;
        if value.as_bytes().len().saturating_sub(start) <= MIN_LENGTH {
            return Ok(None);
        }
        Ok(Some(Self::new(object, Content::Memory(ObjectBytes::bytes(value)), offset)))
    }

    /// Takes the text of a `StringIO`. What was written to it is a `str` already, unless it is read
    /// in parts: then Python first makes four bytes of each character.
    fn open_text(object: &Bound<'_, PyAny>, context: &QuoteContext) -> PyResult<Option<Self>> {
        let offset: u64 = object.call_method0("tell")?.extract()?;
        let end: u64 = object.call_method1("seek", (0, 2))?.extract()?;
        object.call_method1("seek", (offset,))?;
        if offset != 0 || end > MAX_TEXT || usize::try_from(end)? <= MIN_LENGTH {
            return Ok(None);
        }
        let value = object.call_method0("getvalue")?.cast_into::<PyString>()?;
        Ok(Some(Self::new(object, Content::Text(ObjectBytes::text(&value, context)?, end), offset)))
    }

    /// A regular file.
    fn open_file(object: &Bound<'_, PyAny>) -> PyResult<Option<Self>> {
        if !object.call_method0("readable")?.is_truthy()? {
            return Ok(None);
        }
        // Writes what the object still has in its buffer.
        object.call_method0("flush")?;
        let offset: u64 = object.call_method0("tell")?.extract()?;
        let fd: i32 = object.call_method0("fileno")?.extract()?;
        if fd < 0 {
            return Ok(None);
        }
        // SAFETY: the file object has just returned the descriptor, so it is open; no Python code
        // runs before it is duplicated.
        let file = File::from(unsafe { BorrowedFd::borrow_raw(fd) }.try_clone_to_owned()?);
        let metadata = file.metadata()?;
        if !metadata.is_file() || metadata.len() <= offset {
            return Ok(None);
        }
        let pipe = Arc::new(SplicePipe::new()?);
        Ok(Some(Self::new(object, Content::File { file, pipe }, offset)))
    }

    /// The next part, as memory or in a pipe, and its length; `None` at the end, or if the rest has
    /// to be read. May wait for the disk.
    pub(super) fn next(&self, py: Python<'_>) -> Option<(Body, u32)> {
        let (body, length) = match &self.content {
            Content::File { file, pipe } => {
                let offset = self.offset;
                let filled = py.detach(|| pipe.fill(file, offset));
                (Body::Pipe(Arc::clone(pipe)), filled.ok()?)
            }
            Content::Memory(memory) | Content::Text(memory, _) => {
                let from = usize::try_from(self.offset).ok()?;
                (Body::Memory(Arc::clone(memory), from), Body::part(memory, from))
            }
        };
        (length > 0).then_some((body, length))
    }

    /// Moves the offset on by what was sent.
    pub(super) fn sent(&mut self, length: u32) {
        self.offset += u64::from(length);
    }

    /// Whether the file has become shorter than what was sent of it. If it was cut while data were
    /// on their way, zeros may have been sent: the pages in the pipe are those of the file.
    pub(super) fn became_shorter(&self) -> bool {
        let Content::File { file, .. } = &self.content else { return false };
        file.metadata().is_ok_and(|metadata| metadata.len() < self.offset)
    }

    /// Moves the file object to the position that reading would have reached. Returns whether that
    /// is certainly its end. A text counts as read in one piece.
    pub(super) fn sync_position(&self, py: Python<'_>) -> PyResult<bool> {
        let object = self.object.bind(py);
        let Content::Text(_, end) = self.content else {
            return object.call_method1("seek", (self.offset,)).map(|_| false);
        };
        let last: u64 = object.call_method1("seek", (0, 2))?.extract()?;
        if last != end {
            object.call_method1("seek", (end,))?;
        }
        Ok(last == end)
    }
}

/// Whether the object is a `FileIO`, or one of Python's own buffers over one.
fn is_file(object: &Bound<'_, PyAny>) -> PyResult<bool> {
    let py = object.py();
    let class = object.get_type();
    let raw = if class.is(BUFFERED_READER.bind(py)?) || class.is(BUFFERED_RANDOM.bind(py)?) {
        object.getattr("raw")?
    } else {
        object.clone()
    };
    Ok(raw.get_type().is(FILE_IO.bind(py)?) && !is_patched(object)? && !is_patched(&raw)?)
}

/// Whether a program has given the object attributes of its own, such as another `read`.
fn is_patched(object: &Bound<'_, PyAny>) -> PyResult<bool> {
    let own = object.getattr("__dict__")?;
    let own = own.cast::<PyDict>()?;
    Ok(own.keys().iter().any(|key| key.to_string() != "name" && key.to_string() != "mode"))
}
