//! A security context of GSSAPI: tokens go to and fro until both sides have proved who they are,
//! then messages are sealed and opened.

use std::ffi::c_int;
use std::fmt;
use std::ptr;

use zeroize::Zeroize;

use super::failure::GssFailure;
use super::library::{Buffer, Handle, Library, Oid, library};

/// `GSS_C_NT_HOSTBASED_SERVICE`: 1.2.840.113554.1.2.1.4
static SERVICE_AT_HOST: [u8; 10] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x01, 0x04];

/// `GSS_C_INITIATE`
const INITIATE: c_int = 1;
/// `GSS_C_DELEG_FLAG`
const DELEGATE: u32 = 1;
/// `GSS_C_MUTUAL_FLAG`, `REPLAY`, `SEQUENCE`, `CONF`, `INTEG`: what libpq and the server demand.
const DEMANDED: u32 = 2 | 4 | 8 | 16 | 32;
/// `GSS_S_COMPLETE`
const COMPLETE: u32 = 0;
/// `GSS_S_CONTINUE_NEEDED`
const CONTINUE_NEEDED: u32 = 1;
/// The bits of a major status that mean an error (`GSS_ERROR`).
const ERRORS: u32 = 0xffff_0000;
/// `GSS_C_GSS_CODE` and `GSS_C_MECH_CODE`
const MAJOR_CODE: c_int = 1;
const MINOR_CODE: c_int = 2;
/// How many lines of an error are shown at most.
const MAX_LINES: usize = 8;

/// The client's context with a server.
pub(super) struct Context {
    library: &'static Library,
    handle: Handle,
    target: Handle,
    flags: u32,
    complete: bool,
}

// SAFETY: RFC 2744 lets any thread use a context, one at a time; `&mut self` guarantees that.
unsafe impl Send for Context {}

impl Context {
    /// Begins a context with `service@host`.
    ///
    /// # Errors
    /// If there is no library, or the name is not valid.
    pub(super) fn new(service: &str, host: &str, delegate: bool) -> Result<Self, GssFailure> {
        let library = library()?;
        let name = format!("{service}@{host}");
        let kind = Oid {
            length: u32::try_from(SERVICE_AT_HOST.len()).unwrap_or(0),
            elements: SERVICE_AT_HOST.as_ptr().cast_mut().cast(),
        };
        let (mut minor, mut target) = (0, ptr::null_mut());
        // SAFETY: all pointers are to values that live until the call returns; the library copies
        // the name.
        let major = unsafe {
            (library.import_name)(&mut minor, &Buffer::of(name.as_bytes()), &kind, &mut target)
        };
        check(library, "GSSAPI name import error", major, minor)?;
        let flags = DEMANDED | if delegate { DELEGATE } else { 0 };
        Ok(Self { library, handle: ptr::null_mut(), target, flags, complete: false })
    }

    /// Takes the server's token (empty, the first time). Returns the token to send.
    ///
    /// # Errors
    /// If the server is not the one asked for, or there is no ticket for it.
    pub(super) fn step(&mut self, theirs: &[u8]) -> Result<Vec<u8>, GssFailure> {
        let (mut minor, mut ours) = (0, Buffer::empty());
        let input = Buffer::of(theirs);
        let input = if theirs.is_empty() { ptr::null() } else { &raw const input };
        // SAFETY: all pointers are to values that live until the call returns, or null where RFC
        // 2744 says that null means the default.
        let major = unsafe {
            (self.library.init_sec_context)(
                &mut minor,
                ptr::null_mut(),
                &mut self.handle,
                self.target,
                ptr::null(),
                self.flags,
                0,
                ptr::null_mut(),
                input,
                ptr::null_mut(),
                &mut ours,
                ptr::null_mut(),
                ptr::null_mut(),
            )
        };
        let token = self.take(ours);
        if major != COMPLETE && major != CONTINUE_NEEDED {
            let text = "could not initiate GSSAPI security context";
            return Err(failure(self.library, text, major, minor));
        }
        self.complete = major == COMPLETE;
        Ok(token)
    }

    /// Whether both sides have proved who they are.
    pub(super) fn is_complete(&self) -> bool {
        self.complete
    }

    /// How many bytes can be sealed into a message of at most `most` bytes.
    ///
    /// # Errors
    /// If no data fit into such a message.
    pub(super) fn limit(&mut self, most: usize) -> Result<usize, GssFailure> {
        let (mut minor, mut limit) = (0, 0);
        let most = u32::try_from(most).unwrap_or(u32::MAX);
        // SAFETY: the context is established; the pointers are to local variables.
        let major = unsafe {
            (self.library.wrap_size_limit)(&mut minor, self.handle, 1, 0, most, &mut limit)
        };
        check(self.library, "GSSAPI size check error", major, minor)?;
        if limit == 0 {
            return Err(GssFailure::new("GSSAPI size check error: no data fit into a message"));
        }
        Ok(usize::try_from(limit).unwrap_or(0))
    }

