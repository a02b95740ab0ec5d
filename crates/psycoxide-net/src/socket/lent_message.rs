//! A message whose data are sent from where they lie, without a copy by this process.

use std::io;
use std::sync::Arc;

use socket2::Socket;

use super::splice_pipe::{MAX_PART, SplicePipe};
use crate::sigpipe::send;

/// How much is read at a time if the kernel cannot send from the pipe itself.
const BLOCK: usize = 64 << 10;

/// Memory that lasts as long as this is held, and whose bytes never change.
pub type Lent = Arc<dyn AsRef<[u8]> + Send + Sync>;

/// Where the data of a message lie.
#[derive(Clone)]
pub enum Body {
    /// In a pipe, from which the kernel sends them itself.
    Pipe(Arc<SplicePipe>),
    /// In memory, from this byte on.
    Memory(Lent, usize),
}

impl Body {
    /// Returns up to `most` of the bytes if they lie in memory.
    pub fn bytes(&self, most: u32) -> Option<&[u8]> {
        let Self::Memory(memory, from) = self else { return None };
        let data = (**memory).as_ref().get(*from..)?;
        Some(usize::try_from(most).ok().and_then(|most| data.get(..most)).unwrap_or(data))
    }

    /// Returns how many bytes of `memory` go into a message that begins at byte `from`: 0 at its end.
    pub fn part(memory: &Lent, from: usize) -> u32 {
        let left = (**memory).as_ref().len().saturating_sub(from);
        u32::try_from(left.min(MAX_PART)).unwrap_or_default()
    }
}

/// A message under way. Its header has promised how many bytes follow.
pub(super) struct LentMessage {
    body: Body,
    /// How many bytes of the data are still to be sent.
    left: usize,
    /// Bytes to be sent before the data: the header, and what had to be read from the pipe.
    bytes: Vec<u8>,
    /// Whether the kernel may send from the pipe.
    direct: bool,
}

impl std::fmt::Debug for LentMessage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LentMessage").field("left", &self.left).finish_non_exhaustive()
    }
}

impl LentMessage {
    pub(super) fn new(header: &[u8], body: Body, length: usize) -> Self {
        Self { body, left: length, bytes: header.to_vec(), direct: true }
    }

