//! Single values of every kind, in both formats.

mod common;

use std::sync::Arc;

use arrow_array::*;
use arrow_buffer::IntervalMonthDayNano;
use arrow_schema::{DataType, TimeUnit};
use common::{column, decode, numeric, of_binary, of_text, typed};
use psycoxide_arrow::{Infinity, IntervalAs, Numeric, NumericNan, Options, StringAs, UuidAs};
use psycoxide_sql::oid;

fn both(
    oid: oid::Oid,
    options: &Options,
    texts: &[Option<&str>],
    binaries: &[Option<&[u8]>],
    expected: &dyn Array,
) {
    let text = of_text(oid, options, texts).unwrap();
    assert_eq!(&*text, expected, "{oid} in text");
    assert_eq!(text.null_count(), expected.null_count());
    let binary = of_binary(oid, options, binaries).unwrap();
    assert_eq!(&*binary, expected, "{oid} in binary");
    assert_eq!(binary.data_type(), expected.data_type());
    assert_eq!(text.data_type(), expected.data_type());
}

#[test]
fn numbers_are_read() {
    let plain = &Options::default();
    both(
        oid::BOOL,
        plain,
        &[Some("t"), None, Some("f")],
        &[Some(&[1]), None, Some(&[0])],
        &BooleanArray::from(vec![Some(true), None, Some(false)]),
    );
    both(
        oid::INT2,
        plain,
        &[Some("-32768"), None, Some("32767")],
        &[Some(&[0x80, 0]), None, Some(&[0x7f, 0xff])],
        &Int16Array::from(vec![Some(i16::MIN), None, Some(i16::MAX)]),
    );
    both(
        oid::INT4,
        plain,
        &[Some("-2147483648"), None, Some("7")],
        &[Some(&i32::MIN.to_be_bytes()), None, Some(&[0, 0, 0, 7])],
        &Int32Array::from(vec![Some(i32::MIN), None, Some(7)]),
    );
    both(
        oid::INT8,
        plain,
        &[Some("-9223372036854775808"), Some("9223372036854775807")],
        &[Some(&i64::MIN.to_be_bytes()), Some(&i64::MAX.to_be_bytes())],
        &Int64Array::from(vec![i64::MIN, i64::MAX]),
    );
    for oid in [oid::OID, oid::XID, oid::CID] {
        both(
            oid,
            plain,
            &[Some("4294967295"), None],
            &[Some(&[255; 4]), None],
            &UInt32Array::from(vec![Some(u32::MAX), None]),
        );
    }
    for oid in [oid::XID8, oid::OID8] {
        both(
            oid,
            plain,
            &[Some("18446744073709551615"), Some("0")],
            &[Some(&[255; 8]), Some(&[0; 8])],
            &UInt64Array::from(vec![u64::MAX, 0]),
        );
    }
    both(
        oid::FLOAT4,
        plain,
        &[Some("0.1"), Some("-Infinity"), Some("1e-45")],
        &[
            Some(&0.1_f32.to_be_bytes()),
            Some(&f32::NEG_INFINITY.to_be_bytes()),
            Some(&1e-45_f32.to_be_bytes()),
        ],
        &Float32Array::from(vec![0.1, f32::NEG_INFINITY, 1e-45]),
    );
    both(
        oid::FLOAT8,
        plain,
        &[Some("0.1"), None, Some("1.7976931348623157e+308")],
        &[Some(&0.1_f64.to_be_bytes()), None, Some(&f64::MAX.to_be_bytes())],
        &Float64Array::from(vec![Some(0.1), None, Some(f64::MAX)]),
    );
}

/// A `numeric` in binary: weight, sign, decimals and groups.
fn groups(weight: i16, sign: u16, decimals: u16, groups: &[u16]) -> Vec<u8> {
    let count = u16::try_from(groups.len()).unwrap();
    let mut out = count.to_be_bytes().to_vec();
    out.extend(weight.to_be_bytes());
    out.extend(sign.to_be_bytes());
    out.extend(decimals.to_be_bytes());
    out.extend(groups.iter().flat_map(|group| group.to_be_bytes()));
    out
}

