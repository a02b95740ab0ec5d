//! An asyncio event loop, as the driver uses it: its methods, looked up once.

use std::os::fd::RawFd;
use std::time::Duration;

use psycoxide_net::Interest;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;

use crate::imports::Lazy;

static GET_RUNNING_LOOP: Lazy = Lazy::new("asyncio", "get_running_loop");
static WATCHER: Lazy = Lazy::new("psycoxide._selector_thread", "watcher");

/// An event loop.
pub struct EventLoop {
    object: Py<PyAny>,
    create_future: Py<PyAny>,
    call_soon: Py<PyAny>,
    /// Has `add_reader()` and its kin: the loop itself, or the thread that selects for loops which
    /// cannot.
    watcher: Py<PyAny>,
    /// A forked child has a copy of its parent's loop.
    process: u32,
}

impl EventLoop {
    /// The loop that runs in this thread.
    ///
    /// # Errors
    /// `RuntimeError` if there is none.
    pub fn running(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        GET_RUNNING_LOOP.bind(py)?.call0()
    }

    pub fn new(object: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = object.py();
        Ok(Self {
            object: object.clone().unbind(),
            create_future: object.getattr(intern!(py, "create_future"))?.unbind(),
            call_soon: object.getattr(intern!(py, "call_soon"))?.unbind(),
            watcher: WATCHER.bind(py)?.call1((object,))?.unbind(),
            process: std::process::id(),
        })
    }

    pub fn is(&self, other: &Bound<'_, PyAny>) -> bool {
        self.object.is(other)
    }

    pub fn object<'py>(&self, py: Python<'py>) -> &Bound<'py, PyAny> {
        self.object.bind(py)
    }

    /// Whether the loop was closed: nothing can be asked of it any more.
    pub fn is_closed(&self, py: Python<'_>) -> bool {
        let closed = self.object.bind(py).call_method0(intern!(py, "is_closed"));
        closed.and_then(|closed| closed.is_truthy()).unwrap_or(true)
    }

    /// Whether the loop runs in another thread.
    pub fn runs_elsewhere(&self, py: Python<'_>) -> bool {
        if self.process != std::process::id()
            || Self::running(py).is_ok_and(|running| self.is(&running))
        {
            return false;
        }
        let running = self.object.bind(py).call_method0(intern!(py, "is_running"));
        running.and_then(|running| running.is_truthy()).unwrap_or(false)
    }

    pub fn create_future<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.create_future.bind(py).call0()
    }

    /// Calls `callback` in the next turn of the loop.
    pub fn call_soon(&self, callback: &Bound<'_, PyAny>) -> PyResult<()> {
        self.call_soon.bind(callback.py()).call1((callback,)).map(drop)
    }

    /// Calls `callback` in the loop's thread; may be called from any thread.
    pub fn call_soon_threadsafe(&self, callback: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = callback.py();
        let name = intern!(py, "call_soon_threadsafe");
        self.object.bind(py).call_method1(name, (callback,)).map(drop)
    }

    /// Calls `callback` after `delay`. Returns the handle, by which it can be cancelled.
    pub fn call_later(&self, delay: Duration, callback: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        let py = callback.py();
        let name = intern!(py, "call_later");
        let handle = self.object.bind(py).call_method1(name, (delay.as_secs_f64(), callback))?;
        Ok(handle.unbind())
    }

    pub fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.object)?;
        visit.call(&self.create_future)?;
        visit.call(&self.call_soon)?;
        visit.call(&self.watcher)
    }
}

/// The descriptor that a loop watches for us, and for what. A loop is told to forget a descriptor
/// before it is closed, always: some loops go on with the old registration when the number is used
/// again.
#[derive(Clone, Copy, Debug, Default)]
pub struct Watched {
    fd: Option<RawFd>,
    interest: Interest,
}

impl Watched {
    /// Changes what is watched to `interest` in `fd`; calls the loop only for what differs.
    /// `callback` is called whenever the descriptor is ready.
    pub fn set(
        &mut self,
        event_loop: &EventLoop,
        fd: RawFd,
        interest: Interest,
        callback: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        if self.fd.is_some_and(|old| old != fd) {
            self.clear(event_loop, callback.py());
        }
        if interest == self.interest {
            return Ok(());
        }
        let py = callback.py();
        let watcher = event_loop.watcher.bind(py);
        let names = [
            (Interest::READ, intern!(py, "add_reader"), intern!(py, "remove_reader")),
            (Interest::WRITE, intern!(py, "add_writer"), intern!(py, "remove_writer")),
        ];
        self.fd = Some(fd);
        for (which, add, remove) in names {
            match (self.interest.contains(which), interest.contains(which)) {
                (false, true) => drop(watcher.call_method1(add, (fd, callback))?),
                (true, false) => drop(watcher.call_method1(remove, (fd,))?),
                _ => {}
            }
        }
        self.interest = interest;
        Ok(())
    }

    /// Whether exactly this is watched.
    pub fn is(&self, fd: RawFd, interest: Interest) -> bool {
        self.fd == Some(fd) && self.interest == interest
    }

    /// Makes the loop forget the descriptor.
    pub fn clear(&mut self, event_loop: &EventLoop, py: Python<'_>) {
        let Some(fd) = self.fd.take() else { return };
        if event_loop.process != std::process::id() {
            // A forked child shares the selector with its parent.
            self.interest = Interest::NONE;
            return;
        }
        let watcher = event_loop.watcher.bind(py);
        // A closed loop has forgotten it already, and says so.
        if self.interest.contains(Interest::READ) {
            let _ = watcher.call_method1(intern!(py, "remove_reader"), (fd,));
        }
        if self.interest.contains(Interest::WRITE) {
            let _ = watcher.call_method1(intern!(py, "remove_writer"), (fd,));
        }
        self.interest = Interest::NONE;
    }
}
