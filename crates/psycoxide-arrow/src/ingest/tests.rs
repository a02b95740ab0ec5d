use std::sync::Arc;

use arrow_array::builder::{
    FixedSizeListBuilder, Int32Builder, LargeListViewBuilder, ListBuilder, ListViewBuilder,
    StringBuilder,
};
use arrow_array::types::{Int8Type, Int32Type};
use arrow_array::{
    Array, ArrayRef, BooleanArray, Date64Array, DictionaryArray, FixedSizeBinaryArray,
    Float64Array, Int32Array, Int64Array, ListArray, NullArray, RunArray, StringArray, StructArray,
    TimestampNanosecondArray, UInt64Array,
};
use arrow_schema::{DataType, Field, Fields};
use psycoxide_sql::oid;

use super::*;
use crate::layout::catalog::{CompositeField, TypeEntry, TypeKind};

fn batch(columns: &[(&str, ArrayRef)]) -> RecordBatch {
    let fields: Vec<_> = columns
        .iter()
        .map(|(name, array)| Field::new(*name, array.data_type().clone(), true))
        .collect();
    let arrays = columns.iter().map(|(_, array)| Arc::clone(array)).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap()
}

fn catalog() -> Catalog {
    let mut catalog = Catalog::default();
    let mut insert = |oid, name: &str, kind| {
        catalog.insert(oid, TypeEntry { name: name.to_owned(), kind });
    };
    insert(oid::INT4_ARRAY, "integer[]", TypeKind::Array(oid::INT4));
    insert(oid::TEXT_ARRAY, "text[]", TypeKind::Array(oid::TEXT));
    insert(oid::INT4RANGE, "int4range", TypeKind::Range(oid::INT4));
    insert(oid::INT4MULTIRANGE, "int4multirange", TypeKind::Multirange(oid::INT4RANGE));
    insert(20_000, "small", TypeKind::Domain { base: oid::INT2, modifier: -1 });
    let fields = [("id", 20_000), ("name", oid::TEXT)].map(|(name, oid)| CompositeField {
        name: name.to_owned(),
        oid,
        modifier: -1,
    });
    insert(20_001, "item", TypeKind::Composite(fields.to_vec()));
    insert(20_002, "hstore", TypeKind::Base("hstore".to_owned()));
    catalog
}

fn encoder(
    data: &RecordBatch,
    types: &[Oid],
    only: Option<Format>,
) -> Result<Encoder, LayoutError> {
    let targets: Vec<_> = data
        .schema()
        .fields()
        .iter()
        .zip(types)
        .map(|(field, oid)| Target { name: field.name().clone(), oid: *oid })
        .collect();
    Encoder::new(&data.schema(), &targets, &catalog(), only)
}

/// The fields of one column, in binary.
fn fields(array: ArrayRef, oid: Oid) -> Result<Vec<Option<Vec<u8>>>, String> {
    let data = batch(&[("c", array)]);
    let mut encoder = encoder(&data, &[oid], Some(Format::Binary)).map_err(|fault| fault.0)?;
    let mut out = Vec::new();
    encoder.encode(&data, &mut out).map_err(|fault| fault.to_string())?;
    encoder.finish(&mut out);
    let mut rest = &out[copy::header(&out).unwrap().unwrap()..];
    let mut found = Vec::new();
    while let copy::Tuple::Fields(fields, after) = copy::tuple(rest).unwrap() {
        assert_eq!(fields.len(), 1);
        found.push(fields[0].map(<[u8]>::to_vec));
        rest = after;
    }
    assert_eq!(rest, copy::TRAILER);
    assert_eq!(found.len(), data.num_rows());
    Ok(found)
}

/// The lines of one column, in the text format.
fn lines(array: ArrayRef, oid: Oid) -> String {
    let data = batch(&[("c", array)]);
    let mut encoder = encoder(&data, &[oid], Some(Format::Text)).unwrap();
    let mut out = Vec::new();
    encoder.encode(&data, &mut out).unwrap();
    encoder.finish(&mut out);
    String::from_utf8(out).unwrap()
}