#[test]
fn numerics_are_exact_decimals() {
    let plain = Options::default();
    for (precision, scale, text, bytes, expected) in [
        (10, 2, "1.10", groups(0, 0, 2, &[1, 1000]), 110),
        (10, 2, "-0.05", groups(-1, 0x4000, 2, &[500]), -5),
        (10, 4, "0.0001", groups(-1, 0, 4, &[1]), 1),
        (10, 2, "0.00", groups(0, 0, 2, &[]), 0),
        (10, 0, "120000", groups(1, 0, 0, &[12]), 120_000),
        (12, 5, "12.00001", groups(0, 0, 5, &[12, 0, 1000]), 1_200_001),
        (38, 0, "1e", groups(9, 0, 0, &[10]), 10_i128.pow(37)),
        (
            38,
            0,
            "99999999999999999999999999999999999999",
            groups(9, 0, 0, &[99, 9999, 9999, 9999, 9999, 9999, 9999, 9999, 9999, 9999]),
            10_i128.pow(38) - 1,
        ),
        (
            38,
            38,
            "0.99999999999999999999999999999999999999",
            groups(-1, 0, 38, &[9999, 9999, 9999, 9999, 9999, 9999, 9999, 9999, 9999, 9900]),
            10_i128.pow(38) - 1,
        ),
        (2, -3, "99000", groups(1, 0, 0, &[9, 9000]), 99_000),
        (2, 4, "0.0012", groups(-1, 0, 4, &[12]), 12),
    ] {
        let text = if text == "1e" { format!("1{}", "0".repeat(37)) } else { text.to_owned() };
        for (binary, value) in [(true, bytes), (false, text.clone().into_bytes())] {
            let spec = column(oid::NUMERIC, numeric(precision, scale), binary);
            let array = decode(spec, &plain, &[Some(&value), None]).unwrap();
            let array = array.as_any().downcast_ref::<Decimal128Array>().unwrap();
            assert_eq!(array.value(0), expected, "{text} {binary}");
            assert!(array.is_null(1));
        }
    }
    let spec = column(oid::NUMERIC, numeric(76, 2), false);
    let text = format!("-{}.25", "9".repeat(74));
    let array = decode(spec, &plain, &[Some(text.as_bytes())]).unwrap();
    let array = array.as_any().downcast_ref::<Decimal256Array>().unwrap();
    assert_eq!(array.value_as_string(0), text);
}

#[test]
fn numerics_that_do_not_fit_are_errors() {
    let plain = Options::default();
    for (text, bytes, words) in [
        ("1.005", groups(0, 0, 3, &[1, 50]), "decimals"),
        ("100000000", groups(2, 0, 0, &[1]), "digits"),
        ("1000000000000000000000000000000000000000", groups(9, 0, 0, &[1000]), "digits"),
        ("NaN", groups(0, 0xc000, 0, &[]), "nan=\"null\""),
        ("Infinity", groups(0, 0xd000, 0, &[]), "numeric=\"string\""),
        ("-Infinity", groups(0, 0xf000, 0, &[]), "-Infinity"),
    ] {
        for (binary, value) in [(true, bytes), (false, text.as_bytes().to_vec())] {
            let spec = column(oid::NUMERIC, numeric(10, 2), binary);
            let error = decode(spec, &plain, &[None, Some(&value)]).unwrap_err();
            assert!(error.starts_with("row 2, column \"c\": ") && error.contains(words), "{error}");
        }
    }
    let nan = Options { numeric_nan: NumericNan::Null, ..Options::default() };
    let array =
        of_text(oid::NUMERIC, &nan, &[Some("NaN"), Some("1.5"), Some("-Infinity")]).unwrap();
    assert_eq!(array.null_count(), 2);
    assert_eq!(array.data_type(), &DataType::Decimal128(38, 18));
    let double = Options { numeric: Numeric::Float64, ..Options::default() };
    let array = of_text(oid::NUMERIC, &double, &[Some("0.1"), Some("-Infinity")]).unwrap();
    assert_eq!(&*array, &Float64Array::from(vec![0.1, f64::NEG_INFINITY]) as &dyn Array);
    let string = Options { numeric: Numeric::String, ..Options::default() };
    let value = groups(0, 0, 2, &[1, 1000]);
    let array = of_binary(oid::NUMERIC, &string, &[Some(&value)]).unwrap();
    assert_eq!(&*array, &StringArray::from(vec!["1.10"]) as &dyn Array);
    let of = Options { numeric: Numeric::DecimalOf(20, 1), ..Options::default() };
    let array = of_text(oid::NUMERIC, &of, &[Some("1.1")]).unwrap();
    assert_eq!(array.data_type(), &DataType::Decimal128(20, 1));
}

