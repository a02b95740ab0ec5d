//! A pipe between a file and a socket, for splice(2): pages of the file go through it without a
//! copy, and the length of a message's data is known before its header is sent.
//!
//! The size that the file system reports is not believed: files of `sysfs` hold less, and any file
//! may become shorter or longer meanwhile.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;

use socket2::Socket;

/// The most data in a message: the server holds a whole message in its memory.
pub(super) const MAX_PART: usize = 256 << 10;

/// The pipe. It must be empty before it is filled again.
#[derive(Debug)]
pub struct SplicePipe {
    entry: OwnedFd,
    exit: OwnedFd,
}

#[cfg(target_os = "linux")]
mod system {
    use std::os::fd::AsFd;

    use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};

    use super::{File, MAX_PART, Socket, SplicePipe, io};

    impl SplicePipe {
        /// Makes an empty pipe.
        ///
        /// # Errors
        /// If the system has no more pipes.
        pub fn new() -> io::Result<Self> {
            let (exit, entry) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
            // There is a limit for all pipes of a user; a shorter one will do.
            let _ = fcntl_setpipe_size(&entry, MAX_PART);
            Ok(Self { entry, exit })
        }

        /// Takes a part of the file from `offset` on. Returns its length, which is 0 at the end of
        /// the file.
        ///
        /// # Errors
        /// If the file cannot be read, or not by splice(2).
        pub fn fill(&self, file: &File, offset: u64) -> io::Result<u32> {
            let mut at = offset;
            let flags = SpliceFlags::NONBLOCK;
            loop {
                match splice(file.as_fd(), Some(&mut at), &self.entry, None, MAX_PART, flags) {
                    Err(rustix::io::Errno::INTR) => {}
                    Ok(count) => return u32::try_from(count).map_err(io::Error::other),
                    Err(error) => return Err(error.into()),
                }
            }
        }

        /// Sends up to `most` bytes from the pipe, as many as the socket takes.
        pub(in super::super) fn drain(&self, socket: &Socket, most: usize) -> io::Result<usize> {
            let flags = SpliceFlags::NONBLOCK;
            let sent = crate::sigpipe::without_sigpipe(|| {
                splice(&self.exit, None, socket.as_fd(), None, most, flags)
            });
            Ok(sent?)
        }

        /// Reads some bytes from the pipe.
        pub(in super::super) fn read(&self, block: &mut [u8]) -> io::Result<usize> {
            Ok(rustix::io::read(&self.exit, block)?)
        }
    }
}

#[cfg(not(target_os = "linux"))]
impl SplicePipe {
    /// Not available on this system.
    ///
    /// # Errors
    /// Always.
    pub fn new() -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Not available on this system.
    ///
    /// # Errors
    /// Always.
    pub fn fill(&self, _: &File, _: u64) -> io::Result<u32> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn drain(&self, _: &Socket, _: usize) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn read(&self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