fn int4s(fields: &[Option<Vec<u8>>]) -> Vec<Option<i32>> {
    let int4 = |bytes: &Vec<u8>| i32::from_be_bytes(bytes.as_slice().try_into().unwrap());
    fields.iter().map(|field| field.as_ref().map(int4)).collect()
}

#[test]
fn slices_keep_their_values_and_nulls() {
    let values: Vec<_> = (0..100).map(|n| (n % 3 != 0).then_some(n)).collect();
    let array = Int32Array::from(values.clone());
    for (start, length) in [(0, 100), (1, 7), (7, 64), (63, 37), (99, 1), (50, 0)] {
        let part: ArrayRef = Arc::new(array.slice(start, length));
        assert_eq!(int4s(&fields(part, oid::INT4).unwrap()), values[start..start + length]);
        let wide = Int64Array::from(values.iter().map(|n| n.map(i64::from)).collect::<Vec<_>>());
        let part: ArrayRef = Arc::new(wide.slice(start, length));
        assert_eq!(int4s(&fields(part, oid::INT4).unwrap()), values[start..start + length]);
    }
}

#[test]
fn slices_of_slices_and_of_what_is_nested() {
    let lists = ListArray::from_iter_primitive::<Int32Type, _, _>((0..20).map(|n| {
        (n % 4 != 0).then(move || (0..n % 5).map(move |k| (k != 2).then_some(n * 10 + k)))
    }));
    let all = fields(Arc::new(lists.clone()), oid::INT4_ARRAY).unwrap();
    let names =
        StringArray::from((0..20).map(|n| (n % 7 != 1).then(|| n.to_string())).collect::<Vec<_>>());
    let ids = Int32Array::from_iter_values(0..20);
    let members: Fields =
        vec![Field::new("name", DataType::Utf8, true), Field::new("id", DataType::Int32, true)]
            .into();
    let items = StructArray::new(
        members,
        vec![Arc::new(names), Arc::new(ids)],
        Some((0..20).map(|n| n % 5 != 3).collect::<Vec<_>>().into()),
    );
    let every = fields(Arc::new(items.clone()), 20_001).unwrap();
    assert_eq!(every[3], None);
    assert_eq!(every[0].as_ref().unwrap()[..4], 2_i32.to_be_bytes());
    // The domain's own OID, which the server compares with what its type has.
    assert_eq!(every[0].as_ref().unwrap()[4..8], 20_000_i32.to_be_bytes());
    for (start, length, again, less) in [(3, 15, 2, 9), (1, 19, 0, 19), (8, 8, 7, 1)] {
        let part = Arc::new(lists.slice(start, length).slice(again, less));
        let wanted = &all[start + again..start + again + less];
        assert_eq!(fields(part, oid::INT4_ARRAY).unwrap(), wanted);
        let part = Arc::new(items.slice(start, length).slice(again, less));
        assert_eq!(fields(part, 20_001).unwrap(), every[start + again..start + again + less]);
    }
}

#[test]
fn layouts_of_lists_are_all_the_same() {
    let rows = [Some(vec![Some(1), None, Some(3)]), None, Some(vec![Some(4), Some(5), Some(6)])];
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>(rows.clone());
    let wanted = fields(Arc::new(list), oid::INT4_ARRAY).unwrap();
    macro_rules! check {
        ($builder:expr) => {
            let mut builder = $builder;
            for row in &rows {
                let values = row.clone().unwrap_or_else(|| vec![None; 3]);
                values.iter().for_each(|value| builder.values().append_option(*value));
                builder.append(row.is_some());
            }
            let array = builder.finish();
            assert_eq!(fields(Arc::new(array.clone()), oid::INT4_ARRAY).unwrap(), wanted);
            let part = fields(Arc::new(array.slice(1, 2)), oid::INT4_ARRAY).unwrap();
            assert_eq!(part, wanted[1..]);
        };
    }
    check!(ListBuilder::new(Int32Builder::new()));
    check!(arrow_array::builder::LargeListBuilder::new(Int32Builder::new()));
    check!(FixedSizeListBuilder::new(Int32Builder::new(), 3));
    check!(ListViewBuilder::new(Int32Builder::new()));
    check!(LargeListViewBuilder::new(Int32Builder::new()));
}

