//! Object identifiers of the built-in types, fixed by `pg_type.dat` of the server.
//!
//! <https://www.postgresql.org/docs/current/catalog-pg-type.html>

/// The type of a value: `pg_type.oid`.
pub type Oid = u32;

/// `boolean`
pub const BOOL: Oid = 16;
/// `boolean` array
pub const BOOL_ARRAY: Oid = 1000;
/// `bytea`
pub const BYTEA: Oid = 17;
/// `bytea` array
pub const BYTEA_ARRAY: Oid = 1001;
/// `"char"`, one byte
pub const CHAR: Oid = 18;
/// `"char"`, one byte array
pub const CHAR_ARRAY: Oid = 1002;
/// `name`
pub const NAME: Oid = 19;
/// `name` array
pub const NAME_ARRAY: Oid = 1003;
/// `bigint`
pub const INT8: Oid = 20;
/// `bigint` array
pub const INT8_ARRAY: Oid = 1016;
/// `smallint`
pub const INT2: Oid = 21;
/// `smallint` array
pub const INT2_ARRAY: Oid = 1005;
/// `integer`
pub const INT4: Oid = 23;
/// `integer` array
pub const INT4_ARRAY: Oid = 1007;
/// `regproc`
pub const REGPROC: Oid = 24;
/// `regproc` array
pub const REGPROC_ARRAY: Oid = 1008;
/// `text`
pub const TEXT: Oid = 25;
/// `text` array
pub const TEXT_ARRAY: Oid = 1009;
/// `oid`
pub const OID: Oid = 26;
/// `oid` array
pub const OID_ARRAY: Oid = 1028;
/// `xid`
pub const XID: Oid = 28;
/// `xid` array
pub const XID_ARRAY: Oid = 1011;
/// `cid`
pub const CID: Oid = 29;
/// `cid` array
pub const CID_ARRAY: Oid = 1012;
/// `json`
pub const JSON: Oid = 114;
/// `json` array
pub const JSON_ARRAY: Oid = 199;
/// `xml`
pub const XML: Oid = 142;
/// `xml` array
pub const XML_ARRAY: Oid = 143;
/// `point`
pub const POINT: Oid = 600;
/// `point` array
pub const POINT_ARRAY: Oid = 1017;
/// `lseg`
pub const LSEG: Oid = 601;
/// `lseg` array
pub const LSEG_ARRAY: Oid = 1018;
/// `path`
pub const PATH: Oid = 602;
/// `path` array
pub const PATH_ARRAY: Oid = 1019;
/// `box`
pub const BOX: Oid = 603;
/// `box` array
pub const BOX_ARRAY: Oid = 1020;
/// `polygon`
pub const POLYGON: Oid = 604;
/// `polygon` array
pub const POLYGON_ARRAY: Oid = 1027;
/// `line`
pub const LINE: Oid = 628;
/// `line` array
pub const LINE_ARRAY: Oid = 629;
/// `cidr`
pub const CIDR: Oid = 650;
/// `cidr` array
pub const CIDR_ARRAY: Oid = 651;
/// `real`
pub const FLOAT4: Oid = 700;
/// `real` array
pub const FLOAT4_ARRAY: Oid = 1021;
/// `double precision`
pub const FLOAT8: Oid = 701;
/// `double precision` array
pub const FLOAT8_ARRAY: Oid = 1022;
/// `unknown`
pub const UNKNOWN: Oid = 705;
/// `circle`
pub const CIRCLE: Oid = 718;
/// `circle` array
pub const CIRCLE_ARRAY: Oid = 719;
/// `macaddr8`
pub const MACADDR8: Oid = 774;
/// `macaddr8` array
pub const MACADDR8_ARRAY: Oid = 775;
/// `money`
pub const MONEY: Oid = 790;
/// `money` array
pub const MONEY_ARRAY: Oid = 791;
/// `macaddr`
pub const MACADDR: Oid = 829;
/// `macaddr` array
pub const MACADDR_ARRAY: Oid = 1040;
/// `inet`
pub const INET: Oid = 869;
/// `inet` array
pub const INET_ARRAY: Oid = 1041;
/// `character(n)`
pub const BPCHAR: Oid = 1042;
/// `character(n)` array
pub const BPCHAR_ARRAY: Oid = 1014;
/// `character varying`
pub const VARCHAR: Oid = 1043;
/// `character varying` array
pub const VARCHAR_ARRAY: Oid = 1015;
/// `date`
pub const DATE: Oid = 1082;
/// `date` array
pub const DATE_ARRAY: Oid = 1182;
/// `time without time zone`
pub const TIME: Oid = 1083;
/// `time without time zone` array
pub const TIME_ARRAY: Oid = 1183;
/// `timestamp without time zone`
pub const TIMESTAMP: Oid = 1114;
/// `timestamp without time zone` array
pub const TIMESTAMP_ARRAY: Oid = 1115;
/// `timestamp with time zone`
pub const TIMESTAMPTZ: Oid = 1184;
/// `timestamp with time zone` array
pub const TIMESTAMPTZ_ARRAY: Oid = 1185;
/// `interval`
pub const INTERVAL: Oid = 1186;
/// `interval` array
pub const INTERVAL_ARRAY: Oid = 1187;
/// `time with time zone`
pub const TIMETZ: Oid = 1266;
/// `time with time zone` array
pub const TIMETZ_ARRAY: Oid = 1270;
/// `bit`
pub const BIT: Oid = 1560;
/// `bit` array
pub const BIT_ARRAY: Oid = 1561;
/// `bit varying`
pub const VARBIT: Oid = 1562;
/// `bit varying` array
pub const VARBIT_ARRAY: Oid = 1563;
/// `numeric`
pub const NUMERIC: Oid = 1700;
/// `numeric` array
pub const NUMERIC_ARRAY: Oid = 1231;
/// `regprocedure`
pub const REGPROCEDURE: Oid = 2202;
/// `regprocedure` array
pub const REGPROCEDURE_ARRAY: Oid = 2207;
/// `regoper`
pub const REGOPER: Oid = 2203;
/// `regoper` array
pub const REGOPER_ARRAY: Oid = 2208;
/// `regoperator`
pub const REGOPERATOR: Oid = 2204;
/// `regoperator` array
pub const REGOPERATOR_ARRAY: Oid = 2209;
/// `regclass`
pub const REGCLASS: Oid = 2205;
/// `regclass` array
pub const REGCLASS_ARRAY: Oid = 2210;
/// `regtype`
pub const REGTYPE: Oid = 2206;
/// `regtype` array
pub const REGTYPE_ARRAY: Oid = 2211;
/// `record`
pub const RECORD: Oid = 2249;
/// `record` array
pub const RECORD_ARRAY: Oid = 2287;
/// `void`
pub const VOID: Oid = 2278;
/// `uuid`
pub const UUID: Oid = 2950;
/// `uuid` array
pub const UUID_ARRAY: Oid = 2951;
/// `pg_lsn`
pub const PG_LSN: Oid = 3220;
/// `pg_lsn` array
pub const PG_LSN_ARRAY: Oid = 3221;
/// `tsvector`
pub const TSVECTOR: Oid = 3614;
/// `tsvector` array
pub const TSVECTOR_ARRAY: Oid = 3643;
/// `tsquery`
pub const TSQUERY: Oid = 3615;
/// `tsquery` array
pub const TSQUERY_ARRAY: Oid = 3645;
/// `regconfig`
pub const REGCONFIG: Oid = 3734;
/// `regconfig` array
pub const REGCONFIG_ARRAY: Oid = 3735;
/// `regdictionary`
pub const REGDICTIONARY: Oid = 3769;
/// `regdictionary` array
pub const REGDICTIONARY_ARRAY: Oid = 3770;
/// `jsonb`
pub const JSONB: Oid = 3802;
/// `jsonb` array
pub const JSONB_ARRAY: Oid = 3807;
/// `int4range`
pub const INT4RANGE: Oid = 3904;
/// `int4range` array
pub const INT4RANGE_ARRAY: Oid = 3905;
/// `numrange`
pub const NUMRANGE: Oid = 3906;
/// `numrange` array
pub const NUMRANGE_ARRAY: Oid = 3907;
/// `tsrange`
pub const TSRANGE: Oid = 3908;
/// `tsrange` array
pub const TSRANGE_ARRAY: Oid = 3909;
/// `tstzrange`
pub const TSTZRANGE: Oid = 3910;
/// `tstzrange` array
pub const TSTZRANGE_ARRAY: Oid = 3911;
/// `daterange`
pub const DATERANGE: Oid = 3912;
/// `daterange` array
pub const DATERANGE_ARRAY: Oid = 3913;
/// `int8range`
pub const INT8RANGE: Oid = 3926;
/// `int8range` array
pub const INT8RANGE_ARRAY: Oid = 3927;
/// `jsonpath`
pub const JSONPATH: Oid = 4072;
/// `jsonpath` array
pub const JSONPATH_ARRAY: Oid = 4073;
/// `regnamespace`
pub const REGNAMESPACE: Oid = 4089;
/// `regnamespace` array
pub const REGNAMESPACE_ARRAY: Oid = 4090;
/// `regrole`
pub const REGROLE: Oid = 4096;
/// `regrole` array
pub const REGROLE_ARRAY: Oid = 4097;
/// `regcollation`
pub const REGCOLLATION: Oid = 4191;
/// `regcollation` array
pub const REGCOLLATION_ARRAY: Oid = 4192;
/// `int4multirange`
pub const INT4MULTIRANGE: Oid = 4451;
/// `int4multirange` array
pub const INT4MULTIRANGE_ARRAY: Oid = 6150;
/// `nummultirange`
pub const NUMMULTIRANGE: Oid = 4532;
/// `nummultirange` array
pub const NUMMULTIRANGE_ARRAY: Oid = 6151;
/// `tsmultirange`
pub const TSMULTIRANGE: Oid = 4533;
/// `tsmultirange` array
pub const TSMULTIRANGE_ARRAY: Oid = 6152;
/// `tstzmultirange`
pub const TSTZMULTIRANGE: Oid = 4534;
/// `tstzmultirange` array
pub const TSTZMULTIRANGE_ARRAY: Oid = 6153;
/// `datemultirange`
pub const DATEMULTIRANGE: Oid = 4535;
/// `datemultirange` array
pub const DATEMULTIRANGE_ARRAY: Oid = 6155;
/// `int8multirange`
pub const INT8MULTIRANGE: Oid = 4536;
/// `int8multirange` array
pub const INT8MULTIRANGE_ARRAY: Oid = 6157;
/// `pg_snapshot`
pub const PG_SNAPSHOT: Oid = 5038;
/// `pg_snapshot` array
pub const PG_SNAPSHOT_ARRAY: Oid = 5039;
/// `xid8`
pub const XID8: Oid = 5069;
/// `xid8` array
pub const XID8_ARRAY: Oid = 271;
/// `oid8`
pub const OID8: Oid = 6437;
/// `oid8` array
pub const OID8_ARRAY: Oid = 6442;
/// `regdatabase`
pub const REGDATABASE: Oid = 6490;
/// `regdatabase` array
pub const REGDATABASE_ARRAY: Oid = 6491;

