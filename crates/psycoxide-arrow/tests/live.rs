//! Values of a real server: Arrow from binary is Arrow from text, and is what the server says.
//!
//! `PSYCOXIDE_TEST_DSN="host=… port=… dbname=… user=… password=…"` names the server; without it
//! nothing is tested.

mod common;
#[path = "common/session.rs"]
mod session;

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::*;
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, TimeUnit};
use psycoxide_arrow::{Catalog, ColumnSpec, Limits, Options, ResultLayout, RowDecoder};
use psycoxide_proto::QueryResult;
use psycoxide_sql::command::types;
use session::{Session, columns};

const ROWS: usize = 300;

/// Types, a random value of each (`i` is the row, `r()` a random number below 1), and what `render`
/// makes of it, as the server says it; without that, the two formats are only compared.
const CASES: &[(&str, &str, Option<&str>)] = &[
    ("bool", "r() < 0.5", Some("v::text")),
    ("int2", "(r() * 65535 - 32768)::int", Some("v::text")),
    ("int4", "((r() - 0.5) * 10 ^ (i % 10))::int8 % 2147483647", Some("v::text")),
    ("int8", "((r() - 0.5) * 10 ^ (i % 19))::int8", Some("v::text")),
    ("oid", "(r() * 4294967295)::int8", Some("v::text")),
    ("xid", "((r() * 4294967295)::int8)::text::xid", Some("v::text")),
    ("float4", "(r() - 0.5) * 10 ^ (i % 60 - 30)", Some("v::text")),
    ("float8", "(r() - 0.5) * 10 ^ (i % 600 - 300)", Some("v::text")),
    ("numeric(12,3)", "(r() - 0.5) * 10 ^ (i % 10)", Some("v::text")),
    ("numeric(38,38)", "r()::numeric / 10 ^ (i % 20)", Some("v::text")),
    ("numeric(76,10)", "(r() - 0.5)::numeric * 10::numeric ^ (i % 66)", Some("v::text")),
    (
        "numeric",
        "round(((r() - 0.5) * 10 ^ (i % 19))::numeric, i % 19)",
        Some("v::numeric(38,18)::text"),
    ),
    ("text", "repeat(chr(32 + (r() * 1000)::int), i % 9) || i", Some("v")),
    ("varchar(20)", "md5(i::text)::varchar(20)", Some("v::text")),
    ("char(12)", "left(md5(i::text), i % 12)", Some("v || repeat(' ', 12 - length(v))")),
    ("name", "md5(i::text)", Some("v::text")),
    ("\"char\"", "chr(33 + (r() * 90)::int)::\"char\"", Some("v::text")),
    ("bytea", "decode(left(md5(i::text), i % 16 * 2), 'hex')", Some("encode(v, 'hex')")),
    ("uuid", "md5(i::text)::uuid", Some("replace(v::text, '-', '')")),
    ("json", "json_build_object('a', i, 'b', md5(i::text))", Some("v::text")),
    ("jsonb", "jsonb_build_object('a', r(), 'é', md5(i::text))", Some("v::text")),
    ("xml", "('<a>' || i || '</a>')::xml", Some("v::text")),
    ("bit(11)", "(r() * 2047)::int::bit(11)", Some("v::text")),
    ("varbit", "((r() * 2047)::int::bit(32)::varbit)::bit(17)::varbit", Some("v::text")),
    ("money", "(r() * 1000)::numeric::money", Some("v::text")),
    (
        "date",
        "date '2000-01-01' + ((r() - 0.4) * 1500000)::int",
        Some("(v - date '1970-01-01')::text"),
    ),
    (
        "timestamp",
        "timestamp '2000-01-01' + (r() - 0.3) * interval '4000 years'",
        Some("(extract(epoch from v) * 1000000)::numeric(30,0)::text"),
    ),
    (
        "timestamptz",
        "timestamptz '2000-01-01' + (r() - 0.3) * interval '4000 years'",
        Some("(extract(epoch from v) * 1000000)::numeric(30,0)::text"),
    ),
    (
        "time",
        "time '00:00' + r() * interval '24 hours'",
        Some("(extract(epoch from v) * 1000000)::int8::text"),
    ),
    ("timetz", "(time '00:00' + r() * interval '24 hours')::text::timetz", Some("v::text")),
    (
        "interval",
        "(r() - 0.5) * 1000 * interval '1 month' + (r() - 0.5) * 900 * interval '1 day' \
         + (r() - 0.5) * interval '40 hours'",
        Some(
            "(extract(year from v) * 12 + extract(month from v))::int || ' ' || extract(day from v)::int \
             || ' ' || (extract(hour from v) * 3600000000 + extract(minute from v) * 60000000 \
             + extract(microseconds from v))::int8 * 1000",
        ),
    ),
    ("inet", "('10.' || i % 256 || '.0.1/' || i % 33)::inet", Some("format('%s', v)")),
    ("cidr", "('fe80::' || i % 10 || ':0/128')::cidr", Some("v::text")),
    ("macaddr", "(left(md5(i::text), 12))::macaddr", Some("v::text")),
    ("point", "point(r(), r())", Some("v::text")),
    ("box", "box(point(r(), r()), point(1, 1))", Some("v::text")),
    ("pg_lsn", "'1/ABCDEF'::pg_lsn", Some("v::text")),
    ("tsvector", "to_tsvector('a b c')", Some("v::text")),
    ("int4[]", "(array[i, NULL, i * 2])[:i % 4]", Some("array_to_string(v, '|', '-')")),
    ("text[]", "array[md5(i::text), NULL, 'a\"b\\', '']", Some("array_to_string(v, '|', '-')")),
    ("numeric(9,2)[]", "array[r() * 1000, NULL]", Some("array_to_string(v, '|', '-')")),
    ("date[]", "array[date '2000-01-01' + i]", None),
    ("timestamptz[]", "array[now() + i * interval '1 s', NULL]", None),
    ("uuid[]", "array[md5(i::text)::uuid]", None),
    (
        "box[]",
        "array[box(point(r(), r()), point(1, 1)), NULL]",
        Some("array_to_string(v, '|', '-')"),
    ),
    ("inet[]", "array['10.0.0.1/8'::inet, '::1'::inet, NULL]", None),
    ("jsonb[]", "array[jsonb_build_object('a', i)]", Some("array_to_string(v, '|', '-')")),
    ("int4range", "int4range(i, i + (r() * 3)::int)", None),
    ("numrange", "numrange(r()::numeric(9,3), NULL, '(]')", None),
    ("tstzrange", "tstzrange(now(), now() + i * interval '1 day')", None),
    ("daterange", "daterange(date '2000-01-01', NULL)", None),
    ("int4range[]", "array[int4range(i, i + 5), NULL, 'empty']", None),
    ("int2vector", "'1 2 3'::int2vector", None),
    ("oidvector", "'1 2 4294967295'::oidvector", None),
    ("live_mood", "(array['sad', 'ok', 'very \"happy\"'])[1 + i % 3]::live_mood", Some("v::text")),
    ("live_mood[]", "array['sad', NULL, 'ok']::live_mood[]", Some("array_to_string(v, '|', '-')")),
    ("live_pair", "row(i, md5(i::text) || '\",(', array['sad'::live_mood], i)::live_pair", None),
    ("live_pair[]", "array[row(i, 'a', NULL, 1)::live_pair, NULL]", None),
    ("live_range", "pg_temp.live_range(r(), 2 + r())", None),
    ("live_positive[]", "array[i, 1]::live_positive[]", Some("array_to_string(v, '|', '-')")),
    ("live_empty", "row()::live_empty", None),
    (
        "information_schema.cardinal_number[]",
        "array[i]::information_schema.cardinal_number[]",
        None,
    ),
];

