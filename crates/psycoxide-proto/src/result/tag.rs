//! The command tag: `INSERT 0 5`, `SELECT 3`, `CREATE TABLE`.
//!
//! <https://www.postgresql.org/docs/current/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-COMMANDCOMPLETE>

use smallvec::SmallVec;

/// A command tag. The usual ones need no allocation.
pub type Tag = SmallVec<[u8; 24]>;

/// The commands whose tag ends with a row count. `COPY` has had one since PostgreSQL 8.2; `MERGE`
/// exists since 15.
const COUNTED: [&[u8]; 8] =
    [b"SELECT", b"UPDATE", b"DELETE", b"FETCH", b"MOVE", b"COPY", b"MERGE", b"INSERT"];

/// The number of affected rows, if the tag tells it.
pub(crate) fn affected(tag: &[u8]) -> Option<u64> {
    // The fast path for `executemany()`. The object identifier is 0 on servers since 12.
    if let Some(count) = tag.strip_prefix(b"INSERT 0 ") {
        return number(count);
    }
    let mut words = tag.split(|byte| *byte == b' ');
    let command = words.next()?;
    if !COUNTED.contains(&command) {
        return None;
    }
    if command == b"INSERT" {
        words.next()?; // the object identifier
    }
    let count = number(words.next()?)?;
    if words.next().is_some() { None } else { Some(count) }
}

/// The object identifier in an `INSERT` tag; 0 in other tags, and on servers since 12.
pub(crate) fn inserted_oid(tag: &[u8]) -> u32 {
    let Some(rest) = tag.strip_prefix(b"INSERT ") else { return 0 };
    let mut words = rest.split(|byte| *byte == b' ');
    words.next().and_then(number).and_then(|oid| u32::try_from(oid).ok()).unwrap_or(0)
}

/// A decimal number without anything else.
fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit <= 9)?;
        number.checked_mul(10)?.checked_add(digit.into())
    })
}

#[cfg(test)]
mod tests {
    use super::{affected, inserted_oid};

    #[test]
    fn counts_of_every_command_that_has_one() {
        for (tag, count) in [
            ("SELECT 3", 3),
            ("INSERT 0 5", 5),
            ("INSERT 4711 1", 1),
            ("UPDATE 0", 0),
            ("DELETE 12", 12),
            ("FETCH 7", 7),
            ("MOVE 1", 1),
            ("COPY 18446744073709551615", u64::MAX),
            ("MERGE 2", 2),
        ] {
            assert_eq!(affected(tag.as_bytes()), Some(count), "{tag}");
        }
    }

    #[test]
    fn no_count_elsewhere() {
        for tag in [
            "",
            "BEGIN",
            "CREATE TABLE",
            "SELECT",
            "SELECT x",
            "SELECT 1 2",
            "INSERT 5",
            "INSERT 0 ",
            "INSERT 0 5 6",
            "INSERT 0 5x",
            "DO 3",
            "SELECT +3",
            "COPY 18446744073709551616",
            "SELECT  3",
        ] {
            assert_eq!(affected(tag.as_bytes()), None, "{tag}");
        }
    }

    #[test]
    fn an_insert_may_name_its_row() {
        assert_eq!(inserted_oid(b"INSERT 4711 1"), 4711);
        assert_eq!(inserted_oid(b"INSERT 0 1"), 0);
        assert_eq!(inserted_oid(b"INSERT 4294967296 1"), 0);
        assert_eq!(inserted_oid(b"UPDATE 3"), 0);
        assert_eq!(inserted_oid(b"INSERT"), 0);
    }
}
