//! Batches of rows as they come from the wire, the names of columns, and types that are asked for.

mod common;

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::*;
use arrow_array::*;
use arrow_schema::{DataType, TimeUnit};
use common::{column, decode, of_binary, of_text, typed};
use psycoxide_arrow::{
    Catalog, ColumnSpec, DuplicateNames, Limits, Options, ResultLayout, RowDecoder,
};
use psycoxide_proto::{Engine, Event, Request, Rows, Startup};
use psycoxide_sql::oid;

/// The rows of a server's answer with these fields.
fn rows(columns: u16, all: &[Vec<Option<Vec<u8>>>]) -> Rows {
    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap();
        [&[kind][..], &length.to_be_bytes(), body].concat()
    }
    let mut answer = b"R\0\0\0\x08\0\0\0\0S\0\0\0\x12DateStyle\0ISO\0Z\0\0\0\x05I".to_vec();
    let mut engine = Engine::new(Startup::new(b"tester", "nonce".to_owned()));
    engine.receive(&answer);
    engine.sent(engine.out().len());
    assert!(matches!(engine.poll_event(), Some(Event::Done(_))));
    engine.submit(Request::query(b"SELECT".to_vec())).unwrap();
    engine.sent(engine.out().len());
    let mut described = columns.to_be_bytes().to_vec();
    for _ in 0..columns {
        described.extend_from_slice(b"c\0\0\0\0\0\0\0\0\0\0\x17\0\x04\xff\xff\xff\xff\0\0");
    }
    answer = message(b'T', &described);
    for row in all {
        let mut body = columns.to_be_bytes().to_vec();
        for field in row {
            match field {
                Some(field) => {
                    body.extend(u32::try_from(field.len()).unwrap().to_be_bytes());
                    body.extend(field);
                }
                None => body.extend([0xff; 4]),
            }
        }
        answer.extend(message(b'D', &body));
    }
    answer.extend(message(b'C', b"SELECT 1\0"));
    answer.extend(message(b'Z', b"I"));
    engine.receive(&answer);
    match engine.poll_event() {
        Some(Event::Done(outcome)) => outcome.result.unwrap().rows,
        other => panic!("{other:?}"),
    }
}

fn int(value: i32) -> Option<Vec<u8>> {
    Some(value.to_be_bytes().to_vec())
}

fn named(name: &str, oid: oid::Oid) -> ColumnSpec {
    ColumnSpec { name: name.into(), ..column(oid, -1, true) }
}

fn decoder(columns: Vec<ColumnSpec>) -> RowDecoder {
    let layout = ResultLayout::new(columns, &Catalog::default(), &Options::default()).unwrap();
    RowDecoder::new(Arc::new(layout))
}

#[test]
fn batches_end_at_their_limits() {
    let all: Vec<_> = (0..1000).map(|n| vec![if n % 3 == 0 { None } else { int(n) }]).collect();
    let rows = rows(1, &all);
    for (limits, expected) in [
        (Limits { rows: 1000, bytes: usize::MAX }, vec![1000]),
        (Limits { rows: usize::MAX, bytes: usize::MAX }, vec![1000]),
        (Limits { rows: 300, bytes: usize::MAX }, vec![300, 300, 300, 100]),
        (Limits { rows: 0, bytes: 0 }, vec![1; 1000]),
    ] {
        let mut decoder = decoder(vec![named("a", oid::INT4)]);
        let mut iter = rows.iter_from(rows.start());
        let (mut sizes, mut values) = (Vec::new(), Vec::new());
        while {
            decoder.append(&mut iter, limits).unwrap();
            decoder.rows() > 0
        } {
            let batch = decoder.finish().unwrap();
            sizes.push(batch.num_rows());
            values.extend(batch.column(0).as_primitive::<Int32Type>().iter());
        }
        assert_eq!(sizes, expected, "{limits:?}");
        let expected: Vec<_> = (0..1000).map(|n| (n % 3 != 0).then_some(n)).collect();
        assert_eq!(values, expected);
    }
    let mut decoder = decoder(vec![named("a", oid::INT4)]);
    let mut iter = rows.iter_from(rows.start());
    let limits = Limits { rows: usize::MAX, bytes: 2000 };
    assert_eq!(decoder.append(&mut iter, limits), Ok(true));
    // Four bytes for each length, and four for each value that is not NULL.
    assert!((299..302).contains(&decoder.rows()), "{}", decoder.rows());
}

