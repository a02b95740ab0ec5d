//! The keywords that tell what may stand next to them.

/// A keyword, as far as it matters to what may be bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the word itself, but for those that say what they are")]
pub enum Keyword {
    /// Any other word: a name, or a keyword behind which no expression begins.
    Other,
    /// A type whose name may be followed by a number in brackets, or what is written like one.
    WithModifier,
    /// `SUBSTRING`, `TRIM`, `OVERLAY`: functions whose arguments may be parted by FROM and FOR.
    WithClauses,
    /// `BOTH`, `LEADING`, `TRAILING`
    Trimmed,
    /// `ISNULL`, `NOTNULL`
    NullTest,
    /// `UNION`, `EXCEPT`, `INTERSECT`
    SetOperation,
    /// `LIKE`, `ILIKE`, `SYMMETRIC`, `ASYMMETRIC`, `ESCAPE`, `PLACING`, `VARIADIC`
    BeforeOperand,
    /// `ROLLUP`, `CUBE`, and the end of `GROUPING SETS`
    GroupingSets,
    And,
    As,
    At,
    Between,
    By,
    Case,
    Cast,
    Collate,
    Conflict,
    Create,
    Delete,
    Distinct,
    Do,
    Else,
    Extract,
    Fetch,
    First,
    For,
    From,
    Group,
    Having,
    In,
    Insert,
    Into,
    Is,
    Join,
    JsonTable,
    Lateral,
    Limit,
    Materialized,
    Merge,
    Next,
    Not,
    Null,
    Offset,
    On,
    Only,
    Or,
    Order,
    Partition,
    Position,
    Returning,
    Select,
    Set,
    Similar,
    Table,
    Then,
    Time,
    To,
    Update,
    Using,
    Values,
    When,
    Where,
    Window,
    With,
    Zone,
}

#[derive(Clone, Copy)]
struct Entry {
    key: u128,
    length: u8,
    keyword: Keyword,
}

const EMPTY: Entry = Entry { key: 0, length: 0, keyword: Keyword::Other };

macro_rules! table {
    ($($text:literal $keyword:ident,)*) => {
        {
            let mut table = [EMPTY; SLOTS];
            $(
                let text: &[u8] = $text;
                let (key, length) = (pack(text), text.len() as u8);
                let mut slot = first_slot(key);
                while table[slot].length > 0 {
                    slot = (slot + 1) % SLOTS;
                }
                table[slot] = Entry { key, length, keyword: Keyword::$keyword };
            )*
            table
        }
    };
}

/// More than twice as many as there are keywords, so that few have to be looked for.
const SLOTS: usize = 256;

static TABLE: [Entry; SLOTS] = table! {
    b"and" And,
    b"as" As,
    b"asymmetric" BeforeOperand,
    b"at" At,
    b"between" Between,
    b"bit" WithModifier,
    b"both" Trimmed,
    b"by" By,
    b"case" Case,
    b"cast" Cast,
    b"char" WithModifier,
    b"character" WithModifier,
    b"collate" Collate,
    b"conflict" Conflict,
    b"create" Create,
    b"cube" GroupingSets,
    b"current_time" WithModifier,
    b"current_timestamp" WithModifier,
    b"dec" WithModifier,
    b"decimal" WithModifier,
    b"delete" Delete,
    b"distinct" Distinct,
    b"do" Do,
    b"else" Else,
    b"escape" BeforeOperand,
    b"except" SetOperation,
    b"extract" Extract,
    b"fetch" Fetch,
    b"first" First,
    b"float" WithModifier,
    b"for" For,
    b"from" From,
    b"group" Group,
    b"having" Having,
    b"ilike" BeforeOperand,
    b"in" In,
    b"insert" Insert,
    b"intersect" SetOperation,
    b"interval" WithModifier,
    b"into" Into,
    b"is" Is,
    b"isnull" NullTest,
    b"join" Join,
    b"json_table" JsonTable,
    b"lateral" Lateral,
    b"leading" Trimmed,
    b"like" BeforeOperand,
    b"limit" Limit,
    b"localtime" WithModifier,
    b"localtimestamp" WithModifier,
    b"materialized" Materialized,
    b"merge" Merge,
    b"nchar" WithModifier,
    b"next" Next,
    b"not" Not,
    b"notnull" NullTest,
    b"null" Null,
    b"numeric" WithModifier,
    b"offset" Offset,
    b"on" On,
    b"only" Only,
    b"or" Or,
    b"order" Order,
    b"overlay" WithClauses,
    b"partition" Partition,
    b"placing" BeforeOperand,
    b"position" Position,
    b"returning" Returning,
    b"rollup" GroupingSets,
    b"second" WithModifier,
    b"select" Select,
    b"set" Set,
    b"sets" GroupingSets,
    b"similar" Similar,
    b"substring" WithClauses,
    b"symmetric" BeforeOperand,
    b"table" Table,
    b"then" Then,
    b"time" Time,
    b"timestamp" WithModifier,
    b"to" To,
    b"trailing" Trimmed,
    b"treat" Cast,
    b"trim" WithClauses,
    b"union" SetOperation,
    b"update" Update,
    b"using" Using,
    b"values" Values,
    b"varchar" WithModifier,
    b"variadic" BeforeOperand,
    b"varying" WithModifier,
    b"when" When,
    b"where" Where,
    b"window" Window,
    b"with" With,
    b"zone" Zone,
};