#[test]
fn dictionaries_and_runs_are_their_values() {
    let keys = arrow_array::Int8Array::from(vec![Some(1), None, Some(0), Some(2), Some(1)]);
    let values = Arc::new(StringArray::from(vec![Some("a"), Some("b"), None]));
    let dictionary = DictionaryArray::<Int8Type>::try_new(keys, values).unwrap();
    let text = |text: &str| Some(text.as_bytes().to_vec());
    let wanted = [text("b"), None, text("a"), None, text("b")];
    assert_eq!(fields(Arc::new(dictionary.clone()), oid::TEXT).unwrap(), wanted);
    assert_eq!(fields(Arc::new(dictionary.slice(2, 3)), oid::TEXT).unwrap(), wanted[2..]);
    let ends = Int32Array::from(vec![2, 3, 7]);
    let runs =
        RunArray::<Int32Type>::try_new(&ends, &Int32Array::from(vec![Some(5), None, Some(9)]));
    let runs = runs.unwrap();
    let wanted = [Some(5), Some(5), None, Some(9), Some(9), Some(9), Some(9)];
    assert_eq!(int4s(&fields(Arc::new(runs.clone()), oid::INT4).unwrap()), wanted);
    assert_eq!(int4s(&fields(Arc::new(runs.slice(1, 4)), oid::INT4).unwrap()), wanted[1..5]);
}

#[test]
fn what_does_not_fit_names_its_place() {
    let array = Arc::new(Int64Array::from(vec![1, i64::from(i32::MAX) + 1]));
    let fault = fields(array, oid::INT4).unwrap_err();
    assert_eq!(
        fault,
        "row 2, column \"c\": a value of the Arrow type Int64: 2147483648 is out of range for integer"
    );
    for (array, oid) in [
        (Arc::new(UInt64Array::from(vec![u64::MAX])) as ArrayRef, oid::INT8),
        (Arc::new(Int32Array::from(vec![-1])), oid::OID),
        (Arc::new(Int32Array::from(vec![40_000])), 20_000),
        (Arc::new(Float64Array::from(vec![1.5])), oid::INT4),
        (Arc::new(Float64Array::from(vec![f64::NAN])), oid::INT8),
        (Arc::new(Float64Array::from(vec![1e300])), oid::FLOAT4),
        (Arc::new(Float64Array::from(vec![1e-300])), oid::FLOAT4),
        (Arc::new(TimestampNanosecondArray::from(vec![1])), oid::TIMESTAMP),
        (Arc::new(TimestampNanosecondArray::from(vec![1_000])), oid::DATE),
        (Arc::new(Date64Array::from(vec![1])), oid::DATE),
        (Arc::new(arrow_array::Date32Array::from(vec![i32::MAX])), oid::DATE),
        (Arc::new(arrow_array::Date32Array::from(vec![i32::MIN])), oid::TIMESTAMP),
        (Arc::new(arrow_array::TimestampSecondArray::from(vec![i64::MAX])), oid::TIMESTAMP),
        (Arc::new(arrow_array::TimestampMicrosecondArray::from(vec![i64::MIN])), oid::TIMESTAMP),
        (Arc::new(arrow_array::Time64NanosecondArray::from(vec![1])), oid::TIME),
        (Arc::new(arrow_array::Time32SecondArray::from(vec![86_401])), oid::TIME),
        (Arc::new(arrow_array::Time32SecondArray::from(vec![-1])), oid::TIME),
        (Arc::new(StringArray::from(vec!["0"])), oid::UUID),
        (Arc::new(arrow_array::BinaryArray::from(vec![&b"0"[..]])), oid::UUID),
    ] {
        let name = array.data_type().to_string();
        let fault = fields(array, oid).expect_err(&name);
        assert!(fault.starts_with("row 1, column \"c\": "), "{fault}");
    }
}