#[test]
fn the_first_bad_row_is_named() {
    let bad = Some(b"x".to_vec());
    let mut all: Vec<_> = (0..500).map(|n| vec![int(n), int(n)]).collect();
    all[410][0].clone_from(&bad);
    all[405][1].clone_from(&bad);
    let rows = rows(2, &all);
    let mut decoder = decoder(vec![named("a", oid::INT4), named("b", oid::INT4)]);
    let mut iter = rows.iter_from(rows.start());
    let limits = Limits { rows: 400, bytes: usize::MAX };
    assert_eq!(decoder.append(&mut iter, limits), Ok(true));
    assert_eq!(decoder.finish().unwrap().num_rows(), 400);
    let error = decoder.append(&mut iter, limits).unwrap_err();
    assert_eq!((error.row, error.column.as_str()), (406, "b"));
    assert!(decoder.finish().is_err());
    // A row with another number of fields than the layout has columns.
    let mut iter = rows.iter_from(rows.start());
    let error = self::decoder(vec![named("a", oid::INT4)]).append(&mut iter, limits).unwrap_err();
    assert!(error.reason.contains("2 fields"), "{error}");
}

#[test]
fn no_rows_have_a_schema_and_no_columns_have_rows() {
    let mut decoder = decoder(vec![named("a", oid::INT4_ARRAY), named("b", oid::TEXT)]);
    let batch = decoder.finish().unwrap();
    assert_eq!((batch.num_rows(), batch.num_columns()), (0, 2));
    let mut decoder = self::decoder(Vec::new());
    let rows = rows(0, &vec![Vec::new(); 7]);
    let limits = Limits { rows: 100, bytes: 100 };
    assert_eq!(decoder.append(&mut rows.iter_from(rows.start()), limits), Ok(false));
    assert_eq!(decoder.finish().unwrap().num_rows(), 7);
}

#[test]
fn a_bitmap_is_made_for_nulls_only() {
    let one = of_text(oid::INT4, &Options::default(), &[Some("1"), Some("2")]).unwrap();
    assert!(one.nulls().is_none());
    let values: Vec<_> = (0..100).map(|n| (n != 70).then_some("1")).collect();
    let array = of_text(oid::INT4, &Options::default(), &values).unwrap();
    assert_eq!(array.null_count(), 1);
    assert!(array.is_null(70) && array.is_valid(69) && array.is_valid(99));
}

#[test]
fn fields_have_their_postgresql_types() {
    let columns = vec![
        column(oid::UUID, -1, true),
        column(oid::JSONB, -1, true),
        column(oid::NUMERIC, common::numeric(5, 2), true),
        column(oid::TEXT_ARRAY, -1, true),
    ];
    let options = Options { duplicates: DuplicateNames::Suffix, ..Options::default() };
    let layout = ResultLayout::new(columns, &Catalog::default(), &options).unwrap();
    let schema = layout.schema();
    let metadata =
        |field: usize, key: &str| schema.field(field).metadata().get(key).map(String::as_str);
    assert_eq!(metadata(0, "ARROW:extension:name"), Some("arrow.uuid"));
    assert_eq!(metadata(1, "ARROW:extension:name"), Some("arrow.json"));
    assert_eq!(metadata(2, "ARROW:extension:name"), None);
    assert_eq!(metadata(2, "POSTGRESQL:type"), Some("numeric"));
    assert_eq!(metadata(2, "POSTGRESQL:typmod"), Some("327686"));
    assert_eq!(metadata(3, "POSTGRESQL:type"), Some("text[]"));
    let names: Vec<_> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(names, ["c", "c_2", "c_3", "c_4"]);
    assert!(schema.fields().iter().all(|field| field.is_nullable()));
}

#[test]
fn columns_are_asked_for_in_binary_where_that_is_read() {
    let prefers = |oid| {
        let (catalog, options) = (Catalog::default(), Options::default());
        ResultLayout::prefers_binary(&column(oid, -1, false), &catalog, &options)
    };
    for oid in [16, 17, 20, 21, 23, 25, 26, 700, 1082, 1114, 1186, 1700, 2950, 3802, 1007, 3904] {
        assert!(prefers(oid), "{oid}");
    }
    for oid in [600, 603, 790, 869, 1266, 1560, 3614, 2249, 142, 1017, 99_999] {
        assert!(!prefers(oid), "{oid}");
    }
    let text = typed(DataType::Utf8);
    assert!(!ResultLayout::prefers_binary(&column(23, -1, false), &Catalog::default(), &text));
}

