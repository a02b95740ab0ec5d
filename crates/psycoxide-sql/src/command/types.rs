//! A query for what types are.
//!
//! <https://www.postgresql.org/docs/current/catalog-pg-type.html>

use std::fmt::Write;

use crate::oid::Oid;

/// The number of columns of the query's result.
pub const COLUMNS: usize = 10;

/// The first version with multiranges.
const MULTIRANGES: i32 = 140_000;

/// A query for these types on a server of this version (`server_version_num`).
///
/// All columns are text: the type's OID; its name as `format_type()` writes it; `typname`; its kind (`a`
/// for an array, or `typtype`); the OID of its element, base type, bound or range; the modifier of its
/// base type; the labels of an enum, as an array; the names, types and modifiers of a composite type's
/// fields, as arrays. Types that there are not have no row.
pub fn query(oids: &[Oid], server_version: i32) -> String {
    let mut list = String::new();
    for oid in oids {
        let separator = if list.is_empty() { "" } else { ", " };
        // Writing to a string does not fail.
        let _ = write!(list, "{separator}{oid}");
    }
    if list.is_empty() {
        list.push('0');
    }
    let multirange = if server_version >= MULTIRANGES {
        "WHEN 'm' THEN (SELECT r.rngtypid FROM pg_catalog.pg_range r \
         WHERE r.rngmultitypid = t.oid) "
    } else {
        ""
    };
    let fields = |aggregated: &str| {
        format!(
            "(SELECT pg_catalog.array_agg({aggregated} ORDER BY a.attnum) \
             FROM pg_catalog.pg_attribute a WHERE t.typtype = 'c' AND a.attrelid = t.typrelid \
             AND a.attnum > 0 AND NOT a.attisdropped)::pg_catalog.text"
        )
    };
    let (names, types, modifiers) =
        (fields("a.attname::pg_catalog.text"), fields("a.atttypid"), fields("a.atttypmod"));
    // The category of a domain is that of its base type, and so may be its element.
    format!(
        "SELECT t.oid::pg_catalog.text, pg_catalog.format_type(t.oid, NULL), \
         t.typname::pg_catalog.text, \
         CASE WHEN t.typtype = 'b' AND t.typcategory = 'A' AND t.typelem <> 0 THEN 'a' \
         ELSE t.typtype::pg_catalog.text END, \
         (CASE t.typtype WHEN 'd' THEN t.typbasetype \
         WHEN 'r' THEN (SELECT r.rngsubtype FROM pg_catalog.pg_range r WHERE r.rngtypid = t.oid) \
         {multirange}ELSE t.typelem END)::pg_catalog.text, t.typtypmod::pg_catalog.text, \
         (SELECT pg_catalog.array_agg(e.enumlabel::pg_catalog.text ORDER BY e.enumsortorder) \
         FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid)::pg_catalog.text, \
         {names}, {types}, {modifiers} \
         FROM pg_catalog.pg_type t WHERE t.oid IN ({list})"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_asked_for() {
        assert!(query(&[23, 4_294_967_295], 150_000).ends_with(" IN (23, 4294967295)"));
        assert!(query(&[], 150_000).ends_with(" IN (0)"));
        assert!(query(&[1], 140_000).contains("rngmultitypid"));
        assert!(!query(&[1], 130_020).contains("rngmultitypid"));
    }
}