/// In the year 294247, which is before the server's last, 294276.
#[test]
fn the_last_timestamp_of_arrow_fits() {
    let last = Arc::new(arrow_array::TimestampMicrosecondArray::from(vec![i64::MAX]));
    let written = (i64::MAX - 946_684_800_000_000).to_be_bytes();
    assert_eq!(fields(last, oid::TIMESTAMP), Ok(vec![Some(written.to_vec())]));
}

#[test]
fn a_row_that_fails_is_not_begun() {
    let data = batch(&[
        ("a", Arc::new(Int32Array::from(vec![1, 2, 3]))),
        ("b", Arc::new(Int64Array::from(vec![1, 2, i64::MAX]))),
    ]);
    let mut good = Vec::new();
    let types = [oid::INT4, oid::INT4];
    encoder(&data, &types, None).unwrap().encode(&data.slice(0, 2), &mut good).unwrap();
    let mut out = Vec::new();
    let mut all = encoder(&data, &types, None).unwrap();
    let fault = all.encode(&data, &mut out).unwrap_err();
    assert_eq!((fault.row, fault.column.as_str(), all.rows()), (3, "b", 2));
    assert_eq!(out, good);
}

#[test]
fn parts_of_a_batch_make_the_whole() {
    let data = batch(&[
        ("a", Arc::new(Int32Array::from_iter_values(0..1000))),
        ("b", Arc::new(StringArray::from_iter_values((0..1000).map(|n| "x".repeat(n % 50))))),
    ]);
    let types = [oid::INT4, oid::TEXT];
    for format in [Format::Binary, Format::Text] {
        let mut whole = Vec::new();
        let mut encoder = encoder(&data, &types, Some(format)).unwrap();
        encoder.encode(&data, &mut whole).unwrap();
        encoder.finish(&mut whole);
        let mut again = super::tests::encoder(&data, &types, Some(format)).unwrap();
        let (mut parts, mut at) = (Vec::new(), 0);
        while at < data.num_rows() {
            let mut part = Vec::new();
            at += again.encode_some(&data, at, 500, &mut part).unwrap();
            assert!(part.len() < 600);
            parts.extend(part);
        }
        again.finish(&mut parts);
        assert!(parts == whole);
        assert_eq!((again.rows(), encoder.rows()), (1000, 1000));
    }
}

#[test]
fn empty_batches_and_no_batches() {
    let empty = Arc::new(Int32Array::from(Vec::<i32>::new()));
    assert_eq!(fields(empty, oid::INT4).unwrap(), []);
    let nulls = Arc::new(NullArray::new(3));
    for oid in [oid::INT4, oid::TEXT, oid::INT4_ARRAY, 20_001, 20_002, oid::INET] {
        assert_eq!(fields(nulls.clone(), oid).unwrap(), [None, None, None]);
    }
    let data = batch(&[("c", nulls)]);
    let mut out = Vec::new();
    encoder(&data, &[oid::INT4], None).unwrap().finish(&mut out);
    assert_eq!(out, [copy::HEADER, &copy::TRAILER].concat());
}

#[test]
fn arrays_have_the_shape_of_their_lists() {
    let nested = |rows: &[&[&[i32]]]| {
        let mut builder = ListBuilder::new(ListBuilder::new(Int32Builder::new()));
        for row in rows {
            for list in *row {
                builder.values().append_value(list.iter().map(|value| Some(*value)));
            }
            builder.append(true);
        }
        Arc::new(builder.finish()) as ArrayRef
    };
    let words = |bytes: &[u8]| -> Vec<i32> {
        bytes.chunks(4).map(|word| i32::from_be_bytes(word.try_into().unwrap())).collect()
    };
    let found = fields(nested(&[&[&[1, 2, 3], &[4, 5, 6]], &[], &[&[]]]), oid::INT4_ARRAY).unwrap();
    assert_eq!(
        words(found[0].as_ref().unwrap()),
        [2, 0, 23, 2, 1, 3, 1, 4, 1, 4, 2, 4, 3, 4, 4, 4, 5, 4, 6]
    );
    assert_eq!(words(found[1].as_ref().unwrap()), [0, 0, 23]);
    assert_eq!(words(found[2].as_ref().unwrap()), [0, 0, 23]);
    assert!(fields(nested(&[&[&[1], &[2, 3]]]), oid::INT4_ARRAY).is_err());
    assert_eq!(lines(nested(&[&[&[1], &[2]], &[]]), oid::INT4_ARRAY), "{{\"1\"},{\"2\"}}\n{}\n");
}

