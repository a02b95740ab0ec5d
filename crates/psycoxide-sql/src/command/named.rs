//! Named (server-side) cursors.
//!
//! <https://www.postgresql.org/docs/current/sql-declare.html>,
//! <https://www.postgresql.org/docs/current/sql-fetch.html>.
//! Names must be quoted already, because quoting depends on the client encoding.

/// The options of a named cursor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Declaration {
    /// `SCROLL`, `NO SCROLL`, or the server's choice.
    pub scrollable: Option<bool>,
    /// `WITH HOLD`: the cursor outlives its transaction.
    pub withhold: bool,
}

impl Declaration {
    /// `DECLARE name [[NO] SCROLL] CURSOR WITH[OUT] HOLD FOR query`
    pub fn declare(&self, name: &[u8], query: &[u8]) -> Vec<u8> {
        let scroll: &[u8] = match self.scrollable {
            Some(true) => b"SCROLL ",
            Some(false) => b"NO SCROLL ",
            None => b"",
        };
        let hold: &[u8] = if self.withhold { b"WITH" } else { b"WITHOUT" };
        [b"DECLARE ", name, b" ", scroll, b"CURSOR ", hold, b" HOLD FOR ", query].concat()
    }
}

/// `FETCH FORWARD count FROM name`; `FORWARD ALL` without a count.
pub fn fetch(name: &[u8], count: Option<i64>) -> Vec<u8> {
    match count {
        Some(count) => [b"FETCH FORWARD ", count.to_string().as_bytes(), b" FROM ", name].concat(),
        None => [b"FETCH FORWARD ALL FROM ", name].concat(),
    }
}

/// `MOVE count FROM name`, or `MOVE ABSOLUTE count FROM name`.
pub fn scroll(name: &[u8], count: i64, absolute: bool) -> Vec<u8> {
    let absolute: &[u8] = if absolute { b"ABSOLUTE " } else { b"" };
    [b"MOVE ", absolute, count.to_string().as_bytes(), b" FROM ", name].concat()
}

/// `CLOSE name`
pub fn close(name: &[u8]) -> Vec<u8> {
    [b"CLOSE ", name].concat()
}

/// A query for whether the cursor `name`, a quoted string literal, exists.
pub fn exists(name: &[u8]) -> Vec<u8> {
    [b"SELECT 1 FROM pg_catalog.pg_cursors WHERE name = ", name].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declarations() {
        let declare = |scrollable, withhold| {
            let sql = Declaration { scrollable, withhold }.declare(b"\"c\"", b"select 1");
            String::from_utf8(sql).unwrap()
        };
        assert_eq!(declare(None, false), "DECLARE \"c\" CURSOR WITHOUT HOLD FOR select 1");
        assert_eq!(declare(Some(true), true), "DECLARE \"c\" SCROLL CURSOR WITH HOLD FOR select 1");
        assert_eq!(
            declare(Some(false), false),
            "DECLARE \"c\" NO SCROLL CURSOR WITHOUT HOLD FOR select 1"
        );
    }

    #[test]
    fn moves_and_fetches() {
        assert_eq!(fetch(b"\"c\"", Some(10)), b"FETCH FORWARD 10 FROM \"c\"");
        assert_eq!(fetch(b"\"c\"", None), b"FETCH FORWARD ALL FROM \"c\"");
        assert_eq!(scroll(b"\"c\"", -3, false), b"MOVE -3 FROM \"c\"");
        assert_eq!(scroll(b"\"c\"", 0, true), b"MOVE ABSOLUTE 0 FROM \"c\"");
        assert_eq!(close(b"\"c\""), b"CLOSE \"c\"");
    }
}