/// The same for types that not all servers have.
const OPTIONAL: &[(&str, &str, Option<&str>)] = &[
    ("int4multirange", "int4multirange(int4range(i, i + 2), int4range(i + 9, NULL))", None),
    ("tsmultirange[]", "array[tsmultirange(), NULL]", None),
    ("xid8", "'18446744073709551615'::xid8", Some("v::text")),
    ("hstore", "hstore(array['a', 'b\"', ''], array[md5(i::text), NULL, 'c\\'])", None),
    ("hstore[]", "array[hstore('a', NULL), NULL]", None),
    ("citext", "md5(i::text)::citext", Some("v::text")),
    ("ltree", "('a.b' || i)::ltree", Some("v::text")),
    ("vector(3)", "('[' || r() || ',1,2.5]')::vector", None),
    ("vector", "('[' || r() || ',1,2.5]')::vector", None),
    ("halfvec(2)", "('[' || r() || ',1]')::halfvec", None),
    ("sparsevec", "'{1:1,3:2}/5'::sparsevec", Some("v::text")),
    ("numeric(2,-3)", "(r() * 99000)::int", Some("v::text")),
    ("numeric(3,5)", "r() / 1000", Some("v::text")),
];

/// Those of them that are read from text only.
const TEXT_ONLY: &[&str] =
    &["xml", "money", "point", "box", "box[]", "pg_lsn", "tsvector", "ltree", "sparsevec"];

