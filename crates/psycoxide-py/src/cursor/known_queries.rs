//! What is known of queries whose parameters may be bound on the server.
//!
//! The server cannot find the types of all parameters, nor does it take one for a constant everywhere.
//! Which queries it takes is a matter of their texts and the types of their values, so it is remembered
//! for all connections of the process: each query is checked once. It is also a matter of the
//! database, so those of different databases are apart.

use std::collections::{BTreeMap, VecDeque};
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::OnceLock;

use psycoxide_net::Config;
use psycoxide_proto::BoundStatement;
use pyo3::prelude::*;

use crate::guarded::Guarded;

/// How many queries are remembered. A program with more has the oldest checked again.
const MOST: usize = 4096;

/// What to do with a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Its parameters are bound.
    Bind,
    /// Its parameters are merged.
    Merge,
}

/// A digest of a query's text, of the types of its values and of its database.
pub type Shape = u64;

#[derive(Default)]
struct Memory {
    verdicts: BTreeMap<Shape, Verdict>,
    /// In the order in which they came.
    order: VecDeque<Shape>,
}

static MEMORY: Guarded<Memory> =
    Guarded::new(Memory { verdicts: BTreeMap::new(), order: VecDeque::new() });

/// The queries of a database.
pub struct KnownQueries {
    database: u64,
}

impl KnownQueries {
    /// Those of the database that a connection is to.
    pub fn of(config: &Config) -> Self {
        let mut digest = digest();
        for host in config.hosts() {
            (&host.name, &host.address, host.port).hash(&mut digest);
        }
        config.get("dbname").hash(&mut digest);
        Self { database: digest.finish() }
    }

    /// The digest of a query.
    pub fn shape(&self, statement: &BoundStatement) -> Shape {
        let mut digest = digest();
        (self.database, statement.sql(), statement.types()).hash(&mut digest);
        digest.finish()
    }

    /// What to do with a query; `None` if it is not known.
    pub fn verdict(&self, py: Python<'_>, shape: Shape) -> Option<Verdict> {
        MEMORY.lock(py).verdicts.get(&shape).copied()
    }

    /// Remembers what to do with a query.
    pub fn note(&self, py: Python<'_>, shape: Shape, verdict: Verdict) {
        let mut memory = MEMORY.lock(py);
        if memory.verdicts.insert(shape, verdict).is_some() {
            return;
        }
        while memory.order.len() >= MOST
            && let Some(oldest) = memory.order.pop_front()
        {
            memory.verdicts.remove(&oldest);
        }
        memory.order.push_back(shape);
    }

    /// Forgets what to do with a query.
    pub fn forget(py: Python<'_>, shape: Shape) {
        MEMORY.lock(py).verdicts.remove(&shape);
    }
}

/// Its keys are random, so that nobody can make two queries that are taken for the same.
fn digest() -> impl Hasher {
    static KEYS: OnceLock<RandomState> = OnceLock::new();
    KEYS.get_or_init(RandomState::new).build_hasher()
}