impl Keyword {
    /// The keyword that a word is, in whatever case.
    pub fn of(word: &[u8]) -> Keyword {
        /// `current_timestamp`
        const LONGEST: usize = 17;
        if !matches!(word.len(), 2..=LONGEST) {
            return Keyword::Other;
        }
        let key = pack(word);
        let mut slot = first_slot(key);
        while let Some(entry) = TABLE.get(slot) {
            if entry.key == key && usize::from(entry.length) == word.len() {
                return entry.keyword;
            }
            if entry.length == 0 {
                break;
            }
            slot = (slot + 1) % SLOTS;
        }
        Keyword::Other
    }
}

/// A word as a number that is the same for capital and small letters. Words of one length, up to 16
/// bytes, have different numbers; of longer ones only both ends are looked at.
#[inline]
const fn pack(word: &[u8]) -> u128 {
    const CASE: u128 = u128::from_le_bytes([0x20; 16]);
    let both_ends = if let (Some(first), Some(last)) = (word.first_chunk(), word.last_chunk()) {
        (u64::from_le_bytes(*first) as u128) << 64 | u64::from_le_bytes(*last) as u128
    } else if let (Some(first), Some(last)) = (word.first_chunk(), word.last_chunk()) {
        (u32::from_le_bytes(*first) as u128) << 64 | u32::from_le_bytes(*last) as u128
    } else if let (Some(first), Some(last)) = (word.first_chunk(), word.last_chunk()) {
        (u16::from_le_bytes(*first) as u128) << 64 | u16::from_le_bytes(*last) as u128
    } else {
        0
    };
    both_ends | CASE
}

const fn first_slot(key: u128) -> usize {
    // Of many factors that were tried this one makes the fewest keywords share a slot.
    const FACTOR: u64 = 0xa8ea_37f7_523d_2a55;
    let folded = (key >> 64) as u64 ^ (key as u64).rotate_left(29);
    (folded.wrapping_mul(FACTOR) >> 56) as usize % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_are_found_in_any_case() {
        assert_eq!(Keyword::of(b"SeLeCt"), Keyword::Select);
        assert_eq!(Keyword::of(b"JSON_TABLE"), Keyword::JsonTable);
        assert_eq!(Keyword::of(b"current_timestamp"), Keyword::WithModifier);
        assert_eq!(Keyword::of(b"current_timestaXp"), Keyword::Other);
        for word in ["", "a", "selec", "selects", "current_timestamp_", "current_timestamx", "été"]
        {
            assert_eq!(Keyword::of(word.as_bytes()), Keyword::Other, "{word}");
        }
    }

    #[test]
    fn few_keywords_share_a_slot() {
        let used = TABLE.iter().filter(|entry| entry.length > 0).count();
        assert!(used > 80 && used * 2 < SLOTS);
        for (at, entry) in TABLE.iter().enumerate().filter(|(_, entry)| entry.length > 0) {
            assert!((at + SLOTS - first_slot(entry.key)) % SLOTS <= 1, "{:x}", entry.key);
        }
    }
}
