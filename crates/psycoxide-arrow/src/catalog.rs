//! What the server's catalogue says of types that are not built in.

use std::collections::HashMap;

use psycoxide_sql::oid::Oid;

use crate::layout::is_known;

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

    /// Forgets all types.
    pub fn clear(&mut self) {
        self.types.clear();
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
