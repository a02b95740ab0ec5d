//! The names of columns.

use std::collections::{HashMap, HashSet};

use psycoxide_sql::text::array::MAX_DEPTH;

use super::ColumnSpec;
use crate::error::LayoutError;
use crate::options::{DuplicateNames, Options};

/// Refuses options for columns that there are not: they are misspelt.
pub(super) fn check(columns: &[ColumnSpec], options: &Options) -> Result<(), LayoutError> {
    let names = || columns.iter().map(|column| column.name.as_str());
    let unknown = |name: &&String| !names().any(|known| known == name.as_str());
    for (option, found) in [
        ("schema", options.types.keys().filter(unknown).min()),
        ("dims", options.dimensions.keys().filter(unknown).min()),
    ] {
        if let Some(name) = found {
            let known = names().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
            return Err(LayoutError(format!(
                "{option} names a column \"{name}\", which the result does not have: its columns are \
                 {known}"
            )));
        }
    }
    match options.dimensions.iter().find(|(_, dimensions)| !(1..=MAX_DEPTH).contains(dimensions)) {
        Some((name, dimensions)) => Err(LayoutError(format!(
            "column \"{name}\": arrays have 1 to {MAX_DEPTH} dimensions, not {dimensions}"
        ))),
        None => Ok(()),
    }
}

/// The names that the columns get.
pub(super) fn of_columns(columns: &[ColumnSpec], duplicates: DuplicateNames) -> Vec<String> {
    let given = columns.iter().map(|column| column.name.clone());
    if duplicates == DuplicateNames::Keep {
        return given.collect();
    }
    // A name that is made must not be that of another column.
    let mut used: HashSet<String> = given.clone().collect();
    let mut counts: HashMap<String, usize> = HashMap::new();
    given
        .map(|name| {
            let count = counts.entry(name.clone()).or_default();
            *count += 1;
            if *count == 1 {
                return name;
            }
            loop {
                let numbered = format!("{name}_{count}");
                if used.insert(numbered.clone()) {
                    return numbered;
                }
                *count += 1;
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(names: &[&str]) -> Vec<ColumnSpec> {
        let column = |name: &&str| ColumnSpec {
            name: (*name).to_owned(),
            oid: 23,
            modifier: -1,
            binary: false,
        };
        names.iter().map(column).collect()
    }

    #[test]
    fn duplicates_are_numbered() {
        let names = columns(&["a", "b", "a", "a_2", "a", "b"]);
        let numbered = of_columns(&names, DuplicateNames::Suffix);
        assert_eq!(numbered, ["a", "b", "a_3", "a_2", "a_4", "b_2"]);
        assert_eq!(of_columns(&names, DuplicateNames::Keep), ["a", "b", "a", "a_2", "a", "b"]);
    }

    #[test]
    fn options_for_other_columns_are_refused() {
        let mut options = Options::default();
        options.dimensions.insert("c".into(), 2);
        let LayoutError(reason) = check(&columns(&["a", "b"]), &options).unwrap_err();
        assert!(reason.contains("\"c\"") && reason.contains("\"a\", \"b\""), "{reason}");
        options.dimensions = [("a".into(), 0)].into();
        assert!(check(&columns(&["a"]), &options).is_err());
        options.dimensions = [("a".into(), 3)].into();
        assert_eq!(check(&columns(&["a"]), &options), Ok(()));
    }
}