#[test]
fn dates_and_times_are_read() {
    let plain = &Options::default();
    both(
        oid::DATE,
        plain,
        &[Some("1970-01-02"), None, Some("0001-12-31 BC"), Some("5874897-12-31")],
        &[
            Some(&(-10_956_i32).to_be_bytes()),
            None,
            Some(&(-730_120_i32).to_be_bytes()),
            Some(&2_145_031_948_i32.to_be_bytes()),
        ],
        &Date32Array::from(vec![Some(1), None, Some(-719_163), Some(2_145_042_905)]),
    );
    both(
        oid::TIME,
        plain,
        &[Some("00:00:00.000001"), Some("23:59:59.999999")],
        &[Some(&1_i64.to_be_bytes()), Some(&86_399_999_999_i64.to_be_bytes())],
        &Time64MicrosecondArray::from(vec![1, 86_399_999_999]),
    );
    both(
        oid::TIMESTAMP,
        plain,
        &[Some("2000-01-01 00:00:00.5"), None, Some("1969-12-31 23:59:59.999999")],
        &[Some(&500_000_i64.to_be_bytes()), None, Some(&(-946_684_800_000_001_i64).to_be_bytes())],
        &TimestampMicrosecondArray::from(vec![Some(946_684_800_500_000), None, Some(-1)]),
    );
    both(
        oid::TIMESTAMPTZ,
        plain,
        &[Some("2000-01-01 05:30:00+05:30")],
        &[Some(&0_i64.to_be_bytes())],
        &TimestampMicrosecondArray::from(vec![946_684_800_000_000]).with_timezone("UTC"),
    );
    let interval = |micros: i64, days: i32, months: i32| {
        [&micros.to_be_bytes()[..], &days.to_be_bytes(), &months.to_be_bytes()].concat()
    };
    let bytes = interval(-1, 4, -27);
    for text in ["-2 years -3 mons +4 days -00:00:00.000001", "P-2Y-3M4DT-0.000001S"] {
        both(
            oid::INTERVAL,
            plain,
            &[Some(text), None],
            &[Some(&bytes), None],
            &IntervalMonthDayNanoArray::from(vec![
                Some(IntervalMonthDayNano::new(-27, 4, -1_000)),
                None,
            ]),
        );
    }
    let duration = &Options { interval: IntervalAs::Duration, ..Options::default() };
    both(
        oid::INTERVAL,
        duration,
        &[Some("1 day 00:00:01")],
        &[Some(&interval(1_000_000, 1, 0))],
        &DurationMicrosecondArray::from(vec![86_401_000_000]),
    );
    let error = of_text(oid::INTERVAL, duration, &[Some("1 mon")]).unwrap_err();
    assert!(error.contains("month_day_nano"), "{error}");
    let error = of_binary(oid::INTERVAL, plain, &[Some(&interval(i64::MAX, 0, 0))]).unwrap_err();
    assert!(error.contains("interval=\"duration\""), "{error}");
}

#[test]
fn infinity_and_midnight_are_errors_or_what_was_chosen() {
    let cases = [
        (oid::DATE, i32::MAX.to_be_bytes().to_vec(), i32::MIN.to_be_bytes().to_vec()),
        (oid::TIMESTAMP, i64::MAX.to_be_bytes().to_vec(), i64::MIN.to_be_bytes().to_vec()),
        (oid::TIMESTAMPTZ, i64::MAX.to_be_bytes().to_vec(), i64::MIN.to_be_bytes().to_vec()),
    ];
    for (oid, most, least) in cases {
        for infinity in [Infinity::Error, Infinity::Null, Infinity::Clamp] {
            let options = Options { infinity, ..Options::default() };
            let text = of_text(oid, &options, &[Some("infinity"), Some("-infinity")]);
            let binary = of_binary(oid, &options, &[Some(&most), Some(&least)]);
            assert_eq!(text, binary);
            match infinity {
                Infinity::Error => {
                    assert!(text.unwrap_err().contains("infinity=\"null\""));
                }
                Infinity::Null => assert_eq!(text.unwrap().null_count(), 2),
                Infinity::Clamp => {
                    let array = text.unwrap();
                    let data = array.to_data();
                    let bytes = data.buffers()[0].as_slice();
                    let ends = if oid == oid::DATE {
                        [i32::MAX.to_le_bytes(), i32::MIN.to_le_bytes()].concat()
                    } else {
                        [i64::MAX.to_le_bytes(), i64::MIN.to_le_bytes()].concat()
                    };
                    assert_eq!(bytes, ends);
                }
            }
        }
    }
    let plain = &Options::default();
    let error = of_text(oid::TIME, plain, &[Some("24:00:00")]).unwrap_err();
    assert!(error.contains("24:00:00"), "{error}");
    let error = of_text(oid::DATE, plain, &[Some("31/12/2020")]).unwrap_err();
    assert!(error.contains("SET datestyle = iso"), "{error}");
    let error =
        of_text(oid::TIMESTAMPTZ, plain, &[Some("Fri Dec 31 20:00:00 2020 CET")]).unwrap_err();
    assert!(error.contains("SET datestyle = iso"), "{error}");
    // The last 30 years are beyond microseconds since 1970.
    let last = [Some("294276-12-31 23:59:59.999999")];
    let error = of_text(oid::TIMESTAMP, plain, &last).unwrap_err();
    assert!(error.contains("beyond"), "{error}");
    let seconds = typed(DataType::Timestamp(TimeUnit::Second, None));
    assert!(of_text(oid::TIMESTAMP, &seconds, &[Some("294276-12-31 23:59:59")]).is_ok());
}