const PREPARE: &str = "
    CREATE FUNCTION pg_temp.r() RETURNS float8 LANGUAGE sql AS 'select random()';
    SET search_path = pg_temp, public;
    CREATE TYPE pg_temp.live_mood AS ENUM ('sad', 'ok', 'very \"happy\"');
    CREATE DOMAIN pg_temp.live_positive AS int4 CHECK (value > 0);
    CREATE TYPE pg_temp.live_pair AS (a int8, \"b c\" text, moods live_mood[], gone int4, d live_positive);
    ALTER TYPE pg_temp.live_pair DROP ATTRIBUTE gone;
    CREATE TYPE pg_temp.live_empty AS ();
    CREATE TYPE pg_temp.live_range AS RANGE (subtype = float8);
    SELECT setseed(0.5)";

fn fill_catalog(session: &mut Session, catalog: &mut Catalog, columns: &[ColumnSpec]) {
    let version = session.version();
    for _ in 0..10 {
        let missing = catalog.missing(columns.iter().map(|column| column.oid));
        if missing.is_empty() {
            return;
        }
        let result = session.query(&types::query(&missing, version), false);
        for row in result.rows.iter_from(result.rows.start()) {
            assert_eq!(row.len(), types::COLUMNS);
            catalog.take_row(row.fields()).unwrap();
        }
        catalog.mark_gone(&missing);
    }
    panic!("the catalogue is never complete");
}

fn arrow(result: &QueryResult, catalog: &Catalog, options: &Options) -> RecordBatch {
    let layout = ResultLayout::new(columns(result), catalog, options).unwrap();
    let mut decoder = RowDecoder::new(Arc::new(layout));
    let mut rows = result.rows.iter_from(result.rows.start());
    let limits = Limits { rows: usize::MAX, bytes: usize::MAX };
    assert_eq!(decoder.append(&mut rows, limits), Ok(false));
    decoder.finish().unwrap()
}

/// The text of an Arrow value, for comparison with what the server says.
fn render(array: &dyn Array, row: usize) -> String {
    if array.is_null(row) {
        return "-".into();
    }
    match array.data_type() {
        DataType::Boolean => array.as_boolean().value(row).to_string(),
        DataType::Int16 => array.as_primitive::<Int16Type>().value(row).to_string(),
        DataType::Int32 => array.as_primitive::<Int32Type>().value(row).to_string(),
        DataType::Int64 => array.as_primitive::<Int64Type>().value(row).to_string(),
        DataType::UInt32 => array.as_primitive::<UInt32Type>().value(row).to_string(),
        DataType::UInt64 => array.as_primitive::<UInt64Type>().value(row).to_string(),
        DataType::Float32 => array.as_primitive::<Float32Type>().value(row).to_string(),
        DataType::Float64 => array.as_primitive::<Float64Type>().value(row).to_string(),
        DataType::Decimal128(..) => array.as_primitive::<Decimal128Type>().value_as_string(row),
        DataType::Decimal256(..) => array.as_primitive::<Decimal256Type>().value_as_string(row),
        DataType::Utf8 => array.as_string::<i32>().value(row).to_owned(),
        DataType::Binary => hex(array.as_binary::<i32>().value(row)),
        DataType::FixedSizeBinary(_) => hex(array.as_fixed_size_binary().value(row)),
        DataType::Date32 => array.as_primitive::<Date32Type>().value(row).to_string(),
        DataType::Time64(TimeUnit::Microsecond) => {
            array.as_primitive::<Time64MicrosecondType>().value(row).to_string()
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            array.as_primitive::<TimestampMicrosecondType>().value(row).to_string()
        }
        DataType::Interval(_) => {
            let interval = array.as_primitive::<IntervalMonthDayNanoType>().value(row);
            format!("{} {} {}", interval.months, interval.days, interval.nanoseconds)
        }
        DataType::List(_) => {
            let items = array.as_list::<i32>().value(row);
            (0..items.len()).map(|item| render(&items, item)).collect::<Vec<_>>().join("|")
        }
        other => panic!("{other}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn agrees(data_type: &DataType, ours: &str, servers: &str) -> bool {
    match data_type {
        DataType::Float32 => ours.parse::<f32>().ok() == servers.parse().ok(),
        DataType::Float64 => ours.parse::<f64>().ok() == servers.parse().ok(),
        _ => ours == servers,
    }
}

fn check(session: &mut Session, catalog: &mut Catalog, case: &(&str, &str, Option<&str>)) {
    let (name, value, truth) = case;
    let select = format!("SELECT v, {} FROM live", truth.unwrap_or("NULL::text"));
    let text = session.query(&select, false);
    fill_catalog(session, catalog, &columns(&text));
    let options = Options::default();
    let from_text = arrow(&text, catalog, &options);
    assert_eq!(from_text.num_rows(), ROWS, "{name} {value}");
    let array = from_text.column(0);
    let nulls = array.logical_nulls().map_or(0, |nulls| nulls.null_count());
    assert!(nulls > 0 && nulls < ROWS, "{name}: {nulls} NULLs");
    let mut spec = columns(&text).remove(0);
    spec.binary = true;
    if ResultLayout::new(vec![spec.clone()], catalog, &options).is_ok() {
        let binary = session.query_in(&select, vec![1, 0]);
        let from_binary = arrow(&binary, catalog, &options);
        assert_eq!(array, from_binary.column(0), "{name}");
    } else {
        assert!(!ResultLayout::prefers_binary(&spec, catalog, &options), "{name}");
        assert!(TEXT_ONLY.contains(name), "{name}");
    }
    if truth.is_some() {
        let servers = from_text.column(1).as_string::<i32>();
        for row in (0..ROWS).filter(|row| array.is_valid(*row)) {
            let (ours, servers) = (render(array, row), servers.value(row));
            assert!(agrees(array.data_type(), &ours, servers), "{name}: {ours} is not {servers}");
        }
    }
}

fn fill(session: &mut Session, name: &str, value: &str) -> bool {
    session.run("DROP TABLE IF EXISTS live")
        && session.run(&format!(
            "CREATE TEMP TABLE live AS \
             SELECT CASE WHEN i % 7 = 0 THEN NULL ELSE {value} END::{name} AS v \
             FROM (SELECT i, pg_temp.r() AS s FROM generate_series(1, {ROWS}) i) t"
        ))
}

fn prepared() -> Option<(Session, Catalog)> {
    let mut session = Session::open()?;
    for extension in ["hstore", "citext", "ltree", "vector"] {
        // Not all servers have them, and not all roles may create them.
        session.run(&format!("CREATE EXTENSION IF NOT EXISTS {extension} SCHEMA public"));
    }
    for statement in PREPARE.split(';') {
        assert!(session.run(statement), "{statement}");
    }
    Some((session, Catalog::default()))
}

#[test]
fn both_formats_give_what_the_server_says() {
    let Some((mut session, mut catalog)) = prepared() else { return };
    for case in CASES {
        let value = case.1.replace("r()", "pg_temp.r()");
        assert!(fill(&mut session, case.0, &value), "{case:?}");
        check(&mut session, &mut catalog, case);
    }
    let mut absent = Vec::new();
    for case in OPTIONAL {
        let value = case.1.replace("r()", "pg_temp.r()");
        if fill(&mut session, case.0, &value) {
            check(&mut session, &mut catalog, case);
        } else {
            absent.push(case.0);
        }
    }
    eprintln!("types that the server does not have: {absent:?}");
}

#[test]
fn each_style_of_intervals_is_read() {
    let Some((mut session, catalog)) = prepared() else { return };
    let value = "(pg_temp.r() - 0.5) * 100 * interval '1 month' + i * interval '1.5 hours'";
    assert!(fill(&mut session, "interval", value));
    let binary = arrow(&session.query("SELECT v FROM live", true), &catalog, &Options::default());
    for style in ["postgres", "postgres_verbose", "iso_8601"] {
        assert!(session.run(&format!("SET intervalstyle = {style}")));
        let text =
            arrow(&session.query("SELECT v FROM live", false), &catalog, &Options::default());
        assert_eq!(text, binary, "{style}");
    }
}

#[test]
fn types_that_are_gone_become_text() {
    let Some((mut session, mut catalog)) = prepared() else { return };
    let mut columns = columns(&session.query("SELECT 'a'::text AS v", false));
    columns[0].oid = 4_000_000_000;
    fill_catalog(&mut session, &mut catalog, &columns);
    let layout = ResultLayout::new(columns, &catalog, &Options::default()).unwrap();
    assert_eq!(layout.schema().field(0).data_type(), &DataType::Utf8);
}