#[test]
fn types_that_are_asked_for_are_exact_or_errors() {
    let millis = DataType::Timestamp(TimeUnit::Millisecond, None);
    let nanos = DataType::Timestamp(TimeUnit::Nanosecond, None);
    let dictionary = DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8));
    for (oid, to, good, bad) in [
        (oid::INT8, DataType::Int16, "32767", Some("32768")),
        (oid::INT8, DataType::UInt8, "255", Some("-1")),
        (oid::INT4, DataType::Int64, "-5", None),
        (oid::INT8, DataType::Float64, "9007199254740992", Some("9007199254740993")),
        (oid::INT4, DataType::Float32, "16777216", Some("16777217")),
        (oid::INT4, DataType::Decimal128(5, 2), "999", Some("1000")),
        (oid::FLOAT8, DataType::Float32, "0.5", Some("0.1")),
        (oid::FLOAT4, DataType::Float64, "0.5", None),
        (oid::NUMERIC, DataType::Decimal128(5, 1), "9999.9", Some("0.01")),
        (oid::NUMERIC, DataType::Decimal256(60, 1), "1e", Some("0.01")),
        (oid::NUMERIC, DataType::Float64, "0.1", None),
        (oid::TIMESTAMP, millis.clone(), "2000-01-01 00:00:00.5", Some("2000-01-01 00:00:00.0005")),
        (oid::TIMESTAMP, nanos, "2000-01-01 00:00:00.5", Some("3000-01-01 00:00:00")),
        (oid::DATE, DataType::Date64, "2000-01-01", None),
        (oid::DATE, millis, "2000-01-01", None),
        (oid::TIME, DataType::Time32(TimeUnit::Second), "12:00:00", Some("12:00:00.5")),
        (oid::TEXT, dictionary, "a", None),
        (oid::BYTEA, DataType::FixedSizeBinary(2), "\\x0001", Some("\\x00")),
        (oid::DATE, DataType::LargeUtf8, "2000-01-01", None),
    ] {
        let good = if good == "1e" { "1".repeat(59) } else { good.to_owned() };
        let options = typed(to.clone());
        let array = of_text(oid, &options, &[Some(&good), None]).unwrap();
        assert_eq!((array.data_type(), array.null_count()), (&to, 1), "{oid} {to}");
        if let Some(bad) = bad {
            let error = of_text(oid, &options, &[Some(&good), Some(bad)]).unwrap_err();
            assert!(error.starts_with("row 2, column \"c\": "), "{oid} {to} {bad}: {error}");
            assert!(error.contains("choose") || error.contains("has"), "{error}");
        }
    }
    for (oid, to) in [
        (oid::INT4, DataType::Date32),
        (oid::TEXT, DataType::Int32),
        (oid::NUMERIC, DataType::Decimal128(5, 6)),
        (oid::NUMERIC, DataType::Decimal128(39, 0)),
        (oid::TIMESTAMP, DataType::Timestamp(TimeUnit::Second, Some("UTC".into()))),
        (oid::BOOL, DataType::Int8),
    ] {
        let error = of_text(oid, &typed(to.clone()), &[]).unwrap_err();
        assert!(error.contains("possible are"), "{oid} {to}: {error}");
    }
    let other = Options { types: [("d".into(), DataType::Int8)].into(), ..Options::default() };
    assert!(of_text(oid::INT4, &other, &[]).unwrap_err().contains("\"d\""));
    let seconds = typed(DataType::Timestamp(TimeUnit::Second, Some("Europe/Berlin".into())));
    let array = of_binary(oid::TIMESTAMPTZ, &seconds, &[Some(&[0; 8])]).unwrap();
    assert_eq!(array.as_primitive::<TimestampSecondType>().value(0), 946_684_800);
    let array = decode(column(oid::DATE, -1, true), &typed(DataType::Utf8), &[Some(&[0; 4])]);
    assert_eq!(array.unwrap().as_string::<i32>().value(0), "2000-01-01");
}