#[test]
fn texts_are_as_they_came() {
    let plain = &Options::default();
    for oid in [oid::TEXT, oid::VARCHAR, oid::BPCHAR, oid::NAME, oid::JSON, oid::UNKNOWN] {
        both(
            oid,
            plain,
            &[Some("é  "), None, Some("")],
            &[Some("é  ".as_bytes()), None, Some(b"")],
            &StringArray::from(vec![Some("é  "), None, Some("")]),
        );
    }
    both(oid::JSONB, plain, &[Some("{}")], &[Some(b"\x01{}")], &StringArray::from(vec!["{}"]));
    both(
        oid::CHAR,
        plain,
        &[Some("a"), Some(""), Some("\\377")],
        &[Some(b"a"), Some(&[0]), Some(&[255])],
        &StringArray::from(vec!["a", "", "\\377"]),
    );
    both(
        oid::VARBIT,
        plain,
        &[Some("10101"), Some("")],
        &[Some(&[0, 0, 0, 5, 0xa8]), Some(&[0; 4])],
        &StringArray::from(vec!["10101", ""]),
    );
    both(
        oid::TIMETZ,
        plain,
        &[Some("12:00:00+05:30")],
        &[Some(&[&43_200_000_000_i64.to_be_bytes()[..], &(-19_800_i32).to_be_bytes()].concat())],
        &StringArray::from(vec!["12:00:00+05:30"]),
    );
    both(
        oid::BYTEA,
        plain,
        &[Some("\\x00ff"), None, Some("a\\\\")],
        &[Some(&[0, 255]), None, Some(b"a\\")],
        &BinaryArray::from_opt_vec(vec![Some(&[0, 255]), None, Some(b"a\\")]),
    );
    let uuid = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11";
    let bytes = 0xa0ee_bc99_9c0b_4ef8_bb6d_6bb9_bd38_0a11_u128.to_be_bytes();
    let array =
        FixedSizeBinaryArray::try_from_sparse_iter_with_size([Some(bytes), None].into_iter(), 16);
    both(oid::UUID, plain, &[Some(uuid), None], &[Some(&bytes), None], &array.unwrap());
    let strings = Options { uuid: UuidAs::String, ..Options::default() };
    both(oid::UUID, &strings, &[Some(uuid)], &[Some(&bytes)], &StringArray::from(vec![uuid]));
    for (strings, data_type) in
        [(StringAs::Large, DataType::LargeUtf8), (StringAs::View, DataType::Utf8View)]
    {
        let options = Options { strings, ..Options::default() };
        let long = "longer than twelve bytes";
        let text = of_text(oid::TEXT, &options, &[Some("a"), None, Some(long)]).unwrap();
        assert_eq!(text.data_type(), &data_type);
        assert_eq!(text.null_count(), 1);
        let array = of_text(oid::BYTEA, &options, &[Some("\\x61")]).unwrap();
        assert_ne!(array.data_type(), &DataType::Binary);
    }
    let array: ArrayRef = of_text(oid::MONEY, plain, &[Some("$1.50")]).unwrap();
    assert_eq!(&*array, &StringArray::from(vec!["$1.50"]) as &dyn Array);
    assert!(of_binary(oid::MONEY, plain, &[Some(&[0; 8])]).unwrap_err().contains("text format"));
    let array = of_text(oid::VOID, plain, &[Some(""), None]).unwrap();
    assert_eq!(Arc::clone(&array).len(), 2);
    assert_eq!(array.data_type(), &DataType::Null);
}

#[test]
fn text_that_is_not_utf8_has_its_row() {
    let values: Vec<Option<&[u8]>> =
        vec![Some(b"a"), None, Some(b"\xc3"), Some(b"\xa9"), Some(b"b")];
    for oid in [oid::TEXT, oid::VARCHAR] {
        let error = of_binary(oid, &Options::default(), &values).unwrap_err();
        assert!(error.starts_with("row 3, column \"c\"") && error.contains("UTF-8"), "{error}");
    }
}
