//! `BEGIN`, and the defaults for a session's transactions.
//!
//! <https://www.postgresql.org/docs/current/sql-begin.html>

/// A transaction isolation level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IsolationLevel {
    /// `READ COMMITTED`
    ReadCommitted,
    /// `REPEATABLE READ`
    RepeatableRead,
    /// `SERIALIZABLE`
    Serializable,
    /// `READ UNCOMMITTED`, which PostgreSQL treats as `READ COMMITTED`
    ReadUncommitted,
}

impl IsolationLevel {
    /// All levels, in the order of psycopg2's numbers, which begin at 1.
    pub const ALL: [Self; 4] =
        [Self::ReadCommitted, Self::RepeatableRead, Self::Serializable, Self::ReadUncommitted];

    /// The level with psycopg2's number (`ISOLATION_LEVEL_READ_COMMITTED` is 1).
    pub fn from_number(number: i64) -> Option<Self> {
        let index = usize::try_from(number.checked_sub(1)?).ok()?;
        Self::ALL.get(index).copied()
    }

    /// The level of this name, in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name().eq_ignore_ascii_case(name))
    }

    /// psycopg2's number.
    pub fn number(self) -> i64 {
        match self {
            Self::ReadCommitted => 1,
            Self::RepeatableRead => 2,
            Self::Serializable => 3,
            Self::ReadUncommitted => 4,
        }
    }

    /// The name in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Self::ReadCommitted => "READ COMMITTED",
            Self::RepeatableRead => "REPEATABLE READ",
            Self::Serializable => "SERIALIZABLE",
            Self::ReadUncommitted => "READ UNCOMMITTED",
        }
    }
}

/// How transactions begin; `None` leaves the choice to the server's defaults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Characteristics {
    /// The isolation level.
    pub isolation: Option<IsolationLevel>,
    /// `READ ONLY` or `READ WRITE`.
    pub readonly: Option<bool>,
    /// `DEFERRABLE` or `NOT DEFERRABLE`.
    pub deferrable: Option<bool>,
}

impl Characteristics {
    /// The `BEGIN` for such a transaction.
    pub fn begin(&self) -> String {
        let mut sql = String::from("BEGIN");
        if let Some(level) = self.isolation {
            sql.push_str(" ISOLATION LEVEL ");
            sql.push_str(level.name());
        }
        match self.readonly {
            Some(true) => sql.push_str(" READ ONLY"),
            Some(false) => sql.push_str(" READ WRITE"),
            None => {}
        }
        match self.deferrable {
            Some(true) => sql.push_str(" DEFERRABLE"),
            Some(false) => sql.push_str(" NOT DEFERRABLE"),
            None => {}
        }
        sql
    }
}

/// A `default_transaction_…` setting, for sessions in autocommit mode, where no `BEGIN` is sent.
///
/// <https://www.postgresql.org/docs/current/runtime-config-client.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionDefault {
    /// `default_transaction_isolation`
    Isolation(Option<IsolationLevel>),
    /// `default_transaction_read_only`
    ReadOnly(Option<bool>),
    /// `default_transaction_deferrable`
    Deferrable(Option<bool>),
}

impl SessionDefault {
    /// The `SET` statement for it. `None` restores the session's own default.
    pub fn set(self) -> String {
        let (name, value) = match self {
            Self::Isolation(level) => ("isolation", level.map(|level| level.name().to_owned())),
            Self::ReadOnly(value) => ("read_only", value.map(on_off)),
            Self::Deferrable(value) => ("deferrable", value.map(on_off)),
        };
        match value {
            Some(value) => format!("SET default_transaction_{name} TO '{value}'"),
            None => format!("SET default_transaction_{name} TO DEFAULT"),
        }
    }
}

fn on_off(value: bool) -> String {
    if value { "on" } else { "off" }.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_begin_says_nothing_more() {
        assert_eq!(Characteristics::default().begin(), "BEGIN");
    }

    #[test]
    fn every_characteristic_is_written() {
        let characteristics = Characteristics {
            isolation: Some(IsolationLevel::Serializable),
            readonly: Some(true),
            deferrable: Some(false),
        };
        assert_eq!(
            characteristics.begin(),
            "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY NOT DEFERRABLE"
        );
    }

    #[test]
    fn levels_are_found_by_number_and_name() {
        for level in IsolationLevel::ALL {
            assert_eq!(IsolationLevel::from_number(level.number()), Some(level));
            assert_eq!(IsolationLevel::from_name(&level.name().to_ascii_lowercase()), Some(level));
        }
        for number in [i64::MIN, -1, 0, 5, i64::MAX] {
            assert_eq!(IsolationLevel::from_number(number), None);
        }
        assert_eq!(IsolationLevel::from_name("snapshot"), None);
    }

    #[test]
    fn defaults_are_set_and_reset() {
        assert_eq!(
            SessionDefault::Isolation(Some(IsolationLevel::RepeatableRead)).set(),
            "SET default_transaction_isolation TO 'REPEATABLE READ'"
        );
        assert_eq!(
            SessionDefault::ReadOnly(Some(true)).set(),
            "SET default_transaction_read_only TO 'on'"
        );
        assert_eq!(
            SessionDefault::Deferrable(None).set(),
            "SET default_transaction_deferrable TO DEFAULT"
        );
    }
}
