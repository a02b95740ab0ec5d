//! Bytes that no server sends: errors, never a panic, and no memory for what a length only claims.

mod common;

use std::sync::Arc;

use common::{column, decode_all, layout, numeric};
use psycoxide_arrow::{
    Catalog, ColumnSpec, CompositeField, EnumAs, Infinity, NumericNan, Options, TypeEntry, TypeKind,
};
use psycoxide_sql::oid::{self, Oid};

const BUILT_IN: &[Oid] = &[
    16, 17, 18, 19, 20, 21, 22, 23, 25, 26, 30, 114, 600, 603, 700, 701, 790, 869, 650, 829, 774,
    1042, 1082, 1083, 1114, 1184, 1186, 1266, 1560, 1562, 1700, 2249, 2278, 2950, 3802, 5069, 1007,
    1009, 1231, 1041, 1020, 3904, 3906, 3910, 3905, 4451, 4534, 6150,
];

/// Types of the catalogue: 50000 and on.
fn catalog() -> Catalog {
    let field = |name: &str, oid| CompositeField { name: name.into(), oid, modifier: -1 };
    let kinds = [
        TypeKind::Composite(vec![field("a", oid::INT4), field("b", 50_001)]),
        TypeKind::Array(oid::NUMERIC),
        TypeKind::Enum(vec!["a".into(), "b".into()]),
        TypeKind::Base("hstore".into()),
        TypeKind::Base("vector".into()),
        TypeKind::Base("halfvec".into()),
        TypeKind::Base("geometry".into()),
        TypeKind::Multirange(oid::INT4RANGE),
        TypeKind::Array(50_000),
    ];
    let mut catalog = Catalog::default();
    for (oid, kind) in (50_000..).zip(kinds) {
        catalog.insert(oid, TypeEntry { name: "t".into(), kind });
    }
    catalog
}

fn all_columns() -> Vec<ColumnSpec> {
    let mut columns = Vec::new();
    for oid in BUILT_IN.iter().copied().chain(50_000..50_009) {
        for binary in [false, true] {
            for modifier in [-1, 2, numeric(5, 2), numeric(60, 2)] {
                columns.push(column(oid, modifier, binary));
            }
        }
    }
    columns
}

const SEEDS: &[&[u8]] = &[
    b"",
    b"\0",
    b"t",
    b"-12.50",
    b"1e5",
    b"2020-01-31 12:00:00.5+05:30",
    b"99999-12-31 BC",
    b"P1Y2M3DT4H5M6.7S",
    b"1 year -2 mons +3 days 04:05:06",
    b"{1,NULL,\"a\\\"b\"}",
    b"{{1,2},{3,4}}",
    b"[1,5)",
    b"{[1,5),empty}",
    b"(1,\"x\"\"y\",)",
    b"\"a\"=>\"b\", \"c\"=>NULL",
    b"[1,2.5]",
    b"\\x00ff",
    b"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
    b"\0\0\0\x01\0\0\0\0\0\0\0\x17\0\0\0\x02\0\0\0\x01\0\0\0\x04\0\0\0\x01\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff\x7f\xff\xff\xff\x7f\xff\xff\xff",
    b"\0\x02\0\x01\0\0\0\x02\0\x01\x13\x88",
    b"\0\x01\x7f\xff\0\0\x3f\xff\x27\x0f",
    b"\x02\0\0\0\x04\0\0\0\x01\0\0\0\x04\0\0\0\x05",
    b"\0\0\0\x02\0\0\0\x17\0\0\0\x04\0\0\0\x01\0\0\xc3\x51\xff\xff\xff\xff",
    b"\0\0\0\x01\0\0\0\x01a\xff\xff\xff\xff",
    b"\x02\x20\0\x04\x0a\0\0\x01",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\x80\0\0\0\0\0\0\0\x80\0\0\0\x80\0\0\0",
];

/// xorshift64*: the same inputs in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(high).unwrap() % limit.max(1)
    }

    fn mutated(&mut self) -> Vec<u8> {
        let mut bytes = SEEDS[self.below(SEEDS.len())].to_vec();
        for _ in 0..self.below(4) {
            let at = self.below(bytes.len() + 1);
            match self.below(4) {
                0 => bytes.truncate(at),
                1 => bytes.insert(at, u8::try_from(self.below(256)).unwrap()),
                2 if at < bytes.len() => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][self.below(5)],
                _ => bytes.extend_from_within(at..),
            }
        }
        bytes
    }
}