/// Its bounds, whether they are inclusive, and whether it is empty.
type Bounds = (Option<i32>, Option<i32>, bool, bool, bool);

fn ranges(bounds: &[Bounds]) -> StructArray {
    let flags = |pick: fn(&Bounds) -> bool| {
        Arc::new(BooleanArray::from(bounds.iter().map(pick).collect::<Vec<_>>())) as ArrayRef
    };
    let bound = |pick: fn(&Bounds) -> Option<i32>| {
        Arc::new(Int32Array::from(bounds.iter().map(pick).collect::<Vec<_>>())) as ArrayRef
    };
    let columns = [
        ("lower", bound(|row| row.0)),
        ("upper", bound(|row| row.1)),
        ("lower_inc", flags(|row| row.2)),
        ("upper_inc", flags(|row| row.3)),
        ("empty", flags(|row| row.4)),
    ];
    let fields: Fields = columns
        .iter()
        .map(|(name, array)| Field::new(*name, array.data_type().clone(), true))
        .collect();
    StructArray::new(fields, columns.into_iter().map(|(_, array)| array).collect(), None)
}

#[test]
fn ranges_have_their_bounds() {
    let structs = Arc::new(ranges(&[
        (Some(1), Some(5), true, false, false),
        (None, Some(5), true, true, false),
        (None, None, false, false, false),
        (None, None, false, false, true),
    ]));
    let found = fields(structs.clone(), oid::INT4RANGE).unwrap();
    assert_eq!(found[0].as_deref(), Some(&b"\x02\0\0\0\x04\0\0\0\x01\0\0\0\x04\0\0\0\x05"[..]));
    assert_eq!(found[1].as_deref(), Some(&b"\x0c\0\0\0\x04\0\0\0\x05"[..]));
    assert_eq!(found[2].as_deref(), Some(&b"\x18"[..]));
    assert_eq!(found[3].as_deref(), Some(&b"\x01"[..]));
    assert_eq!(lines(structs, oid::INT4RANGE), "[\"1\",\"5\")\n(,\"5\"]\n(,)\nempty\n");
}

#[test]
fn texts_are_quoted_at_each_level() {
    let hostile = "a\tb\\c\"d\ne{,}";
    let mut builder = ListBuilder::new(StringBuilder::new());
    builder.append_value([Some(hostile), None, Some("")]);
    assert_eq!(
        lines(Arc::new(builder.finish()), oid::TEXT_ARRAY),
        "{\"a\\tb\\\\\\\\c\\\\\"d\\ne{,}\",NULL,\"\"}\n"
    );
    assert_eq!(
        lines(Arc::new(StringArray::from(vec![Some(hostile), None, Some("\\N")])), oid::TEXT),
        "a\\tb\\\\c\"d\\ne{,}\n\\N\n\\\\N\n"
    );
}

