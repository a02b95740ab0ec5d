//! The built-in types whose layout is known without the server's catalogue.

use psycoxide_sql::binary::{bits, datetime, network};
use psycoxide_sql::oid::{self, Oid};

use super::kind::{Int, Kind, Text};

/// `int2vector`: an array of `int2` with a text of its own.
pub(super) const INT2VECTOR: Oid = 22;
/// `oidvector`
pub(super) const OIDVECTOR: Oid = 30;

/// What a built-in type is, and its name. `None` if it is an array, or not known here.
pub(super) fn scalar(oid: Oid) -> Option<(Kind, &'static str)> {
    let written = |write| Kind::Text(Text::Written(write));
    let same = Kind::Text(Text::Same);
    let text = Kind::Text(Text::Only);
    Some(match oid {
        oid::BOOL => (Kind::Bool, "bool"),
        oid::INT2 => (Kind::Int(Int::Two), "int2"),
        oid::INT4 => (Kind::Int(Int::Four), "int4"),
        oid::INT8 => (Kind::Int(Int::Eight), "int8"),
        oid::OID => (Kind::Int(Int::FourUnsigned), "oid"),
        oid::XID => (Kind::Int(Int::FourUnsigned), "xid"),
        oid::CID => (Kind::Int(Int::FourUnsigned), "cid"),
        oid::XID8 => (Kind::Int(Int::EightUnsigned), "xid8"),
        oid::OID8 => (Kind::Int(Int::EightUnsigned), "oid8"),
        oid::FLOAT4 => (Kind::Float4, "float4"),
        oid::FLOAT8 => (Kind::Float8, "float8"),
        oid::NUMERIC => (Kind::Numeric(None), "numeric"),
        oid::TEXT => (same, "text"),
        oid::VARCHAR => (same, "varchar"),
        oid::BPCHAR => (same, "bpchar"),
        oid::NAME => (same, "name"),
        oid::UNKNOWN => (same, "unknown"),
        oid::CHAR => (Kind::Text(Text::Char), "char"),
        oid::JSON => (Kind::Json, "json"),
        oid::JSONB => (Kind::Jsonb, "jsonb"),
        oid::BYTEA => (Kind::Bytea, "bytea"),
        oid::UUID => (Kind::Uuid, "uuid"),
        oid::DATE => (Kind::Date, "date"),
        oid::TIME => (Kind::Time, "time"),
        oid::TIMESTAMP => (Kind::Timestamp { zoned: false }, "timestamp"),
        oid::TIMESTAMPTZ => (Kind::Timestamp { zoned: true }, "timestamptz"),
        oid::INTERVAL => (Kind::Interval, "interval"),
        oid::TIMETZ => (written(datetime::write_timetz), "timetz"),
        oid::BIT => (written(bits::write), "bit"),
        oid::VARBIT => (written(bits::write), "varbit"),
        oid::INET => (written(network::write_inet), "inet"),
        oid::CIDR => (written(network::write_cidr), "cidr"),
        oid::MACADDR => (written(network::write_mac::<6>), "macaddr"),
        oid::MACADDR8 => (written(network::write_mac::<8>), "macaddr8"),
        oid::VOID => (Kind::Void, "void"),
        // How many decimals its binary format has is `lc_monetary`'s business, which the client cannot
        // know: it is delivered as the server writes it.
        oid::MONEY => (text, "money"),
        oid::XML => (text, "xml"),
        oid::POINT => (text, "point"),
        oid::LSEG => (text, "lseg"),
        oid::PATH => (text, "path"),
        oid::BOX => (Kind::Text(Text::Box), "box"),
        oid::POLYGON => (text, "polygon"),
        oid::LINE => (text, "line"),
        oid::CIRCLE => (text, "circle"),
        oid::REGPROC => (text, "regproc"),
        oid::REGPROCEDURE => (text, "regprocedure"),
        oid::REGOPER => (text, "regoper"),
        oid::REGOPERATOR => (text, "regoperator"),
        oid::REGCLASS => (text, "regclass"),
        oid::REGTYPE => (text, "regtype"),
        oid::REGCONFIG => (text, "regconfig"),
        oid::REGDICTIONARY => (text, "regdictionary"),
        oid::REGNAMESPACE => (text, "regnamespace"),
        oid::REGROLE => (text, "regrole"),
        oid::REGCOLLATION => (text, "regcollation"),
        oid::REGDATABASE => (text, "regdatabase"),
        oid::RECORD => (text, "record"),
        oid::PG_LSN => (text, "pg_lsn"),
        oid::TSVECTOR => (text, "tsvector"),
        oid::TSQUERY => (text, "tsquery"),
        oid::JSONPATH => (text, "jsonpath"),
        oid::PG_SNAPSHOT => (text, "pg_snapshot"),
        _ => return None,
    })
}

/// The type of a built-in range's bounds, and the range's name.
pub(super) fn range(oid: Oid) -> Option<(Oid, &'static str)> {
    Some(match oid {
        oid::INT4RANGE => (oid::INT4, "int4range"),
        oid::INT8RANGE => (oid::INT8, "int8range"),
        oid::NUMRANGE => (oid::NUMERIC, "numrange"),
        oid::DATERANGE => (oid::DATE, "daterange"),
        oid::TSRANGE => (oid::TIMESTAMP, "tsrange"),
        oid::TSTZRANGE => (oid::TIMESTAMPTZ, "tstzrange"),
        _ => return None,
    })
}

/// The type of a built-in multirange's ranges, and the multirange's name.
pub(super) fn multirange(oid: Oid) -> Option<(Oid, &'static str)> {
    Some(match oid {
        oid::INT4MULTIRANGE => (oid::INT4RANGE, "int4multirange"),
        oid::INT8MULTIRANGE => (oid::INT8RANGE, "int8multirange"),
        oid::NUMMULTIRANGE => (oid::NUMRANGE, "nummultirange"),
        oid::DATEMULTIRANGE => (oid::DATERANGE, "datemultirange"),
        oid::TSMULTIRANGE => (oid::TSRANGE, "tsmultirange"),
        oid::TSTZMULTIRANGE => (oid::TSTZRANGE, "tstzmultirange"),
        _ => return None,
    })
}

/// The type of a built-in array type's elements.
pub(super) fn element(oid: Oid) -> Option<Oid> {
    match oid {
        INT2VECTOR => Some(oid::INT2),
        OIDVECTOR => Some(oid::OID),
        _ => oid::element_of(oid),
    }
}

/// Whether the layout of a type is known without the server's catalogue.
pub(crate) fn is_known(oid: Oid) -> bool {
    scalar(oid).is_some()
        || element(oid).is_some()
        || range(oid).is_some()
        || multirange(oid).is_some()
}