    /// Sends as much as the socket takes. Returns whether that was all.
    pub(super) fn send(&mut self, socket: &Socket) -> io::Result<bool> {
        loop {
            while !self.bytes.is_empty() {
                let count = send(socket, &self.bytes)?;
                self.bytes.drain(..count);
            }
            if self.left == 0 {
                return Ok(true);
            }
            let sent = match &mut self.body {
                Body::Memory(memory, from) => {
                    let data = (**memory).as_ref().get(*from..).unwrap_or_default();
                    let count = send(socket, data.get(..self.left).unwrap_or(data))?;
                    *from += count;
                    count
                }
                Body::Pipe(pipe) if self.direct => match pipe.drain(socket, self.left) {
                    Ok(count) => count,
                    Err(error) => match error.kind() {
                        io::ErrorKind::WouldBlock
                        | io::ErrorKind::Interrupted
                        | io::ErrorKind::BrokenPipe
                        | io::ErrorKind::ConnectionReset => return Err(error),
                        // The socket does not support splice(2).
                        _ => {
                            self.direct = false;
                            continue;
                        }
                    },
                },
                Body::Pipe(pipe) => {
                    let mut block = vec![0; self.left.min(BLOCK)];
                    let count = pipe.read(&mut block)?;
                    block.truncate(count);
                    self.bytes = block;
                    count
                }
            };
            if sent == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.left -= sent.min(self.left);
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::fs::File;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    use super::*;

    fn file(content: &[u8]) -> File {
        let path = std::env::temp_dir().join(format!("psycoxide-{}", rand()));
        let mut file = File::options().create_new(true).read(true).write(true).open(&path).unwrap();
        std::fs::remove_file(path).unwrap();
        file.write_all(content).unwrap();
        file
    }

    fn rand() -> String {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NEXT: AtomicU32 = AtomicU32::new(0);
        format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// What arrives at the other end if the file is sent part by part; `meanwhile` is called after
    /// each part.
    fn sent(file: &File, mut offset: u64, direct: bool, meanwhile: impl Fn(u64)) -> Vec<u8> {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let socket = Socket::from(ours);
        let reader = std::thread::spawn(move || {
            let mut found = Vec::new();
            theirs.read_to_end(&mut found).unwrap();
            found
        });
        let pipe = Arc::new(SplicePipe::new().unwrap());
        loop {
            let count = pipe.fill(file, offset).unwrap();
            if count == 0 {
                break;
            }
            offset += u64::from(count);
            let mut message = LentMessage::new(b"", Body::Pipe(Arc::clone(&pipe)), count as usize);
            message.direct = direct;
            loop {
                match message.send(&socket) {
                    Ok(done) => {
                        assert!(done);
                        break;
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        std::thread::yield_now();
                    }
                    Err(error) => panic!("{error}"),
                }
            }
            meanwhile(offset);
        }
        drop(socket);
        reader.join().unwrap()
    }

    fn content() -> Vec<u8> {
        (0..3_000_000_u32).map(|n| (n % 251) as u8).collect()
    }

    #[test]
    fn a_file_is_sent_whole_from_where_it_is() {
        let content = content();
        for direct in [true, false] {
            for start in [0, 1000, 4096, 2_999_999, 3_000_000, 4_000_000] {
                let found = sent(&file(&content), start as u64, direct, |_| {});
                assert!(found == content[start.min(content.len())..], "{direct} {start}");
            }
        }
    }

    #[test]
    fn a_file_that_becomes_shorter_ends_there() {
        for direct in [true, false] {
            let file = file(&content());
            let found = sent(&file, 0, direct, |offset| {
                if offset < 1_500_000 {
                    file.set_len(1_500_000).unwrap();
                }
            });
            assert!(found == content()[..1_500_000], "{direct}");
        }
    }

    #[test]
    fn a_file_that_grows_is_sent_to_its_end() {
        let content = content();
        let file = file(&content[..1000]);
        let found = sent(&file, 0, true, |offset| {
            use std::os::unix::fs::FileExt;
            let (from, to) = (offset as usize, content.len().min(offset as usize + 100_000));
            file.write_all_at(&content[from..to], offset).unwrap();
        });
        assert!(found == content);
    }

    #[test]
    fn memory_is_sent_whole_in_parts_from_where_it_is_to_begin() {
        let content = content();
        let memory: Lent = Arc::new(content.clone());
        for start in [0, 1, MAX_PART, content.len() - 1, content.len(), content.len() + 1] {
            let (ours, mut theirs) = UnixStream::pair().unwrap();
            ours.set_nonblocking(true).unwrap();
            let reader = std::thread::spawn(move || {
                let mut found = Vec::new();
                theirs.read_to_end(&mut found).unwrap();
                found
            });
            let (socket, mut from, mut expected) = (Socket::from(ours), start, Vec::new());
            while let length @ 1.. = Body::part(&memory, from) as usize {
                let body = Body::Memory(Arc::clone(&memory), from);
                let mut message = LentMessage::new(b"head", body, length);
                while !message.send(&socket).unwrap_or_else(|error| {
                    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                    std::thread::yield_now();
                    false
                }) {}
                expected.extend_from_slice(b"head");
                expected.extend_from_slice(&content[from..from + length]);
                from += length;
            }
            drop(socket);
            assert!(reader.join().unwrap() == expected, "{start}");
            assert_eq!(from, start.max(content.len()));
        }
    }

    #[test]
    fn a_file_of_sysfs_ends_before_its_size() {
        // Only where this file exists.
        let Ok(expected) = std::fs::read("/sys/kernel/mm/transparent_hugepage/enabled") else {
            return;
        };
        let file = File::open("/sys/kernel/mm/transparent_hugepage/enabled").unwrap();
        assert!(file.metadata().unwrap().len() > expected.len() as u64);
        assert_eq!(sent(&file, 0, true, |_| {}), expected);
    }

    #[test]
    fn a_peer_that_is_gone_is_an_error_and_not_a_signal() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        drop(theirs);
        let pipe = Arc::new(SplicePipe::new().unwrap());
        let count = pipe.fill(&file(b"abcdef"), 0).unwrap();
        let mut message = LentMessage::new(b"", Body::Pipe(pipe), count as usize);
        // SAFETY: the default of a signal; this process is the test's own.
        unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
        let error = message.send(&Socket::from(ours)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}