/// Types with the types of their arrays, the frequent ones first.
const ARRAYS: &[(Oid, Oid)] = &[
    (INT4, INT4_ARRAY),
    (INT8, INT8_ARRAY),
    (TEXT, TEXT_ARRAY),
    (NUMERIC, NUMERIC_ARRAY),
    (FLOAT8, FLOAT8_ARRAY),
    (UUID, UUID_ARRAY),
    (TIMESTAMPTZ, TIMESTAMPTZ_ARRAY),
    (TIMESTAMP, TIMESTAMP_ARRAY),
    (DATE, DATE_ARRAY),
    (BOOL, BOOL_ARRAY),
    (BYTEA, BYTEA_ARRAY),
    (CHAR, CHAR_ARRAY),
    (NAME, NAME_ARRAY),
    (INT2, INT2_ARRAY),
    (REGPROC, REGPROC_ARRAY),
    (OID, OID_ARRAY),
    (XID, XID_ARRAY),
    (CID, CID_ARRAY),
    (JSON, JSON_ARRAY),
    (XML, XML_ARRAY),
    (POINT, POINT_ARRAY),
    (LSEG, LSEG_ARRAY),
    (PATH, PATH_ARRAY),
    (BOX, BOX_ARRAY),
    (POLYGON, POLYGON_ARRAY),
    (LINE, LINE_ARRAY),
    (CIDR, CIDR_ARRAY),
    (FLOAT4, FLOAT4_ARRAY),
    (CIRCLE, CIRCLE_ARRAY),
    (MACADDR8, MACADDR8_ARRAY),
    (MONEY, MONEY_ARRAY),
    (MACADDR, MACADDR_ARRAY),
    (INET, INET_ARRAY),
    (BPCHAR, BPCHAR_ARRAY),
    (VARCHAR, VARCHAR_ARRAY),
    (TIME, TIME_ARRAY),
    (INTERVAL, INTERVAL_ARRAY),
    (TIMETZ, TIMETZ_ARRAY),
    (BIT, BIT_ARRAY),
    (VARBIT, VARBIT_ARRAY),
    (REGPROCEDURE, REGPROCEDURE_ARRAY),
    (REGOPER, REGOPER_ARRAY),
    (REGOPERATOR, REGOPERATOR_ARRAY),
    (REGCLASS, REGCLASS_ARRAY),
    (REGTYPE, REGTYPE_ARRAY),
    (PG_LSN, PG_LSN_ARRAY),
    (TSVECTOR, TSVECTOR_ARRAY),
    (TSQUERY, TSQUERY_ARRAY),
    (REGCONFIG, REGCONFIG_ARRAY),
    (REGDICTIONARY, REGDICTIONARY_ARRAY),
    (JSONB, JSONB_ARRAY),
    (INT4RANGE, INT4RANGE_ARRAY),
    (NUMRANGE, NUMRANGE_ARRAY),
    (TSRANGE, TSRANGE_ARRAY),
    (TSTZRANGE, TSTZRANGE_ARRAY),
    (DATERANGE, DATERANGE_ARRAY),
    (INT8RANGE, INT8RANGE_ARRAY),
    (JSONPATH, JSONPATH_ARRAY),
    (REGNAMESPACE, REGNAMESPACE_ARRAY),
    (REGROLE, REGROLE_ARRAY),
    (REGCOLLATION, REGCOLLATION_ARRAY),
    (INT4MULTIRANGE, INT4MULTIRANGE_ARRAY),
    (NUMMULTIRANGE, NUMMULTIRANGE_ARRAY),
    (TSMULTIRANGE, TSMULTIRANGE_ARRAY),
    (TSTZMULTIRANGE, TSTZMULTIRANGE_ARRAY),
    (DATEMULTIRANGE, DATEMULTIRANGE_ARRAY),
    (INT8MULTIRANGE, INT8MULTIRANGE_ARRAY),
    (PG_SNAPSHOT, PG_SNAPSHOT_ARRAY),
    (XID8, XID8_ARRAY),
    (OID8, OID8_ARRAY),
    (REGDATABASE, REGDATABASE_ARRAY),
];

