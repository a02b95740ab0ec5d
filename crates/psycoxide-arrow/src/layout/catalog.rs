//! What the server's catalogue says of types that are not built in.

use std::collections::HashMap;

use psycoxide_sql::oid::Oid;
use psycoxide_sql::text::array::{Item, Items, unescape};

use super::built_in::is_known;
use crate::error::LayoutError;

/// Types by their OID, as far as they were asked for.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    types: HashMap<Oid, TypeEntry>,
}

/// A type of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeEntry {
    /// Its name, as `format_type()` writes it: with its schema unless that is in the search path.
    pub name: String,
    /// What it is.
    pub kind: TypeKind,
}

/// What a type is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TypeKind {
    /// An enum with these labels, in their order.
    Enum(Vec<String>),
    /// A composite type, or a table's row type.
    Composite(Vec<CompositeField>),
    /// A domain over another type.
    Domain {
        /// The type below.
        base: Oid,
        /// The modifier of the type below; -1 if there is none.
        modifier: i32,
    },
    /// An array of elements of this type.
    Array(Oid),
    /// A range with bounds of this type.
    Range(Oid),
    /// A multirange of ranges of this type.
    Multirange(Oid),
    /// A type of its own: of an extension, mostly. The name is `pg_type.typname`.
    Base(String),
    /// A type that the server does not know any more.
    Gone,
}

impl TypeKind {
    /// Whether a type stays what it is for as long as it has its OID, as far as reading its values goes.
    ///
    /// Attributes of composite types are added, dropped, renamed and retyped by `ALTER`. A type that was
    /// not found may come into sight when a transaction ends.
    pub fn is_lasting(&self) -> bool {
        match self {
            // Values are labels, also those that are added or renamed.
            Self::Enum(_) => true,
            // Which type is a part never changes. What that one is, is asked by itself.
            Self::Array(_) | Self::Range(_) | Self::Multirange(_) | Self::Base(_) => true,
            Self::Composite(_) | Self::Domain { .. } | Self::Gone => false,
        }
    }
}

/// A field of a composite type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompositeField {
    /// Its name.
    pub name: String,
    /// Its type.
    pub oid: Oid,
    /// The modifier of its type; -1 if there is none.
    pub modifier: i32,
}

impl Catalog {
    /// What is known of a type.
    pub fn get(&self, oid: Oid) -> Option<&TypeEntry> {
        self.types.get(&oid)
    }

    /// Notes a type.
    pub fn insert(&mut self, oid: Oid, entry: TypeEntry) {
        self.types.insert(oid, entry);
    }

    /// Notes the type in a row of the query that `psycoxide_sql::command::types::query` writes.
    ///
    /// # Errors
    /// The row is none of that query's.
    pub fn take_row<'a>(
        &mut self,
        fields: impl IntoIterator<Item = Option<&'a [u8]>>,
    ) -> Result<(), LayoutError> {
        let malformed = || LayoutError("the server's answer about its types is malformed".into());
        let fields: Vec<_> = fields.into_iter().collect();
        let (oid, entry) = entry(&fields).ok_or_else(malformed)?;
        self.types.insert(oid, entry);
        Ok(())
    }

    /// Notes that those of these types that are not known are gone: they were asked for, and had no row.
    pub fn mark_gone(&mut self, asked: &[Oid]) {
        for oid in asked {
            self.types
                .entry(*oid)
                .or_insert_with(|| TypeEntry { name: oid.to_string(), kind: TypeKind::Gone });
        }
    }

    /// Notes those types of another catalogue that stay what they are.
    pub fn take_lasting(&mut self, from: &Self) {
        let lasting = from.types.iter().filter(|(_, entry)| entry.kind.is_lasting());
        self.types.extend(lasting.map(|(oid, entry)| (*oid, entry.clone())));
    }

    /// The types that have to be asked of the server before these can be laid out, in order and once
    /// each; the parts of known ones included.
    pub fn missing(&self, oids: impl IntoIterator<Item = Oid>) -> Vec<Oid> {
        let mut missing = Vec::new();
        let mut seen = Vec::new();
        let mut waiting: Vec<Oid> = oids.into_iter().collect();
        while let Some(oid) = waiting.pop() {
            if seen.contains(&oid) {
                continue;
            }
            seen.push(oid);
            match self.get(oid).map(|entry| &entry.kind) {
                None if is_known(oid) => {}
                None => missing.push(oid),
                Some(TypeKind::Composite(fields)) => {
                    waiting.extend(fields.iter().map(|field| field.oid));
                }
                Some(
                    TypeKind::Domain { base: part, .. }
                    | TypeKind::Array(part)
                    | TypeKind::Range(part)
                    | TypeKind::Multirange(part),
                ) => waiting.push(*part),
                Some(TypeKind::Enum(_) | TypeKind::Base(_) | TypeKind::Gone) => {}
            }
        }
        missing.sort_unstable();
        missing
    }
}

