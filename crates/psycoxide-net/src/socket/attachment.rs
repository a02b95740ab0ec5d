//! A part of a file behind a message's header: the kernel sends it without a copy in between.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use socket2::Socket;

use super::SEND_FLAGS;

/// So much is read at a time where the kernel cannot send the file itself.
const BLOCK: usize = 64 << 10;

/// Bytes that are promised: whatever becomes of the file, so many follow.
#[derive(Debug)]
pub(super) struct Attachment {
    file: Arc<File>,
    offset: u64,
    /// How much of the file is still to come.
    left: u64,
    /// What goes before that: the header, and what had to be read.
    bytes: Vec<u8>,
    /// Whether the kernel may send it.
    direct: bool,
    /// The file did not have what was promised: zeros take its place.
    pub(super) short: bool,
}

impl Attachment {
    pub(super) fn new(header: &[u8], file: Arc<File>, offset: u64, length: u64) -> Self {
        Self { file, offset, left: length, bytes: header.to_vec(), direct: true, short: false }
    }

    /// Sends what the socket takes; whether that was all.
    pub(super) fn send(&mut self, socket: &Socket) -> io::Result<bool> {
        loop {
            while !self.bytes.is_empty() {
                let count = socket.send_with_flags(&self.bytes, SEND_FLAGS)?;
                self.bytes.drain(..count);
            }
            if self.left == 0 {
                return Ok(true);
            }
            if !self.direct {
                self.read();
                continue;
            }
            let count = usize::try_from(self.left).unwrap_or(usize::MAX);
            match send_file(socket, &self.file, &mut self.offset, count) {
                // It has become shorter.
                Ok(0) => self.direct = false,
                Ok(count) => self.left -= u64::try_from(count).unwrap_or(0).min(self.left),
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock
                    | io::ErrorKind::Interrupted
                    | io::ErrorKind::BrokenPipe
                    | io::ErrorKind::ConnectionReset => return Err(error),
                    // A file system that cannot do that, or fails at it.
                    _ => self.direct = false,
                },
            }
        }
    }

    /// Reads some of the file.
    fn read(&mut self) {
        let count = usize::try_from(self.left).unwrap_or(BLOCK).min(BLOCK);
        let mut block = vec![0; count];
        let got = loop {
            match self.file.read_at(&mut block, self.offset) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(got) => break got,
                Err(_) => break 0,
            }
        };
        self.short |= got == 0;
        let sent = if self.short { count } else { got };
        block.truncate(sent);
        self.bytes = block;
        let sent = u64::try_from(sent).unwrap_or(0);
        self.offset += sent;
        self.left -= sent.min(self.left);
    }
}

/// Has the kernel send a part of a file. A peer that is gone is an error, never a signal.
#[cfg(target_os = "linux")]
fn send_file(socket: &Socket, file: &File, offset: &mut u64, count: usize) -> io::Result<usize> {
    let sent =
        without_sigpipe(|| rustix::fs::sendfile(socket.as_fd(), file.as_fd(), Some(offset), count));
    Ok(sent?)
}

#[cfg(not(target_os = "linux"))]
fn send_file(_: &Socket, _: &File, _: &mut u64, _: usize) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Runs `send`, which has no flag against the signal, with that signal blocked in this thread; if it
/// was sent, it is taken away.
#[cfg(target_os = "linux")]
fn without_sigpipe<T>(send: impl FnOnce() -> rustix::io::Result<T>) -> rustix::io::Result<T> {
    use std::mem::MaybeUninit;
    // SAFETY: the sets are written by the functions that take them before they are read; all of the
    // functions are about this thread, and none of them fails with these arguments.
    unsafe {
        let mut pipe = MaybeUninit::<libc::sigset_t>::uninit();
        let (mut before, mut pending) = (MaybeUninit::uninit(), MaybeUninit::uninit());
        libc::sigemptyset(pipe.as_mut_ptr());
        libc::sigaddset(pipe.as_mut_ptr(), libc::SIGPIPE);
        libc::pthread_sigmask(libc::SIG_BLOCK, pipe.as_ptr(), before.as_mut_ptr());
        libc::sigpending(pending.as_mut_ptr());
        let waited = libc::sigismember(pending.as_ptr(), libc::SIGPIPE) == 1;
        let sent = send();
        if matches!(sent, Err(rustix::io::Errno::PIPE)) && !waited {
            let now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
            libc::sigtimedwait(pipe.as_ptr(), std::ptr::null_mut(), &raw const now);
        }
        libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), std::ptr::null_mut());
        sent
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    use super::*;

    fn file(content: &[u8]) -> Arc<File> {
        let path = std::env::temp_dir().join(format!("psycoxide-{}", rand()));
        let mut file = File::options().create_new(true).read(true).write(true).open(&path).unwrap();
        std::fs::remove_file(path).unwrap();
        file.write_all(content).unwrap();
        Arc::new(file)
    }

    fn rand() -> String {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NEXT: AtomicU32 = AtomicU32::new(0);
        format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// What comes out at the other end, and whether the file was short.
    fn sent(file: Arc<File>, offset: u64, length: u64, direct: bool) -> (Vec<u8>, bool) {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let socket = Socket::from(ours);
        let mut attachment = Attachment::new(b"head", file, offset, length);
        attachment.direct = direct;
        let reader = std::thread::spawn(move || {
            let mut found = Vec::new();
            theirs.read_to_end(&mut found).unwrap();
            found
        });
        loop {
            match attachment.send(&socket) {
                Ok(done) => {
                    assert!(done);
                    break;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::thread::yield_now(),
                Err(error) => panic!("{error}"),
            }
        }
        drop(socket);
        (reader.join().unwrap(), attachment.short)
    }

    #[test]
    fn a_part_of_a_file_is_sent_whole() {
        let content: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
        for direct in [true, false] {
            let found = sent(file(&content), 1000, 2_500_000, direct);
            assert!(found == ([b"head", &content[1000..2_501_000]].concat(), false), "{direct}");
        }
    }

    #[test]
    fn what_was_promised_is_sent_even_if_the_file_is_short() {
        for direct in [true, false] {
            let (found, short) = sent(file(b"abcdef"), 4, 100_000, direct);
            assert!(short && found.len() == 100_004 && found.starts_with(b"headef\0"), "{direct}");
        }
    }

    #[test]
    fn a_peer_that_is_gone_is_an_error_and_not_a_signal() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        drop(theirs);
        let mut attachment = Attachment::new(b"", file(b"abcdef"), 0, 6);
        // SAFETY: the default of a signal; this process is the test's own.
        unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
        let error = attachment.send(&Socket::from(ours)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}