#[test]
fn any_bytes_are_values_or_errors() {
    let catalog = catalog();
    let lenient = Options {
        numeric_nan: NumericNan::Null,
        infinity: Infinity::Clamp,
        enums: EnumAs::Dictionary,
        dimensions: [("c".into(), 2)].into(),
        ..Options::default()
    };
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let (mut values, mut errors) = (0, 0);
    for options in [Options::default(), lenient] {
        for column in all_columns() {
            let Ok(layout) = layout(column.clone(), &catalog, &options) else { continue };
            let inputs: Vec<Vec<u8>> = SEEDS
                .iter()
                .map(|seed| seed.to_vec())
                .chain((0..60).map(|_| random.mutated()))
                .collect();
            for input in &inputs {
                match decode_all(&layout, &[None, Some(input), None]) {
                    Ok(batch) => {
                        values += 1;
                        assert_eq!(batch.num_rows(), 3);
                        let memory = batch.get_array_memory_size();
                        assert!(memory < 1 << 20, "{column:?} {input:?}: {memory} bytes");
                    }
                    Err(error) => {
                        errors += 1;
                        assert_eq!((error.row, error.column.as_str()), (2, "c"), "{column:?}");
                        assert!(!error.reason.is_empty());
                    }
                }
            }
        }
    }
    assert!(values > 5_000 && errors > 20_000, "{values} {errors}");
}

/// Every truncation of a good value in binary is an error, and so is every longer one.
#[test]
fn values_have_their_length() {
    let catalog = catalog();
    let array = b"\0\0\0\x01\0\0\0\0\0\0\0\x17\0\0\0\x01\0\0\0\x01\0\0\0\x04\0\0\0\x07";
    for (oid, good) in [
        (oid::BOOL, &b"\x01"[..]),
        (oid::INT2, b"\0\x01"),
        (oid::INT8, b"\0\0\0\0\0\0\0\x01"),
        (oid::FLOAT4, b"\0\0\0\0"),
        (oid::NUMERIC, b"\0\x01\0\0\0\0\0\x01\0\x07"),
        (oid::DATE, b"\0\0\0\x01"),
        (oid::INTERVAL, b"\0\0\0\0\0\0\0\x01\0\0\0\x01\0\0\0\x01"),
        (oid::UUID, b"0123456789abcdef"),
        (oid::VARBIT, b"\0\0\0\x05\xa8"),
        (oid::INT4_ARRAY, array),
        (oid::INT4RANGE, b"\x02\0\0\0\x04\0\0\0\x01\0\0\0\x04\0\0\0\x05"),
        (50_000, b"\0\0\0\x02\0\0\0\x17\0\0\0\x04\0\0\0\x01\0\0\xc3\x51\xff\xff\xff\xff"),
        (50_003, b"\0\0\0\x01\0\0\0\x01a\xff\xff\xff\xff"),
        (50_004, b"\0\x01\0\0\x3f\x80\0\0"),
        (50_007, b"\0\0\0\x01\0\0\0\x01\x01"),
    ] {
        let layout = layout(column(oid, -1, true), &catalog, &Options::default()).unwrap();
        assert!(decode_all(&layout, &[Some(good)]).is_ok(), "{oid}");
        for end in 0..good.len() {
            assert!(decode_all(&layout, &[Some(&good[..end])]).is_err(), "{oid} {end}");
        }
        assert!(decode_all(&layout, &[Some(&[good, b"\0"].concat())]).is_err(), "{oid}");
    }
}

/// After an error nothing is handed out.
#[test]
fn a_decoder_that_failed_stays_failed() {
    let layout = layout(column(oid::INT4, -1, true), &Catalog::default(), &Options::default());
    let mut decoder = psycoxide_arrow::RowDecoder::new(Arc::clone(&layout.unwrap()));
    decoder.append_fields([Some(&b"\0\0\0\x01"[..])]).unwrap();
    let error = decoder.append_fields([Some(&b"x"[..])]).unwrap_err();
    assert_eq!(decoder.append_fields([None]).as_ref(), Err(&error));
    assert_eq!(decoder.finish().as_ref(), Err(&error));
    assert_eq!(error.row, 2);
}