#[test]
fn the_format_is_chosen_by_the_columns() {
    let text = Arc::new(StringArray::from(vec!["1"])) as ArrayRef;
    let number = Arc::new(Int32Array::from(vec![1])) as ArrayRef;
    let both = batch(&[("a", text.clone()), ("b", number)]);
    let format = |types: &[Oid]| encoder(&both, types, None).map(|found| found.format());
    assert_eq!(format(&[oid::TEXT, oid::INT4]), Ok(Format::Binary));
    assert_eq!(format(&[oid::JSONB, oid::FLOAT8]), Ok(Format::Binary));
    assert_eq!(format(&[oid::INET, oid::INT4]), Ok(Format::Text));
    assert_eq!(format(&[oid::INT4, oid::INT4]), Ok(Format::Text));
    assert_eq!(format(&[oid::TEXT, oid::MONEY]), Ok(Format::Text));
    for never in [oid::DATE, oid::BOOL, oid::UUID, oid::JSONB, oid::INT4_ARRAY, 20_001] {
        let fault = format(&[oid::TEXT, never]).unwrap_err();
        assert!(fault.0.starts_with("column \"b\": "), "{fault}");
    }
    assert!(encoder(&both, &[oid::INET, oid::INT4], Some(Format::Binary)).is_err());
    // A field that the composite type does not have.
    let fields: Fields = vec![Field::new("other", DataType::Utf8, true)].into();
    let items = Arc::new(StructArray::new(fields, vec![text], None)) as ArrayRef;
    assert!(encoder(&batch(&[("c", items)]), &[20_001], None).is_err());
}

#[test]
fn uuids_of_any_spelling() {
    let wanted = Some((0..16).map(|n| n * 0x11).collect::<Vec<u8>>());
    let spellings = vec![
        "00112233-4455-6677-8899-aabbccddeeff",
        "00112233445566778899AABBCCDDEEFF",
        "{0011-2233-4455-6677-8899-aabb-ccdd-eeff}",
    ];
    let found = fields(Arc::new(StringArray::from(spellings)), oid::UUID).unwrap();
    assert!(found.iter().all(|field| *field == wanted), "{found:?}");
    let bytes = FixedSizeBinaryArray::try_from_iter([wanted.clone().unwrap()].into_iter()).unwrap();
    assert_eq!(fields(Arc::new(bytes), oid::UUID).unwrap(), [wanted]);
    for bad in [
        "",
        "{}",
        "0",
        "00112233-4455-6677-8899-aabbccddeeff0",
        "é",
        "-",
        "{00112233445566778899aabbccddeeff",
    ] {
        assert!(fields(Arc::new(StringArray::from(vec![bad])), oid::UUID).is_err(), "{bad}");
    }
}

#[test]
fn types_of_columns_that_are_made() {
    let made = |data_type: DataType| column_type(&Field::new("c", data_type, true));
    let list = |item| DataType::List(Arc::new(Field::new("item", item, true)));
    for (data_type, expected) in [
        (DataType::Int8, "smallint"),
        (DataType::UInt32, "bigint"),
        (DataType::UInt64, "numeric(20, 0)"),
        (DataType::Decimal128(38, 10), "numeric(38, 10)"),
        (DataType::Decimal128(5, -2), "numeric(7, 0)"),
        (DataType::Decimal128(2, 5), "numeric(5, 5)"),
        (list(DataType::Int32), "integer[]"),
        (list(list(DataType::Utf8)), "text[]"),
        (DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Date32)), "date"),
        (ranges(&[]).data_type().clone(), "int4range"),
    ] {
        assert_eq!(made(data_type).as_deref(), Ok(expected));
    }
    let item: Fields = vec![Field::new("x", DataType::Utf8, true)].into();
    assert!(made(DataType::Struct(item)).is_err());
    let metadata = |key: &str, value: &str| {
        std::collections::HashMap::from([(key.to_owned(), value.to_owned())])
    };
    let text = Field::new("c", DataType::Utf8, true);
    for (name, expected) in [("jsonb", "jsonb"), ("inet", "inet"), ("x; drop table y", "text")] {
        let field = text.clone().with_metadata(metadata("POSTGRESQL:type", name));
        assert_eq!(column_type(&field).as_deref(), Ok(expected));
    }
    for (modifier, expected) in
        [("3", "bit(3)"), ("-1", "varbit"), ("0", "varbit"), ("1); x", "varbit")]
    {
        let mut both = metadata("POSTGRESQL:type", "bit");
        both.extend(metadata("POSTGRESQL:typmod", modifier));
        let field = text.clone().with_metadata(both);
        assert_eq!(column_type(&field).as_deref(), Ok(expected));
    }
}
