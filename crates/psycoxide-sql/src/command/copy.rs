//! `COPY` of a table, as `copy_from` and `copy_to` write it.
//!
//! <https://www.postgresql.org/docs/current/sql-copy.html>.
//! The names must be quoted identifiers, separator and null quoted string literals.

/// The options of `copy_from` and `copy_to`.
#[derive(Clone, Copy, Debug)]
pub struct Table<'a> {
    /// The table's name.
    pub name: &'a [u8],
    /// The columns' names; none stands for all columns.
    pub columns: &'a [Vec<u8>],
    /// The separator between two columns.
    pub separator: &'a [u8],
    /// The text for NULL.
    pub null: &'a [u8],
}

impl Table<'_> {
    /// `COPY name(columns) FROM stdin WITH DELIMITER AS separator NULL AS null`
    pub fn copy_from(&self) -> Vec<u8> {
        self.copy(b" FROM stdin")
    }

    /// `COPY name(columns) TO stdout WITH DELIMITER AS separator NULL AS null`
    pub fn copy_to(&self) -> Vec<u8> {
        self.copy(b" TO stdout")
    }

    fn copy(&self, direction: &[u8]) -> Vec<u8> {
        let mut sql = [b"COPY ", self.name].concat();
        if !self.columns.is_empty() {
            sql.extend_from_slice(b"(");
            sql.extend_from_slice(&self.columns.join(b",".as_slice()));
            sql.push(b')');
        }
        sql.extend_from_slice(direction);
        sql.extend_from_slice(b" WITH DELIMITER AS ");
        sql.extend_from_slice(self.separator);
        sql.extend_from_slice(b" NULL AS ");
        sql.extend_from_slice(self.null);
        sql
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_and_without_columns() {
        let columns = [b"\"a\"".to_vec(), b"\"b\"".to_vec()];
        let table = Table { name: b"\"t\"", columns: &columns, separator: b"'\t'", null: b"'\\N'" };
        assert_eq!(
            table.copy_from(),
            b"COPY \"t\"(\"a\",\"b\") FROM stdin WITH DELIMITER AS '\t' NULL AS '\\N'"
        );
        let table = Table { columns: &[], ..table };
        assert_eq!(table.copy_to(), b"COPY \"t\" TO stdout WITH DELIMITER AS '\t' NULL AS '\\N'");
    }
}