/// The type in a row of the query.
fn entry(fields: &[Option<&[u8]>]) -> Option<(Oid, TypeEntry)> {
    let &[oid, name, typname, kind, part, modifier, labels, names, types, modifiers] = fields
    else {
        return None;
    };
    let kind = match kind? {
        b"a" => TypeKind::Array(parsed(part?)?),
        b"d" => TypeKind::Domain { base: parsed(part?)?, modifier: parsed(modifier?)? },
        // The range of a type that is not in `pg_range`, and the like, can only be gone.
        b"r" => part.and_then(parsed).map_or(TypeKind::Gone, TypeKind::Range),
        b"m" => part.and_then(parsed).map_or(TypeKind::Gone, TypeKind::Multirange),
        b"e" => TypeKind::Enum(elements(labels)?),
        b"c" => TypeKind::Composite(composite(names, types, modifiers)?),
        _ => TypeKind::Base(text(typname?)?),
    };
    Some((parsed(oid?)?, TypeEntry { name: text(name?)?, kind }))
}

fn composite(
    names: Option<&[u8]>,
    types: Option<&[u8]>,
    modifiers: Option<&[u8]>,
) -> Option<Vec<CompositeField>> {
    let (names, types, modifiers) = (elements(names)?, elements(types)?, elements(modifiers)?);
    if names.len() != types.len() || names.len() != modifiers.len() {
        return None;
    }
    let fields = names.into_iter().zip(types).zip(modifiers).map(|((name, oid), modifier)| {
        Some(CompositeField { name, oid: oid.parse().ok()?, modifier: modifier.parse().ok()? })
    });
    fields.collect()
}

/// The elements of an array without NULLs; no array has none.
fn elements(array: Option<&[u8]>) -> Option<Vec<String>> {
    let Some(array) = array else { return Some(Vec::new()) };
    let mut items = Items::new(array);
    let mut elements = Vec::new();
    let mut unescaped = Vec::new();
    while let Some(item) = items.step().ok()? {
        match item {
            Item::Open | Item::Close => {}
            Item::Null => return None,
            Item::Plain(element) => elements.push(text(element)?),
            Item::Escaped(element) => {
                unescape(element, &mut unescaped);
                elements.push(text(&unescaped)?);
            }
        }
    }
    Some(elements)
}

fn text(bytes: &[u8]) -> Option<String> {
    String::from_utf8(bytes.to_vec()).ok()
}

