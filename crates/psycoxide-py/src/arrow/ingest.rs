//! `ArrowEncoder`: Arrow data as the data of a COPY FROM.

use std::sync::{Mutex, MutexGuard, TryLockError};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use psycoxide_arrow::ingest::{Encoder, Format, Target, column_type};
use psycoxide_arrow::{Catalog, CompositeField, LayoutError, TypeEntry, TypeKind, ValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::import::{Batches, import};
use crate::error;

/// A chunk has about this many bytes.
const CHUNK: usize = 512 << 10;

/// Room for the row that makes a chunk complete.
const SLACK: usize = 16 << 10;

/// A type of the catalogue: its OID, its name, `pg_type.typname`, what it is (`a` for an array, `d`
/// for a domain, `r` and `m` for ranges and multiranges, `c` and `e` for composite types and enums),
/// the type that it is made of, and the names, types and modifiers of its fields.
type Given = (u32, String, String, char, u32, Vec<(String, u32, i32)>);

/// Encodes Arrow data for a COPY FROM.
///
/// Any thread may read it, one at a time.
#[pyclass(module = "psycoxide._psycopg", frozen)]
struct ArrowEncoder {
    schema: SchemaRef,
    state: Mutex<State>,
}

struct State {
    /// `None` at their end.
    batches: Option<Batches>,
    batch: Option<RecordBatch>,
    /// How many rows of the batch are encoded.
    done: usize,
    encoder: Option<Encoder>,
    bytes: u64,
}

/// Why there are no more data.
enum Fault {
    Value(ValueError),
    Producer(String),
    Unprepared,
}

impl State {
    /// The next chunk; empty at the end.
    fn read(&mut self) -> Result<Vec<u8>, Fault> {
        let Some(encoder) = &mut self.encoder else { return Err(Fault::Unprepared) };
        let Some(batches) = &mut self.batches else { return Ok(Vec::new()) };
        let mut chunk = Vec::with_capacity(CHUNK + SLACK);
        let read = loop {
            let Some(batch) = &self.batch else {
                match batches.next() {
                    Some(Ok(batch)) => self.batch = Some(batch),
                    Some(Err(fault)) => break Err(Fault::Producer(fault.to_string())),
                    None => {
                        encoder.finish(&mut chunk);
                        self.batches = None;
                        break Ok(());
                    }
                }
                continue;
            };
            match encoder.encode_some(batch, self.done, CHUNK, &mut chunk) {
                Ok(rows) => self.done += rows,
                Err(fault) => break Err(Fault::Value(fault)),
            }
            if self.done >= batch.num_rows() {
                self.batch = None;
                self.done = 0;
            }
            if chunk.len() >= CHUNK {
                break Ok(());
            }
        };
        self.bytes += chunk.len() as u64;
        if read.is_err() {
            self.forget();
        }
        read.map(|()| chunk)
    }

    /// Lets go of the data.
    fn forget(&mut self) {
        self.batch = None;
        self.batches = None;
    }
}

impl ArrowEncoder {
    fn lock(&self) -> PyResult<MutexGuard<'_, State>> {
        match self.state.try_lock() {
            Ok(state) => Ok(state),
            Err(TryLockError::Poisoned(state)) => Ok(state.into_inner()),
            Err(TryLockError::WouldBlock) => {
                Err(error::programming("the data are being read by another thread"))
            }
        }
    }
}

#[pymethods]
impl ArrowEncoder {
    #[new]
    fn new(data: &Bound<'_, PyAny>) -> PyResult<Self> {
        let (schema, batches) = import(data)?;
        let state = Mutex::new(State {
            batches: Some(batches),
            batch: None,
            done: 0,
            encoder: None,
            bytes: 0,
        });
        Ok(Self { schema, state })
    }

    /// The names of the columns.
    #[getter]
    fn columns(&self) -> Vec<&str> {
        self.schema.fields().iter().map(|field| field.name().as_str()).collect()
    }

    /// The types that the columns of a table have that is made for the data.
    fn column_types(&self) -> PyResult<Vec<String>> {
        let types = self.schema.fields().iter().map(|field| column_type(field));
        types.collect::<Result<_, _>>().map_err(unsuitable)
    }

    /// prepare(targets, types, text) -- Names the types of the table's columns, in the order of the
    /// data, and what is known of those types. Returns whether the data are in the binary format;
    /// they are not if `text` is true, or if a column is to be parsed by the server.
    fn prepare(&self, targets: Vec<u32>, types: Vec<Given>, text: bool) -> PyResult<bool> {
        let mut catalog = Catalog::default();
        for (oid, name, own_name, kind, part, fields) in types {
            let kind = match kind {
                'a' => TypeKind::Array(part),
                'd' => TypeKind::Domain { base: part, modifier: -1 },
                'r' => TypeKind::Range(part),
                'm' => TypeKind::Multirange(part),
                'e' => TypeKind::Enum(Vec::new()),
                'c' => TypeKind::Composite(
                    fields
                        .into_iter()
                        .map(|(name, oid, modifier)| CompositeField { name, oid, modifier })
                        .collect(),
                ),
                _ => TypeKind::Base(own_name),
            };
            catalog.insert(oid, TypeEntry { name, kind });
        }
        let names = self.schema.fields().iter().map(|field| field.name().clone());
        let targets: Vec<_> = names.zip(targets).map(|(name, oid)| Target { name, oid }).collect();
        let only = text.then_some(Format::Text);
        let encoder = Encoder::new(&self.schema, &targets, &catalog, only).map_err(unsuitable)?;
        let binary = encoder.format() == Format::Binary;
        self.lock()?.encoder = Some(encoder);
        Ok(binary)
    }

    /// read(size=-1) -- The next data, some hundred kilobytes whatever the size; empty at the end.
    ///
    /// Raises DataError for a value that does not fit into its column, and if the producer fails.
    #[pyo3(signature = (size=-1, /))]
    fn read<'py>(&self, py: Python<'py>, size: i64) -> PyResult<Bound<'py, PyBytes>> {
        let _ = size;
        let mut state = self.lock()?;
        let place = &mut *state;
        let read = py.detach(move || place.read());
        match read {
            Ok(chunk) => Ok(PyBytes::new(py, &chunk)),
            Err(Fault::Value(fault)) => Err(error::data(fault.to_string())),
            Err(Fault::Producer(fault)) => {
                Err(error::data(format!("the producer of the data failed: {fault}")))
            }
            Err(Fault::Unprepared) => Err(error::internal("data that were not prepared")),
        }
    }

    /// How many rows were encoded, and to how many bytes.
    #[getter]
    fn progress(&self) -> PyResult<(u64, u64)> {
        let state = self.lock()?;
        Ok((state.encoder.as_ref().map_or(0, Encoder::rows), state.bytes))
    }

    /// close() -- Lets go of the data, unless another thread is reading them.
    fn close(&self, py: Python<'_>) {
        let Ok(mut state) = self.lock() else { return };
        let place = &mut *state;
        py.detach(move || place.forget());
    }
}

fn unsuitable(fault: LayoutError) -> PyErr {
    error::programming(fault.0)
}

/// Exports `ArrowEncoder`.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<ArrowEncoder>()
}
