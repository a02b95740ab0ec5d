//! What the process around us says: variables, the user, files. One place, so that a test can say
//! something else.

use std::path::{Path, PathBuf};

/// The surroundings that a configuration is completed from.
pub trait Environment {
    /// The value of an environment variable.
    fn variable(&self, name: &str) -> Option<String>;
    /// The name of the operating system's user.
    fn user(&self) -> Option<String>;
    /// The user's home directory.
    fn home(&self) -> Option<PathBuf>;
    /// The content of a file, if there is one.
    fn read(&self, path: &Path) -> Option<String>;
    /// Whether others than the owner may read or write a file.
    fn is_exposed(&self, path: &Path) -> bool;
    /// Whether a directory is there.
    fn is_directory(&self, path: &Path) -> bool;
}

/// The real surroundings.
#[derive(Clone, Copy, Debug, Default)]
pub struct Process;

impl Environment for Process {
    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn user(&self) -> Option<String> {
        account().map(|(name, _)| name)
    }

    fn home(&self) -> Option<PathBuf> {
        match std::env::var_os("HOME") {
            Some(home) if !home.is_empty() => Some(home.into()),
            _ => account().map(|(_, home)| home),
        }
    }

    fn read(&self, path: &Path) -> Option<String> {
        let bytes = std::fs::read(path).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn is_exposed(&self, path: &Path) -> bool {
        use std::os::unix::fs::PermissionsExt;
        std::fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
    }

    fn is_directory(&self, path: &Path) -> bool {
        path.is_dir()
    }
}

/// The name and the home directory of the effective user, from the user database.
fn account() -> Option<(String, PathBuf)> {
    let uid = rustix::process::geteuid().as_raw();
    let mut entry = std::mem::MaybeUninit::<libc::passwd>::uninit();
    let mut buffer = vec![0; 16 * 1024];
    let mut found = std::ptr::null_mut();
    // SAFETY: `entry`, `buffer` and `found` are valid for writes for the time of the call, and the
    // buffer's length is passed with it.
    let status = unsafe {
        libc::getpwuid_r(uid, entry.as_mut_ptr(), buffer.as_mut_ptr(), buffer.len(), &raw mut found)
    };
    if status != 0 || found.is_null() {
        return None;
    }
    // SAFETY: the call succeeded and `found` points to `entry`, whose strings are NUL-terminated
    // and lie in `buffer`, which is still alive.
    let (name, home) = unsafe {
        (
            std::ffi::CStr::from_ptr((*found).pw_name).to_string_lossy().into_owned(),
            std::ffi::CStr::from_ptr((*found).pw_dir).to_string_lossy().into_owned(),
        )
    };
    Some((name, home.into()))
}
