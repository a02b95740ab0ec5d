//! The system's GSSAPI library, loaded when it is needed: most machines have no use for it, and a
//! wheel cannot rely on it.
//!
//! <https://www.rfc-editor.org/rfc/rfc2744>

use std::ffi::{c_int, c_void};
use std::ptr;

use libloading::Library as Loaded;
use once_cell::race::OnceBox;

use super::failure::GssFailure;

/// The file names of MIT's and Heimdal's libraries. Others are not tried (macOS packs its
/// structures).
const NAMES: [&str; 3] = ["libgssapi_krb5.so.2", "libgssapi.so.3", "libgssapi.so.10"];

/// `gss_buffer_desc`
#[repr(C)]
pub(super) struct Buffer {
    pub(super) length: usize,
    pub(super) value: *mut c_void,
}

impl Buffer {
    /// A buffer for the library to write.
    pub(super) fn empty() -> Self {
        Self { length: 0, value: ptr::null_mut() }
    }

    /// A buffer for the library to read, as long as `bytes` lives.
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self { length: bytes.len(), value: bytes.as_ptr().cast_mut().cast() }
    }
}

/// `gss_OID_desc`
#[repr(C)]
pub(super) struct Oid {
    pub(super) length: u32,
    pub(super) elements: *mut c_void,
}

/// `gss_ctx_id_t`, `gss_cred_id_t` and `gss_name_t`: the library knows what they point to.
pub(super) type Handle = *mut c_void;

type AcquireCred = unsafe extern "C" fn(
    minor: *mut u32,
    name: Handle,
    time: u32,
    mechanisms: *mut c_void,
    usage: c_int,
    output: *mut Handle,
    actual_mechanisms: *mut *mut c_void,
    actual_time: *mut u32,
) -> u32;
type Release = unsafe extern "C" fn(minor: *mut u32, handle: *mut Handle) -> u32;
type ReleaseBuffer = unsafe extern "C" fn(minor: *mut u32, buffer: *mut Buffer) -> u32;
type ImportName = unsafe extern "C" fn(
    minor: *mut u32,
    input: *const Buffer,
    kind: *const Oid,
    output: *mut Handle,
) -> u32;
type InitSecContext = unsafe extern "C" fn(
    minor: *mut u32,
    credentials: Handle,
    context: *mut Handle,
    target: Handle,
    mechanism: *const Oid,
    flags: u32,
    time: u32,
    bindings: *mut c_void,
    input: *const Buffer,
    actual_mechanism: *mut *const Oid,
    output: *mut Buffer,
    actual_flags: *mut u32,
    actual_time: *mut u32,
) -> u32;
type DeleteSecContext =
    unsafe extern "C" fn(minor: *mut u32, context: *mut Handle, output: *mut Buffer) -> u32;
type Wrap = unsafe extern "C" fn(
    minor: *mut u32,
    context: Handle,
    confidential: c_int,
    quality: u32,
    input: *const Buffer,
    is_confidential: *mut c_int,
    output: *mut Buffer,
) -> u32;
type Unwrap = unsafe extern "C" fn(
    minor: *mut u32,
    context: Handle,
    input: *const Buffer,
    output: *mut Buffer,
    is_confidential: *mut c_int,
    quality: *mut u32,
) -> u32;
type WrapSizeLimit = unsafe extern "C" fn(
    minor: *mut u32,
    context: Handle,
    confidential: c_int,
    quality: u32,
    output: u32,
    input: *mut u32,
) -> u32;
type DisplayStatus = unsafe extern "C" fn(
    minor: *mut u32,
    status: u32,
    kind: c_int,
    mechanism: *const Oid,
    more: *mut u32,
    text: *mut Buffer,
) -> u32;

/// The library's functions.
pub(super) struct Library {
    pub(super) acquire_cred: AcquireCred,
    pub(super) release_cred: Release,
    pub(super) release_name: Release,
    pub(super) release_buffer: ReleaseBuffer,
    pub(super) import_name: ImportName,
    pub(super) init_sec_context: InitSecContext,
    pub(super) delete_sec_context: DeleteSecContext,
    pub(super) wrap: Wrap,
    pub(super) unwrap: Unwrap,
    pub(super) wrap_size_limit: WrapSizeLimit,
    pub(super) display_status: DisplayStatus,
    /// The loaded library; it stays for the rest of the process.
    _loaded: Loaded,
}

/// The system's library, loaded once.
///
/// # Errors
/// If it cannot be loaded.
pub(super) fn library() -> Result<&'static Library, GssFailure> {
    static LIBRARY: OnceBox<Result<Library, GssFailure>> = OnceBox::new();
    LIBRARY.get_or_init(|| Box::new(load())).as_ref().map_err(Clone::clone)
}

fn load() -> Result<Library, GssFailure> {
    let mut missing = String::new();
    for name in NAMES {
        // SAFETY: loading the library runs the same code as in every program that uses Kerberos.
        match unsafe { Loaded::new(name) } {
            Ok(loaded) => return functions(loaded),
            Err(error) if missing.is_empty() => missing = error.to_string(),
            Err(_) => {}
        }
    }
    Err(GssFailure::new(format!("the system's library of GSSAPI cannot be loaded: {missing}")))
}

fn functions(loaded: Loaded) -> Result<Library, GssFailure> {
    /// Finds the function of this name, of type `F`.
    ///
    /// # Safety
    /// `F` must be the function's type, and the library must not be unloaded.
    unsafe fn find<F: Copy>(loaded: &Loaded, name: &str) -> Result<F, GssFailure> {
        // SAFETY: as the caller guarantees.
        unsafe { loaded.get::<F>(name.as_bytes()) }.map(|symbol| *symbol).map_err(|error| {
            GssFailure::new(format!("the system's library of GSSAPI cannot be used: {error}"))
        })
    }
    // SAFETY: the types are those of RFC 2744, appendix A; `_loaded` keeps the library.
    unsafe {
        Ok(Library {
            acquire_cred: find(&loaded, "gss_acquire_cred")?,
            release_cred: find(&loaded, "gss_release_cred")?,
            release_name: find(&loaded, "gss_release_name")?,
            release_buffer: find(&loaded, "gss_release_buffer")?,
            import_name: find(&loaded, "gss_import_name")?,
            init_sec_context: find(&loaded, "gss_init_sec_context")?,
            delete_sec_context: find(&loaded, "gss_delete_sec_context")?,
            wrap: find(&loaded, "gss_wrap")?,
            unwrap: find(&loaded, "gss_unwrap")?,
            wrap_size_limit: find(&loaded, "gss_wrap_size_limit")?,
            display_status: find(&loaded, "gss_display_status")?,
            _loaded: loaded,
        })
    }
}
