//! The constants that can be parameters, and the types that they fit.

use super::*;
use crate::encoding::{self, UTF8};
use crate::oid;
use crate::quote::literal;

fn parameter(sql: &[u8], oid: Oid, dialect: Dialect) -> Result<Option<Vec<u8>>, Unfit> {
    let mut out = Vec::new();
    Ok(match write(&mut out, sql, oid, dialect)? {
        ParameterForm::Null => None,
        ParameterForm::Text => Some(out),
        ParameterForm::Binary => panic!("binary"),
    })
}

fn plain(sql: &str, oid: Oid) -> Result<Option<String>, Unfit> {
    let dialect = Dialect { encoding: &UTF8, strings: StringStyle::Standard, binary: false };
    let text = parameter(sql.as_bytes(), oid, dialect)?;
    Ok(text.map(|text| String::from_utf8(text).expect("text")))
}

#[test]
fn constants_lose_their_quotes_and_casts() {
    for (sql, oid, text) in [
        ("NULL", oid::INT4, None),
        ("5", oid::INT4, Some("5")),
        (" -5", oid::INT2, Some("-5")),
        ("99999999999999999999", oid::NUMERIC, Some("99999999999999999999")),
        ("7", oid::TEXT, Some("7")),
        ("1.5e+300", oid::FLOAT8, Some("1.5e+300")),
        (" -0.25", oid::NUMERIC, Some("-0.25")),
        ("'NaN'::float", oid::FLOAT4, Some("NaN")),
        ("'Infinity'::numeric", oid::FLOAT8, Some("Infinity")),
        (" -0.0", oid::FLOAT8, Some("0.0")),
        ("ARRAY[ -0.0,1.5]", oid::FLOAT8_ARRAY, Some("{0.0,1.5}")),
        ("true", oid::BOOL, Some("true")),
        ("false", oid::TEXT, Some("false")),
        ("''", oid::TEXT, Some("")),
        ("'it''s'''", oid::JSONB, Some("it's'")),
        (r"'a\b'", oid::TEXT, Some(r"a\b")),
        (r"E'a\\''b'", oid::TEXT, Some(r"a\'b")),
        ("'x'", 123_456, Some("x")),
        (r"'\x00ff'::bytea", oid::BYTEA, Some(r"\x00ff")),
        ("'2024-05-17'::date", oid::TIMESTAMP, Some("2024-05-17")),
        ("'x'::uuid", oid::UUID, Some("x")),
        ("ARRAY[1,NULL, -3]", oid::INT8_ARRAY, Some("{1,NULL,-3}")),
        ("ARRAY[1,2.5]", oid::FLOAT8_ARRAY, Some("{1,2.5}")),
        (
            r#"ARRAY['a"b','c\d','it''s, {x}]','']"#,
            oid::TEXT_ARRAY,
            Some(r#"{"a\"b","c\\d","it's, {x}]",""}"#),
        ),
        ("ARRAY[ARRAY[1,2],ARRAY[3,4]]", oid::INT4_ARRAY, Some("{{1,2},{3,4}}")),
        ("ARRAY[ARRAY[']'],ARRAY['[']]", oid::TEXT_ARRAY, Some(r#"{{"]"},{"["}}"#)),
        ("ARRAY[true,false]", oid::BOOL_ARRAY, Some("{true,false}")),
        (r"ARRAY['\x00'::bytea]", oid::BYTEA_ARRAY, Some(r#"{"\\x00"}"#)),
        ("'{}'", oid::INT4_ARRAY, Some("{}")),
    ] {
        assert_eq!(plain(sql, oid), Ok(text.map(str::to_owned)), "{sql} {oid}");
    }
}

#[test]
fn types_with_a_binary_format_are_written_in_it() {
    let binary = |sql: &[u8], oid, binary| {
        let dialect = Dialect { encoding: &UTF8, strings: StringStyle::Standard, binary };
        let mut out = Vec::new();
        (write(&mut out, sql, oid, dialect), out)
    };
    let int = |allowed| binary(b" -2", oid::INT4, allowed);
    assert_eq!(int(true), (Ok(ParameterForm::Binary), (-2_i32).to_be_bytes().to_vec()));
    assert_eq!(int(false), (Ok(ParameterForm::Text), b"-2".to_vec()));
    let text = binary(b"'2024-05-17T00:00:00'::timestamp", oid::DATE, true);
    assert_eq!(text, (Ok(ParameterForm::Text), b"2024-05-17T00:00:00".to_vec()));
    assert_eq!(binary(b"true", oid::BOOL, true), (Ok(ParameterForm::Binary), vec![1]));
    assert_eq!(binary(b"1.5", oid::INT4, true).0, Err(Unfit));
}

#[test]
fn constants_that_would_change_their_value_are_unfit() {
    for (sql, oid) in [
        ("1.5", oid::INT4),
        ("1.5", oid::TEXT),
        ("1", oid::BOOL),
        ("true", oid::INT4),
        ("5", oid::JSONB),
        ("007", oid::TEXT),
        ("-0", oid::TEXT),
        ("5", 123_456),
        ("'x'::timestamptz", oid::TIMESTAMP),
        ("'x'::timestamptz", oid::DATE),
        ("'x'::timestamp", oid::TEXT),
        ("'x'::mood", oid::TEXT),
        ("'x'::", oid::TEXT),
        (r"'\x00'::bytea", oid::TEXT),
        ("now()", oid::TIMESTAMPTZ),
        ("'a' || 'b'", oid::TEXT),
        ("'a'::text || 'b'", oid::TEXT),
        ("'a'); drop table t --", oid::TEXT),
        ("1 + 1", oid::INT4),
        ("1::int", oid::INT4),
        ("- 1", oid::INT4),
        ("--1", oid::INT4),
        ("1e", oid::FLOAT8),
        ("(1, 2)", oid::TEXT),
        ("X'00'", oid::TEXT),
        ("", oid::TEXT),
        ("'", oid::TEXT),
        ("'a", oid::TEXT),
        ("E'a\\", oid::TEXT),
        (r"E'a\nb'", oid::TEXT),
        (r"E'a\'", oid::TEXT),
        ("ARRAY[1]", oid::INT4),
        ("ARRAY[1.5]", oid::INT4_ARRAY),
        ("ARRAY['1']", oid::INT4_ARRAY),
        ("ARRAY[1,'a']", oid::TEXT_ARRAY),
        ("ARRAY[1]", oid::TEXT_ARRAY),
        ("ARRAY[ARRAY[1],2]", oid::INT4_ARRAY),
        ("ARRAY[NULL,ARRAY[1]]", oid::INT4_ARRAY),
        ("ARRAY[]", oid::INT4_ARRAY),
        ("ARRAY[1,]", oid::INT4_ARRAY),
        ("ARRAY[now()]", oid::TIMESTAMPTZ_ARRAY),
        ("ARRAY[1] || ARRAY[2]", oid::INT4_ARRAY),
        ("ARRAY[ARRAY[ARRAY[ARRAY[ARRAY[ARRAY[ARRAY[1]]]]]]]", oid::INT4_ARRAY),
    ] {
        assert_eq!(plain(sql, oid), Err(Unfit), "{sql} {oid}");
    }
}

/// For every pair of bytes, in every encoding, that can be written as a constant.
#[test]
fn quoted_text_comes_back_unchanged() {
    for encoding in encoding::ENCODINGS {
        for strings in [StringStyle::Standard, StringStyle::Escape] {
            let dialect = Dialect { encoding, strings, binary: true };
            for pair in 0..=u16::MAX {
                let text = pair.to_be_bytes();
                let mut sql = Vec::new();
                if literal::write(&mut sql, &text, encoding, strings).is_ok() {
                    let found = parameter(&sql, oid::TEXT, dialect);
                    assert_eq!(found, Ok(Some(text.to_vec())), "{sql:x?} {}", encoding.name);
                }
            }
        }
    }
}

#[test]
fn text_for_columns_of_any_type() {
    let dialect = Dialect { encoding: &UTF8, strings: StringStyle::Escape, binary: false };
    let text = |sql: &str| {
        let mut out = Vec::new();
        let form = write_text(&mut out, sql.as_bytes(), dialect)?;
        let text = String::from_utf8(out).expect("text");
        Ok((form == ParameterForm::Text).then_some(text))
    };
    for (sql, expected) in [
        ("NULL", None),
        (" -5", Some("-5")),
        ("true", Some("true")),
        (r"E'it''s a \\'", Some(r"it's a \")),
        ("'2024-05-17'::date", Some("2024-05-17")),
        ("'{}'", Some("{}")),
        ("ARRAY[1,NULL, -3]", Some("{1,NULL,-3}")),
        (r#"ARRAY[E'a"\\',E'NULL']"#, Some(r#"{"a\"\\","NULL"}"#)),
        ("ARRAY[ARRAY['2024-05-17'::date]]", Some(r#"{{"2024-05-17"}}"#)),
    ] {
        assert_eq!(text(sql), Ok(expected.map(str::to_owned)), "{sql}");
    }
    for sql in ["", "now()", "(1, 2)", "ARRAY[now()]", "ARRAY[1,ARRAY[2]]", "'a' 'b'"] {
        assert_eq!(text(sql), Err(Unfit), "{sql}");
    }
}

#[test]
fn constants_have_types_of_their_own() {
    let dialect = Dialect { encoding: &UTF8, strings: StringStyle::Standard, binary: false };
    let typed = |sql: &str| {
        let mut out = Vec::new();
        let (oid, form) = write_typed(&mut out, sql.as_bytes(), dialect)?;
        assert_eq!(form == ParameterForm::Null, sql == "NULL");
        Ok((oid, String::from_utf8(out).expect("text")))
    };
    for (sql, oid, text) in [
        ("NULL", 0, ""),
        ("5", oid::INT4, "5"),
        ("2147483647", oid::INT4, "2147483647"),
        ("2147483648", oid::INT8, "2147483648"),
        (" -2147483648", oid::INT4, "-2147483648"),
        (" -2147483649", oid::INT8, "-2147483649"),
        ("9223372036854775807", oid::INT8, "9223372036854775807"),
        ("9223372036854775808", oid::NUMERIC, "9223372036854775808"),
        ("-9223372036854775808", oid::INT8, "-9223372036854775808"),
        ("-9223372036854775809", oid::NUMERIC, "-9223372036854775809"),
        ("00000000000000000000007", oid::INT4, "00000000000000000000007"),
        ("1.0", oid::NUMERIC, "1.0"),
        ("1e5", oid::NUMERIC, "1e5"),
        ("true", oid::BOOL, "true"),
        ("'it''s'", 0, "it's"),
        ("'x'::uuid", oid::UUID, "x"),
        ("'x'::JSONB", oid::JSONB, "x"),
        ("'{1}'::integer[]", oid::INT4_ARRAY, "{1}"),
        ("'1'::float", oid::FLOAT8, "1"),
        ("int8range(1, NULL, '[)')", oid::INT8RANGE, r#"["1",)"#),
        ("numrange( -1.5, 2, '(]')", oid::NUMRANGE, r#"("-1.5","2"]"#),
        ("daterange(NULL, '2020-01-01'::date, '()')", oid::DATERANGE, r#"(,"2020-01-01")"#),
        (r#"tsrange('a"b', '\c', '[]')"#, oid::TSRANGE, r#"["a\"b","\\c"]"#),
    ] {
        assert_eq!(typed(sql), Ok((oid, text.to_owned())), "{sql}");
    }
    for sql in [
        "",
        "now()",
        "1::int",
        "'ab'::char",
        "'ab'::character",
        "'ab'::mood",
        "int4range(1, 3000000000, '[)')",
        "daterange('2020-01-01'::timestamp, NULL, '[)')",
        "numrange('2147483648'::int, NULL, '[)')",
        "int4range(1, 2)",
        "int4range(1, 2, '[)') + int4range(2, 3, '[)')",
        "int4range(1, 2, '[)'::text)",
        "int4range(f(1), 2, '[)')",
        "now(1, 2, '[)')",
        "pg_catalog.int4range(1, 2, '[)')",
        "int4range()",
        ")",
        "'1'::numeric(3)",
        "'1'::int[][]",
        "'1'::int::text",
        "'x'::pg_catalog.uuid",
        "'x'[]",
        "5[]",
        "ARRAY[1]",
        "(1, 2)",
        "'a' || 'b'",
    ] {
        assert_eq!(typed(sql), Err(Unfit), "{sql}");
    }
}

#[test]
fn constants_of_known_types_are_written_in_binary() {
    let dialect = Dialect { encoding: &UTF8, strings: StringStyle::Standard, binary: true };
    let mut out = Vec::new();
    let id = b"'00112233-4455-6677-8899-aabbccddeeff'::uuid";
    assert_eq!(write_typed(&mut out, id, dialect), Ok((oid::UUID, ParameterForm::Binary)));
    assert_eq!(out, (0..16).map(|n| n * 0x11).collect::<Vec<u8>>());
}
