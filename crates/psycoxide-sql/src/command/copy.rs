//! `COPY` of a table, as `copy_from` and `copy_to` write it.
//!
//! <https://www.postgresql.org/docs/current/sql-copy.html>.
//! The names must be quoted identifiers, separator and null quoted string literals.

/// The options of `copy_from` and `copy_to`.
#[derive(Clone, Debug)]
pub struct Table {
    /// The table's name.
    pub name: Vec<u8>,
    /// The columns' names; none stands for all columns.
    pub columns: Vec<Vec<u8>>,
    /// The separator between two columns.
    pub separator: Vec<u8>,
    /// The text for NULL.
    pub null: Vec<u8>,
}

impl Table {
    /// `COPY name(columns) FROM stdin WITH DELIMITER AS separator NULL AS null`
    pub fn copy_from(&self) -> Vec<u8> {
        self.copy(b" FROM stdin")
    }

    /// `COPY name(columns) TO stdout WITH DELIMITER AS separator NULL AS null`
    pub fn copy_to(&self) -> Vec<u8> {
        self.copy(b" TO stdout")
    }

    fn copy(&self, direction: &[u8]) -> Vec<u8> {
        let mut sql = [b"COPY ", self.name.as_slice()].concat();
        if !self.columns.is_empty() {
            sql.extend_from_slice(b"(");
            sql.extend_from_slice(&self.columns.join(b",".as_slice()));
            sql.push(b')');
        }
        sql.extend_from_slice(direction);
        sql.extend_from_slice(b" WITH DELIMITER AS ");
        sql.extend_from_slice(&self.separator);
        sql.extend_from_slice(b" NULL AS ");
        sql.extend_from_slice(&self.null);
        sql
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_and_without_columns() {
        let columns = vec![b"\"a\"".to_vec(), b"\"b\"".to_vec()];
        let (separator, null) = (b"'\t'".to_vec(), b"'\\N'".to_vec());
        let table = Table { name: b"\"t\"".to_vec(), columns, separator, null };
        assert_eq!(
            table.copy_from(),
            b"COPY \"t\"(\"a\",\"b\") FROM stdin WITH DELIMITER AS '\t' NULL AS '\\N'"
        );
        let table = Table { columns: Vec::new(), ..table };
        assert_eq!(table.copy_to(), b"COPY \"t\" TO stdout WITH DELIMITER AS '\t' NULL AS '\\N'");
    }
}