fn parsed<T: std::str::FromStr>(bytes: &[u8]) -> Option<T> {
    std::str::from_utf8(bytes).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(fields: &[&str]) -> Result<Catalog, LayoutError> {
        let mut catalog = Catalog::default();
        catalog.take_row(fields.iter().map(|text| (*text != "-").then_some(text.as_bytes())))?;
        Ok(catalog)
    }

    #[test]
    fn rows_are_types() {
        let kind = |fields: &[&str]| row(fields).unwrap().get(50_000).unwrap().kind.clone();
        let none = ["-"; 4];
        let simple = |kind: &'static str, part: &'static str| {
            [&["50000", "s.t", "t", kind, part, "7"][..], &none].concat()
        };
        assert_eq!(kind(&simple("b", "0")), TypeKind::Base("t".into()));
        assert_eq!(kind(&simple("p", "0")), TypeKind::Base("t".into()));
        assert_eq!(kind(&simple("a", "23")), TypeKind::Array(23));
        assert_eq!(kind(&simple("d", "23")), TypeKind::Domain { base: 23, modifier: 7 });
        assert_eq!(kind(&simple("r", "23")), TypeKind::Range(23));
        assert_eq!(kind(&simple("m", "3904")), TypeKind::Multirange(3904));
        assert_eq!(kind(&simple("m", "-")), TypeKind::Gone);
        assert_eq!(row(&simple("b", "0")).unwrap().get(50_000).unwrap().name, "s.t");
        let labels = r#"{sad,"NULL","a \"b\"",é}"#;
        assert_eq!(
            kind(&["50000", "t", "t", "e", "0", "-1", labels, "-", "-", "-"]),
            TypeKind::Enum(["sad", "NULL", "a \"b\"", "é"].map(String::from).into())
        );
        assert_eq!(
            kind(&["50000", "t", "t", "c", "0", "-1", "-", "{a,b}", "{23,25}", "{-1,5}"]),
            TypeKind::Composite(vec![
                CompositeField { name: "a".into(), oid: 23, modifier: -1 },
                CompositeField { name: "b".into(), oid: 25, modifier: 5 },
            ])
        );
        assert_eq!(
            kind(&["50000", "t", "t", "c", "0", "-1", "-", "-", "-", "-"]),
            TypeKind::Composite(Vec::new())
        );
        assert!(row(&["x"]).is_err());
        assert!(row(&["50000", "t", "t", "c", "0", "-1", "-", "{a}", "{23,25}", "{-1}"]).is_err());
    }

    #[test]
    fn what_is_not_known_is_asked_for_with_its_parts() {
        let mut catalog = Catalog::default();
        assert_eq!(catalog.missing([23, 1007, 2249, 50_000, 50_001, 50_000]), [50_000, 50_001]);
        // A type of the system that is no type of values: a view's row, a domain of the standard.
        assert_eq!(catalog.missing([83]), [83]);
        let entry = |kind| TypeEntry { name: "t".into(), kind };
        catalog.insert(50_000, entry(TypeKind::Array(50_002)));
        catalog.insert(50_001, entry(TypeKind::Array(50_001)));
        assert_eq!(catalog.missing([50_000, 50_001]), [50_002]);
        catalog.mark_gone(&[50_000, 50_002]);
        assert_eq!(catalog.missing([50_000]), []);
        assert_eq!(catalog.get(50_000).unwrap().kind, TypeKind::Array(50_002));
        assert_eq!(catalog.get(50_002).unwrap().kind, TypeKind::Gone);
        let mut kept = Catalog::default();
        kept.take_lasting(&catalog);
        assert_eq!(kept.missing([50_000]), [50_002]);
    }

    #[test]
    fn what_can_change_is_not_kept() {
        let lasting = [
            TypeKind::Enum(vec!["a".into()]),
            TypeKind::Array(50_000),
            TypeKind::Range(50_000),
            TypeKind::Multirange(50_000),
            TypeKind::Base("hstore".into()),
        ];
        let changing = [
            TypeKind::Composite(Vec::new()),
            TypeKind::Domain { base: 50_000, modifier: -1 },
            TypeKind::Gone,
        ];
        assert!(lasting.iter().all(TypeKind::is_lasting));
        assert!(!changing.iter().any(TypeKind::is_lasting));
    }
}
