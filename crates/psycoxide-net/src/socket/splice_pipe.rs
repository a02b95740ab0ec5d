//! A pipe between a file and a socket: pages of the file go through it without a copy, and it is known
//! how many there are before the first byte of a message that says so is sent.
//!
//! What the file system says of a file's size is not believed: files of `sysfs` hold less, and any
//! file may become shorter or longer meanwhile.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;

use socket2::Socket;

/// So much goes into a message: the server holds one at a time in its memory.
pub(super) const PART: usize = 256 << 10;

/// The pipe. It is empty whenever it is filled.
#[derive(Debug)]
pub struct SplicePipe {
    entry: OwnedFd,
    exit: OwnedFd,
}

#[cfg(target_os = "linux")]
mod system {
    use std::os::fd::AsFd;

    use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};

    use super::{File, PART, Socket, SplicePipe, io};

    impl SplicePipe {
        /// An empty one.
        ///
        /// # Errors
        /// If the system has no pipes to give.
        pub fn new() -> io::Result<Self> {
            let (exit, entry) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
            // There is a limit for all of a user's; a shorter pipe will do.
            let _ = fcntl_setpipe_size(&entry, PART);
            Ok(Self { entry, exit })
        }

        /// Takes a part of the file from `offset` on; how much, and nothing at its end.
        ///
        /// # Errors
        /// If the file cannot be sent so, or be read.
        pub fn fill(&self, file: &File, offset: u64) -> io::Result<u32> {
            let mut at = offset;
            let flags = SpliceFlags::NONBLOCK;
            loop {
                match splice(file.as_fd(), Some(&mut at), &self.entry, None, PART, flags) {
                    Err(rustix::io::Errno::INTR) => {}
                    Ok(count) => return u32::try_from(count).map_err(io::Error::other),
                    Err(error) => return Err(error.into()),
                }
            }
        }

        /// Sends up to `most` bytes of what is in it, as many as the socket takes.
        pub(in super::super) fn drain(&self, socket: &Socket, most: usize) -> io::Result<usize> {
            let flags = SpliceFlags::NONBLOCK;
            let sent = crate::sigpipe::without_sigpipe(|| {
                splice(&self.exit, None, socket.as_fd(), None, most, flags)
            });
            Ok(sent?)
        }

        /// Reads some of what is in it.
        pub(in super::super) fn read(&self, block: &mut [u8]) -> io::Result<usize> {
            Ok(rustix::io::read(&self.exit, block)?)
        }
    }
}

#[cfg(not(target_os = "linux"))]
impl SplicePipe {
    /// There is none.
    ///
    /// # Errors
    /// Always.
    pub fn new() -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// As there is none, it takes nothing.
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