    /// Encrypts.
    ///
    /// # Errors
    /// If the library cannot.
    pub(super) fn seal(&mut self, data: &[u8]) -> Result<Vec<u8>, GssFailure> {
        let (mut minor, mut confidential, mut sealed) = (0, 0, Buffer::empty());
        let data = Buffer::of(data);
        // SAFETY: the context is established; the pointers are to values that live until the call
        // returns.
        let major = unsafe {
            (self.library.wrap)(
                &mut minor,
                self.handle,
                1,
                0,
                &data,
                &mut confidential,
                &mut sealed,
            )
        };
        let sealed = self.take(sealed);
        check(self.library, "GSSAPI wrap error", major, minor)?;
        if confidential == 0 {
            return Err(GssFailure::new("outgoing GSSAPI message would not use confidentiality"));
        }
        Ok(sealed)
    }

    /// Decrypts.
    ///
    /// # Errors
    /// If the server did not seal this message, or it is out of sequence.
    pub(super) fn open(&mut self, sealed: &[u8]) -> Result<Vec<u8>, GssFailure> {
        let (mut minor, mut confidential, mut data) = (0, 0, Buffer::empty());
        let sealed = Buffer::of(sealed);
        // SAFETY: the context is established; the pointers are to values that live until the call
        // returns.
        let major = unsafe {
            (self.library.unwrap)(
                &mut minor,
                self.handle,
                &sealed,
                &mut data,
                &mut confidential,
                ptr::null_mut(),
            )
        };
        let data = self.take(data);
        // A message that comes twice, or late, is no error for the library; it only sets bits of
        // the status.
        if major != COMPLETE {
            return Err(failure(self.library, "GSSAPI unwrap error", major, minor));
        }
        if confidential == 0 {
            return Err(GssFailure::new("incoming GSSAPI message did not use confidentiality"));
        }
        Ok(data)
    }

    fn take(&self, buffer: Buffer) -> Vec<u8> {
        take(self.library, buffer)
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        let mut minor = 0;
        // SAFETY: the library made both, or they are null; nobody uses them after this.
        unsafe {
            if !self.handle.is_null() {
                (self.library.delete_sec_context)(&mut minor, &mut self.handle, ptr::null_mut());
            }
            (self.library.release_name)(&mut minor, &mut self.target);
        }
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("complete", &self.complete).finish_non_exhaustive()
    }
}

/// Whether there are credentials to begin a context with.
pub(super) fn has_credentials(library: &'static Library) -> bool {
    let (mut minor, mut credentials) = (0, ptr::null_mut());
    // SAFETY: the pointers are to local variables, or null for the default.
    unsafe {
        let major = (library.acquire_cred)(
            &mut minor,
            ptr::null_mut(),
            0,
            ptr::null_mut(),
            INITIATE,
            &mut credentials,
            ptr::null_mut(),
            ptr::null_mut(),
        );
        if !credentials.is_null() {
            (library.release_cred)(&mut minor, &mut credentials);
        }
        major & ERRORS == 0
    }
}

/// Copies what the library wrote, and frees it.
fn take(library: &Library, mut buffer: Buffer) -> Vec<u8> {
    if buffer.value.is_null() {
        return Vec::new();
    }
    // SAFETY: the library says that the buffer has this length; its bytes are ours until they are
    // released.
    let bytes = unsafe { std::slice::from_raw_parts_mut(buffer.value.cast::<u8>(), buffer.length) };
    let taken = bytes.to_vec();
    // The library frees without wiping.
    bytes.zeroize();
    let mut minor = 0;
    // SAFETY: the library made it, and nobody uses it after this.
    unsafe { (library.release_buffer)(&mut minor, &mut buffer) };
    taken
}

fn check(library: &Library, prefix: &str, major: u32, minor: u32) -> Result<(), GssFailure> {
    if major & ERRORS == 0 { Ok(()) } else { Err(failure(library, prefix, major, minor)) }
}

/// A failure in libpq's words: what failed, the library's text, the mechanism's text.
fn failure(library: &Library, prefix: &str, major: u32, minor: u32) -> GssFailure {
    let mut text = format!("{prefix}:");
    describe(library, major, MAJOR_CODE, &mut text);
    text.push(':');
    describe(library, minor, MINOR_CODE, &mut text);
    GssFailure::new(text)
}

fn describe(library: &Library, status: u32, kind: c_int, text: &mut String) {
    let mut more = 0;
    for _ in 0..MAX_LINES {
        let (mut minor, mut line) = (0, Buffer::empty());
        // SAFETY: the pointers are to local variables; a null mechanism means the default.
        let major = unsafe {
            (library.display_status)(&mut minor, status, kind, ptr::null(), &mut more, &mut line)
        };
        let line = take(library, line);
        if major & ERRORS == 0 {
            text.push(' ');
            text.push_str(&String::from_utf8_lossy(&line));
        }
        if more == 0 || major & ERRORS != 0 {
            return;
        }
    }
}
