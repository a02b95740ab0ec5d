//! Arrays, ranges, composite values and the types of extensions, in both formats.

mod common;

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float16Type, Float32Type, Int32Type};
use arrow_array::*;
use arrow_schema::{DataType, Field};
use common::{column, decode, decode_all, layout, of_binary, of_text, typed};
use psycoxide_arrow::{Catalog, CompositeField, EnumAs, Options, TypeEntry, TypeKind};
use psycoxide_sql::oid::{self, Oid};

const TYPE: Oid = 50_000;

/// 32-bit words, and bytes as they are.
fn words(words: &[i32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

fn with_type(kind: TypeKind) -> Catalog {
    let mut catalog = Catalog::default();
    catalog.insert(TYPE, TypeEntry { name: "t".into(), kind });
    catalog
}

fn of_type(
    kind: TypeKind,
    modifier: i32,
    options: &Options,
    binary: bool,
    values: &[Option<&[u8]>],
) -> Result<ArrayRef, String> {
    let layout = layout(column(TYPE, modifier, binary), &with_type(kind), options)
        .map_err(|error| error.to_string())?;
    let batch = decode_all(&layout, values).map_err(|error| error.to_string())?;
    Ok(Arc::clone(batch.column(0)))
}

fn int_lists(array: &dyn Array) -> Vec<Option<Vec<Option<i32>>>> {
    let list = array.as_list::<i32>();
    list.iter().map(|item| Some(item?.as_primitive::<Int32Type>().iter().collect())).collect()
}

#[test]
fn arrays_are_lists_without_bounds() {
    let plain = &Options::default();
    let text =
        of_text(oid::INT4_ARRAY, plain, &[Some("{1,NULL}"), None, Some("{}"), Some("[5:5]={7}")]);
    let two = words(&[1, 1, 23, 2, 1, 4, 1, -1]);
    let shifted = words(&[1, 0, 23, 1, 5, 4, 7]);
    let empty = words(&[0, 0, 23]);
    let binary =
        of_binary(oid::INT4_ARRAY, plain, &[Some(&two), None, Some(&empty), Some(&shifted)]);
    assert_eq!(text, binary);
    let array = text.unwrap();
    assert_eq!(
        int_lists(&array),
        [Some(vec![Some(1), None]), None, Some(vec![]), Some(vec![Some(7)])]
    );
    assert!(!array.as_list::<i32>().values().is_empty());
}

#[test]
fn arrays_of_texts_are_unescaped() {
    let array = of_text(
        oid::TEXT_ARRAY,
        &Options::default(),
        &[Some(r#"{"a\"b",NULL,"NULL",é}"#), Some(r#"{"\\",""}"#)],
    );
    let array = array.unwrap();
    let texts: Vec<_> = array.as_list::<i32>().values().as_string::<i32>().iter().collect();
    assert_eq!(texts, [Some("a\"b"), None, Some("NULL"), Some("é"), Some("\\"), Some("")]);
    let boxes = of_text(oid::BOX_ARRAY, &Options::default(), &[Some("{(1,1),(0,0);(2,2),(1,1)}")]);
    let boxes = boxes.unwrap();
    let texts: Vec<_> = boxes.as_list::<i32>().values().as_string::<i32>().iter().collect();
    assert_eq!(texts, [Some("(1,1),(0,0)"), Some("(2,2),(1,1)")]);
    // Not UTF-8: the row is that of the array.
    let bad: &[Option<&[u8]>] = &[Some(b"{a,b,c}"), Some(b"{}"), Some(b"{d,\xff}")];
    let error = decode(column(oid::TEXT_ARRAY, -1, false), &Options::default(), bad).unwrap_err();
    assert!(error.starts_with("row 3,"), "{error}");
}

#[test]
fn dimensions_are_chosen() {
    let plain = &Options::default();
    let bytes = words(&[2, 0, 23, 2, 1, 3, 1, 4, 1, 4, 2, 4, 3, 4, 4, 4, 5, 4, 6]);
    for error in [
        of_text(oid::INT4_ARRAY, plain, &[Some("{{1,2,3},{4,5,6}}")]),
        of_binary(oid::INT4_ARRAY, plain, &[Some(&bytes)]),
    ] {
        let error = error.unwrap_err();
        assert!(error.contains("dimensions"), "{error}");
    }
    let options = Options { dimensions: [("c".into(), 2)].into(), ..Options::default() };
    let text = of_text(oid::INT4_ARRAY, &options, &[Some("{{1,2,3},{4,5,6}}"), None, Some("{}")]);
    let empty = words(&[0, 0, 23]);
    let binary = of_binary(oid::INT4_ARRAY, &options, &[Some(&bytes), None, Some(&empty)]);
    assert_eq!(text, binary);
    let array = text.unwrap();
    let outer = array.as_list::<i32>();
    assert_eq!(outer.value_offsets(), [0, 2, 2, 2]);
    assert_eq!(outer.null_count(), 1);
    assert_eq!(
        int_lists(outer.values()),
        [Some(vec![Some(1), Some(2), Some(3)]), Some(vec![Some(4), Some(5), Some(6)])]
    );
    let one = words(&[1, 0, 23, 1, 1, 4, 1]);
    for error in [
        of_text(oid::INT4_ARRAY, &options, &[Some("{1}")]),
        of_binary(oid::INT4_ARRAY, &options, &[Some(&one)]),
    ] {
        assert!(error.unwrap_err().contains("dimensions"));
    }
}

#[test]
fn vectors_of_the_catalogue_are_lists() {
    let array = of_text(22, &Options::default(), &[Some("1 2 3"), Some("")]).unwrap();
    assert_eq!(array.as_list::<i32>().value_offsets(), [0, 3, 3]);
    let bytes = words(&[1, 0, 26, 1, 0, 4, -1]);
    let array = of_binary(30, &Options::default(), &[Some(&bytes)]).unwrap();
    assert_eq!(array.as_list::<i32>().value(0).data_type(), &DataType::UInt32);
}

#[test]
fn ranges_are_structs() {
    let plain = &Options::default();
    let closed = b"\x02\0\0\0\x04\0\0\0\x01\0\0\0\x04\0\0\0\x05".to_vec();
    let binary: [Option<&[u8]>; 4] = [Some(&closed), Some(b"\x18"), Some(b"\x01"), None];
    let texts = [Some("[1,5)"), Some("(,)"), Some("empty"), None];
    let text = of_text(oid::INT4RANGE, plain, &texts).unwrap();
    assert_eq!(of_binary(oid::INT4RANGE, plain, &binary).as_ref(), Ok(&text));
    let range = text.as_struct();
    assert_eq!(range.column_names(), ["lower", "upper", "lower_inc", "upper_inc", "empty"]);
    let lower: Vec<_> = range.column(0).as_primitive::<Int32Type>().iter().collect();
    assert_eq!(lower, [Some(1), None, None, None]);
    let flag = |at| range.column(at).as_boolean().iter().map(Option::unwrap).collect::<Vec<_>>();
    assert_eq!(flag(2), [true, false, false, false]);
    assert_eq!(flag(4), [false, false, true, false]);
    assert!(range.is_null(3) && !range.is_null(2));
    let multi = [&words(&[2, 17])[..], &closed, &words(&[1]), b"\x18"].concat();
    let binary = of_binary(oid::INT4MULTIRANGE, plain, &[Some(&multi), Some(&[0; 4]), None]);
    let text = of_text(oid::INT4MULTIRANGE, plain, &[Some("{[1,5),(,)}"), Some("{}"), None]);
    assert_eq!(binary, text);
    assert_eq!(text.unwrap().as_list::<i32>().value_offsets(), [0, 2, 2, 2]);
}

#[test]
fn composites_are_structs() {
    let fields = vec![
        CompositeField { name: "a".into(), oid: oid::INT4, modifier: -1 },
        CompositeField { name: "b".into(), oid: oid::TEXT, modifier: -1 },
    ];
    let kind = || TypeKind::Composite(fields.clone());
    let plain = &Options::default();
    let bytes = [&words(&[2, 23, 4, 1, 25, 3])[..], b"x\"y"].concat();
    let text = of_type(kind(), -1, plain, false, &[Some(br#"(1,"x""y")"#), None]).unwrap();
    assert_eq!(of_type(kind(), -1, plain, true, &[Some(&bytes), None]).as_ref(), Ok(&text));
    assert_eq!(text.as_struct().column_names(), ["a", "b"]);
    assert!(text.is_null(1));
    // A field was added, or has another type.
    for bytes in
        [words(&[3, 23, -1, 25, -1, 23, -1]), words(&[2, 20, -1, 25, -1]), words(&[1, 23, -1])]
    {
        let error = of_type(kind(), -1, plain, true, &[Some(&bytes)]).unwrap_err();
        assert!(error.contains("changed"), "{error}");
    }
    assert!(of_type(kind(), -1, plain, false, &[Some(b"(1)")]).unwrap_err().contains("changed"));
    let none = || TypeKind::Composite(Vec::new());
    let text = of_type(none(), -1, plain, false, &[Some(b"()"), None]).unwrap();
    assert_eq!(of_type(none(), -1, plain, true, &[Some(&[0; 4]), None]).as_ref(), Ok(&text));
    assert_eq!((text.len(), text.null_count()), (2, 1));
}

#[test]
fn domains_enums_and_types_that_are_gone() {
    let plain = &Options::default();
    let domain = TypeKind::Domain { base: oid::NUMERIC, modifier: common::numeric(5, 1) };
    let array = of_type(domain, -1, plain, false, &[Some(b"1.5")]).unwrap();
    assert_eq!(array.data_type(), &DataType::Decimal128(5, 1));
    let labels = || TypeKind::Enum(["sad", "ok", "happy"].map(String::from).into());
    let array = of_type(labels(), -1, plain, true, &[Some(b"ok"), None]).unwrap();
    assert_eq!(&*array, &StringArray::from(vec![Some("ok"), None]) as &dyn Array);
    let dictionary = Options { enums: EnumAs::Dictionary, ..Options::default() };
    let array =
        of_type(labels(), -1, &dictionary, true, &[Some(b"ok"), None, Some(b"sad")]).unwrap();
    let array = array.as_dictionary::<types::Int16Type>();
    let texts: Vec<_> = array.values().as_string::<i32>().iter().flatten().collect();
    assert_eq!(texts, ["sad", "ok", "happy"]);
    assert_eq!(array.keys().iter().collect::<Vec<_>>(), [Some(1), None, Some(0)]);
    let array = of_type(TypeKind::Gone, -1, plain, false, &[Some(b"x")]).unwrap();
    assert_eq!(array.data_type(), &DataType::Utf8);
    // A catalogue that contradicts itself.
    let array = of_type(TypeKind::Array(TYPE), -1, plain, false, &[None]).unwrap();
    assert_eq!(array.len(), 1);
}

#[test]
fn hstore_is_a_map() {
    let kind = || TypeKind::Base("hstore".into());
    let plain = &Options::default();
    let bytes =
        [&words(&[2, 1])[..], b"a", &words(&[1]), b"1", &words(&[1]), b"b", &words(&[-1])].concat();
    let text =
        of_type(kind(), -1, plain, false, &[Some(br#""a"=>"1", "b"=>NULL"#), None, Some(b"")]);
    let text = text.unwrap();
    let binary = of_type(kind(), -1, plain, true, &[Some(&bytes), None, Some(&[0; 4])]);
    assert_eq!(binary.as_ref(), Ok(&text));
    let map = text.as_map();
    assert_eq!(map.value_offsets(), [0, 2, 2, 2]);
    assert_eq!(map.keys().as_string::<i32>().iter().flatten().collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn vectors_have_their_length() {
    let plain = &Options::default();
    for (name, bytes) in [
        ("vector", words(&[2 << 16, 0x3f80_0000, 0x4020_0000])),
        ("halfvec", words(&[2 << 16, 0x3c00_4100])),
    ] {
        let kind = || TypeKind::Base(name.into());
        for modifier in [-1, 2] {
            let text = of_type(kind(), modifier, plain, false, &[Some(b"[1,2.5]"), None]).unwrap();
            let binary = of_type(kind(), modifier, plain, true, &[Some(&bytes), None]);
            assert_eq!(binary.as_ref(), Ok(&text));
            let fixed = matches!(text.data_type(), DataType::FixedSizeList(_, 2));
            assert_eq!(fixed, modifier == 2);
            let item = if fixed {
                text.as_fixed_size_list().value(0)
            } else {
                text.as_list::<i32>().value(0)
            };
            if name == "vector" {
                assert_eq!(item.as_primitive::<Float32Type>().values(), &[1.0, 2.5]);
            } else {
                let numbers = item.as_primitive::<Float16Type>().values();
                assert_eq!(numbers.iter().map(|n| n.to_f32()).collect::<Vec<_>>(), [1.0, 2.5]);
            }
        }
        let error = of_type(kind(), 3, plain, true, &[Some(&bytes)]).unwrap_err();
        assert!(error.contains("2 numbers"), "{error}");
    }
    let geometry = TypeKind::Base("geometry".into());
    let array = of_type(geometry, -1, plain, false, &[Some(b"01FF")]).unwrap();
    assert_eq!(&*array, &BinaryArray::from(vec![&b"\x01\xff"[..]]) as &dyn Array);
}

#[test]
fn items_can_have_another_type() {
    let item = |data_type| Arc::new(Field::new("item", data_type, true));
    let large = typed(DataType::LargeList(item(DataType::Int64)));
    let array = of_text(oid::INT4_ARRAY, &large, &[Some("{1,2}")]).unwrap();
    assert_eq!(array.data_type(), &DataType::LargeList(item(DataType::Int64)));
    for wrong in [DataType::Int32, DataType::List(item(DataType::Date32))] {
        let error = of_text(oid::INT4_ARRAY, &typed(wrong), &[]).unwrap_err();
        assert!(error.contains("possible are"), "{error}");
    }
    let text = typed(DataType::Utf8);
    let array = of_text(oid::INT4_ARRAY, &text, &[Some("{{1},{2}}")]).unwrap();
    assert_eq!(&*array, &StringArray::from(vec!["{{1},{2}}"]) as &dyn Array);
}