/// The type of arrays of this type; `None` if it is no built-in type, or has no arrays.
pub fn array_of(element: Oid) -> Option<Oid> {
    ARRAYS.iter().find(|(known, _)| *known == element).map(|(_, array)| *array)
}

/// The type of an array type's elements; `None` if it is no built-in array type.
pub fn element_of(array: Oid) -> Option<Oid> {
    ARRAYS.iter().find(|(_, known)| *known == array).map(|(element, _)| *element)
}

/// Whether the binary format of a type is its text. That of `jsonb` is, after a byte with its
/// version.
pub fn is_text_in_binary(oid: Oid) -> bool {
    matches!(oid, TEXT | VARCHAR | BPCHAR | NAME | JSON | JSONB | XML | UNKNOWN)
}

/// The type with this name, as SQL spells it: `int4`, `double precision`, `text[]`. `None` if it is
/// none of those that programs mostly use.
pub fn by_name(name: &str) -> Option<Oid> {
    let (name, is_array) = match name.strip_suffix("[]") {
        Some(element) => (element, true),
        None => (name, false),
    };
    let (oid, array) = match name {
        "bool" | "boolean" => (BOOL, BOOL_ARRAY),
        "bytea" => (BYTEA, BYTEA_ARRAY),
        "\"char\"" => (CHAR, CHAR_ARRAY),
        "name" => (NAME, NAME_ARRAY),
        "int8" | "bigint" => (INT8, INT8_ARRAY),
        "int2" | "smallint" => (INT2, INT2_ARRAY),
        "int4" | "int" | "integer" => (INT4, INT4_ARRAY),
        "text" => (TEXT, TEXT_ARRAY),
        "oid" => (OID, OID_ARRAY),
        "json" => (JSON, JSON_ARRAY),
        "xml" => (XML, XML_ARRAY),
        "cidr" => (CIDR, CIDR_ARRAY),
        "float4" | "real" => (FLOAT4, FLOAT4_ARRAY),
        "float8" | "float" | "double precision" => (FLOAT8, FLOAT8_ARRAY),
        "money" => (MONEY, MONEY_ARRAY),
        "macaddr" => (MACADDR, MACADDR_ARRAY),
        "inet" => (INET, INET_ARRAY),
        "bpchar" | "char" | "character" => (BPCHAR, BPCHAR_ARRAY),
        "varchar" | "character varying" => (VARCHAR, VARCHAR_ARRAY),
        "date" => (DATE, DATE_ARRAY),
        "time" | "time without time zone" => (TIME, TIME_ARRAY),
        "timestamp" | "timestamp without time zone" => (TIMESTAMP, TIMESTAMP_ARRAY),
        "timestamptz" | "timestamp with time zone" => (TIMESTAMPTZ, TIMESTAMPTZ_ARRAY),
        "interval" => (INTERVAL, INTERVAL_ARRAY),
        "timetz" | "time with time zone" => (TIMETZ, TIMETZ_ARRAY),
        "numeric" | "decimal" => (NUMERIC, NUMERIC_ARRAY),
        "uuid" => (UUID, UUID_ARRAY),
        "jsonb" => (JSONB, JSONB_ARRAY),
        "int4range" => (INT4RANGE, INT4RANGE_ARRAY),
        "numrange" => (NUMRANGE, NUMRANGE_ARRAY),
        "tsrange" => (TSRANGE, TSRANGE_ARRAY),
        "tstzrange" => (TSTZRANGE, TSTZRANGE_ARRAY),
        "daterange" => (DATERANGE, DATERANGE_ARRAY),
        "int8range" => (INT8RANGE, INT8RANGE_ARRAY),
        _ => return None,
    };
    Some(if is_array { array } else { oid })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_have_arrays() {
        assert_eq!(array_of(INT4), Some(INT4_ARRAY));
        assert_eq!(array_of(REGDATABASE), Some(REGDATABASE_ARRAY));
        assert_eq!(array_of(INT4_ARRAY), None);
        assert_eq!(array_of(UNKNOWN), None);
        assert_eq!(element_of(INT4_ARRAY), Some(INT4));
        assert_eq!(element_of(INT4), None);
    }

    #[test]
    fn types_have_names() {
        for (name, oid) in [
            ("int4", Some(INT4)),
            ("integer[]", Some(INT4_ARRAY)),
            ("double precision", Some(FLOAT8)),
            ("timestamp with time zone[]", Some(TIMESTAMPTZ_ARRAY)),
            ("\"char\"", Some(CHAR)),
            ("mood", None),
            ("int4[][]", None),
            ("", None),
        ] {
            assert_eq!(by_name(name), oid, "{name}");
        }
    }
}
