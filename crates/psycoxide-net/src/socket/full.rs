//! A server whose queue of connections is full, for tests.

use std::io::ErrorKind;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use socket2::{Domain, SockAddr, Socket, Type};

use crate::socket::address::Address;

/// A server that listens at port 5432 in a folder of its own.
pub(crate) struct FullServer {
    pub(crate) folder: PathBuf,
    pub(crate) path: PathBuf,
    listener: UnixListener,
    waiting: Vec<Socket>,
}

impl FullServer {
    pub(crate) fn start() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("psycoxide-full-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir(&folder).unwrap();
        let path = folder.join(".s.PGSQL.5432");
        let address = SockAddr::unix(&path).unwrap();
        let listener = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        listener.bind(&address).unwrap();
        listener.listen(1).unwrap();
        let mut waiting = Vec::new();
        loop {
            let socket = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
            socket.set_nonblocking(true).unwrap();
            match socket.connect(&address) {
                Ok(()) => waiting.push(socket),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("{error}"),
            }
        }
        Self { folder, path, listener: listener.into(), waiting }
    }

    pub(crate) fn address(&self) -> Address {
        Address::Unix { path: self.path.to_str().unwrap().to_owned() }
    }

    /// Accepts the connections that fill the queue.
    pub(crate) fn make_room(&self) {
        for _ in &self.waiting {
            drop(self.accept());
        }
    }

    /// Accepts the next connection in the queue.
    pub(crate) fn accept(&self) -> UnixStream {
        self.listener.accept().unwrap().0
    }
}

impl Drop for FullServer {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
