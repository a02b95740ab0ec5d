//! How each column of a result becomes an object: chosen once, when the statement was executed.

use psycoxide_proto::Columns;
use psycoxide_sql::oid::{self, Oid};
use pyo3::PyTraverseError;
use pyo3::gc::PyVisit;
use pyo3::prelude::*;
use pyo3::types::PyInt;

use super::binary_format::BinaryFormat;
use super::context::{DecodeContext, FetchContext};
use super::decoder::Decoder;
use super::registry::Registries;
use crate::encoding::TextDecoder;
use crate::error;

/// The formats of values, as the protocol numbers them.
const TEXT: i16 = 0;
const BINARY: i16 = 1;

/// One decoder for each column, and the properties of all of them together.
///
/// A caster that is registered later does not affect an existing result, as with psycopg2.
pub struct CastPlan {
    decoders: Vec<Decoder>,
    encoding: TextDecoder,
    /// No decoder runs Python code, except to make a `tzinfo`.
    native: bool,
    uses_zones: bool,
    as_json: bool,
    as_uuid: bool,
    /// Rows hold nothing that the garbage collector tracks.
    atomic: bool,
}

impl CastPlan {
    /// The plan for a result with these columns.
    pub fn resolve(
        registries: &Registries<'_>,
        encoding: TextDecoder,
        columns: &Columns,
    ) -> PyResult<Self> {
        Self::resolve_noting(registries, encoding, columns, &mut |_, _| {})
    }

    /// The same; calls `note` with the oid of each type and its caster.
    pub(super) fn resolve_noting<'py>(
        registries: &Registries<'py>,
        encoding: TextDecoder,
        columns: &Columns,
        note: &mut impl FnMut(Bound<'py, PyInt>, Option<Bound<'py, PyAny>>),
    ) -> PyResult<Self> {
        let py = registries.py();
        let mut decoders = Vec::<Decoder>::with_capacity(columns.len());
        let mut before = None;
        for column in columns.iter() {
            let kind = (column.type_oid, column.format);
            // Columns of one type are often neighbours: the type is looked up once.
            let decoder = match decoders.last().filter(|_| before == Some(kind)) {
                Some(same) => same.clone_ref(py),
                None => {
                    let oid = PyInt::new(py, column.type_oid);
                    let caster = registries.caster(&oid)?;
                    let decoder = registries.decoder_of(column.type_oid, caster.as_ref())?;
                    decoder.import(py)?;
                    note(oid, caster);
                    let binary = column.format == BINARY;
                    // A caster of the program reads text. One that was registered while binary was on
                    // its way is passed over: the value is what it would have been without it.
                    let format = || {
                        let usual = || BinaryFormat::usual(py, column.type_oid);
                        let found = BinaryFormat::of(py, column.type_oid, &decoder);
                        if registries.is_own() { found.or_else(usual) } else { found }
                    };
                    let format = if binary { format() } else { None };
                    format.map_or(decoder, |format| Decoder::BinaryFormat(Box::new(format)))
                }
            };
            decoders.push(decoder);
            before = Some(kind);
        }
        Ok(Self::new(decoders, encoding))
    }

    /// The plan for the fields of COPY. Those of unknown types (0) become `str`, or `bytes` if they are
    /// binary.
    ///
    /// # Errors
    /// `NotSupportedError` if a type's binary format cannot be read.
    pub fn for_copy(
        registries: &Registries<'_>,
        encoding: TextDecoder,
        types: &[Oid],
        binary: bool,
    ) -> PyResult<Self> {
        let py = registries.py();
        let decoder = |oid: Oid| {
            if oid == 0 {
                return Ok(if binary { Decoder::Bytes } else { Decoder::Text });
            }
            let decoder = registries.decoder(oid)?;
            decoder.import(py)?;
            match BinaryFormat::of(py, oid, &decoder).filter(|_| binary) {
                Some(format) => Ok(Decoder::BinaryFormat(Box::new(format))),
                None if binary && !oid::is_text_in_binary(oid) => {
                    Err(error::not_supported(format!(
                        "the binary format of the type with OID {oid} cannot be read: use COPY's text \
                         format"
                    )))
                }
                None => Ok(decoder),
            }
        };
        let decoders = types.iter().map(|oid| decoder(*oid)).collect::<PyResult<_>>()?;
        Ok(Self::new(decoders, encoding))
    }

    /// The format to request each column in, 0 for text and 1 for binary: binary where its
    /// typecaster makes the same of both, and that pays. `utc` says whether the session's time zone is UTC.
    pub fn formats(
        registries: &Registries<'_>,
        columns: &Columns,
        utc: bool,
    ) -> PyResult<Vec<i16>> {
        let format = |oid| {
            let decoder = registries.decoder(oid)?;
            let format = BinaryFormat::of(registries.py(), oid, &decoder);
            let binary = format.is_some_and(|format| format.is_preferred(utc));
            Ok(if binary { BINARY } else { TEXT })
        };
        columns.iter().map(|column| format(column.type_oid)).collect()
    }

    fn new(decoders: Vec<Decoder>, encoding: TextDecoder) -> Self {
        let (mut native, mut uses_zones, mut atomic) = (true, false, true);
        let (mut as_json, mut as_uuid) = (false, false);
        for decoder in &decoders {
            let traits = decoder.traits();
            let codec_runs = traits.uses_encoding && !encoding.is_native();
            native &= !codec_runs && !traits.runs_python;
            uses_zones |= traits.uses_zones;
            atomic &= traits.atomic;
            as_json |= traits.as_json;
            as_uuid |= traits.as_uuid;
        }
        Self { decoders, encoding, native, uses_zones, as_json, as_uuid, atomic }
    }

    /// The same plan for values in another encoding.
    pub fn with_encoding(self, encoding: TextDecoder) -> Self {
        Self::new(self.decoders, encoding)
    }

    /// Whether the plan holds no Python objects, and its text is in this encoding.
    pub(super) fn is_native_in(&self, encoding: &TextDecoder) -> bool {
        self.native && self.encoding == *encoding
    }

    /// Whether text is in UTF-8.
    pub fn is_utf8(&self) -> bool {
        self.encoding.is_utf8()
    }

    /// The decoder of each column.
    pub fn decoders(&self) -> &[Decoder] {
        &self.decoders
    }

    /// The context that the decoders get during a fetch.
    pub fn decoding<'b, 'py>(&'b self, fetch: &'b FetchContext<'_, 'py>) -> DecodeContext<'b, 'py> {
        fetch.decoding(&self.encoding)
    }

    /// Whether no Python code runs while rows are decoded.
    pub fn is_native(&self, fetch: &FetchContext<'_, '_>) -> bool {
        self.native
            && (!self.uses_zones || fetch.zones.is_native())
            && (!self.as_json || fetch.stdlib.has_standard_json())
            && (!self.as_uuid || fetch.stdlib.has_standard_uuid())
    }

    /// The same as far as the plan alone can tell, without a look at `tzinfo_factory` and the
    /// standard library.
    pub fn may_be_native(&self) -> bool {
        self.native
    }

    /// Whether rows hold only values that the garbage collector does not track: it would stop
    /// tracking such rows when it first saw them.
    pub fn is_atomic(&self) -> bool {
        self.atomic
    }

    /// Shows the garbage collector what the plan holds.
    pub fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.decoders.iter().try_for_each(|decoder| decoder.traverse(visit))
    }
}
