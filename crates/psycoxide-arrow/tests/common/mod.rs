//! Decoding without a server.
#![allow(dead_code, reason = "each test uses some")]

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use psycoxide_arrow::{
    Catalog, ColumnSpec, LayoutError, Options, ResultLayout, RowDecoder, ValueError,
};
use psycoxide_sql::oid::Oid;

/// A column named `c`.
pub fn column(oid: Oid, modifier: i32, binary: bool) -> ColumnSpec {
    ColumnSpec { name: "c".into(), oid, modifier, binary }
}

/// Options that give the column an Arrow type.
pub fn typed(data_type: arrow_schema::DataType) -> Options {
    Options { types: [("c".to_owned(), data_type)].into(), ..Options::default() }
}

pub fn layout(
    column: ColumnSpec,
    catalog: &Catalog,
    options: &Options,
) -> Result<Arc<ResultLayout>, LayoutError> {
    ResultLayout::new(vec![column], catalog, options).map(Arc::new)
}

pub fn decode_all(
    layout: &Arc<ResultLayout>,
    values: &[Option<&[u8]>],
) -> Result<RecordBatch, ValueError> {
    let mut decoder = RowDecoder::new(Arc::clone(layout));
    for value in values {
        decoder.append_fields([*value])?;
    }
    decoder.finish()
}

/// The array of a column's values.
pub fn decode(
    column: ColumnSpec,
    options: &Options,
    values: &[Option<&[u8]>],
) -> Result<ArrayRef, String> {
    let layout = layout(column, &Catalog::default(), options).map_err(|error| error.to_string())?;
    let batch = decode_all(&layout, values).map_err(|error| error.to_string())?;
    Ok(Arc::clone(batch.column(0)))
}

/// The array of values in text.
pub fn of_text(oid: Oid, options: &Options, values: &[Option<&str>]) -> Result<ArrayRef, String> {
    let values: Vec<_> = values.iter().map(|value| value.map(str::as_bytes)).collect();
    decode(column(oid, -1, false), options, &values)
}

/// The array of values in binary.
pub fn of_binary(
    oid: Oid,
    options: &Options,
    values: &[Option<&[u8]>],
) -> Result<ArrayRef, String> {
    decode(column(oid, -1, true), options, values)
}

/// The modifier of `numeric(precision, scale)`.
pub fn numeric(precision: i32, scale: i32) -> i32 {
    (precision << 16 | scale & 0x7ff) + 4
}
