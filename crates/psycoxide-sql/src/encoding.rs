//! PostgreSQL's client encodings: their names, their Python codecs, and where their characters end.
//!
//! Names and byte structures are those of
//! <https://www.postgresql.org/docs/current/multibyte.html#CHARSET-TABLE>.

/// An encoding that a session's `client_encoding` may have.
#[derive(Debug, PartialEq, Eq)]
pub struct Encoding {
    /// The server's name for it, as `client_encoding` reports it.
    pub name: &'static str,
    /// Python's codec; `None` if Python has none.
    pub codec: Option<&'static str>,
    /// How its bytes form characters.
    pub scheme: Scheme,
}

impl Encoding {
    /// Whether every byte below 0x80 is that ASCII character, even inside a longer sequence.
    ///
    /// Only such text may be searched for a quote byte by byte. For this reason the server accepts
    /// no other encoding for a database.
    pub fn is_ascii_safe(&self) -> bool {
        use Scheme::{Big5, Gb18030, Gbk, Johab, Sjis, Uhc};
        !matches!(self.scheme, Sjis | Big5 | Gbk | Gb18030 | Uhc | Johab)
    }

    /// Whether any byte but NUL may follow any other.
    pub fn is_single_byte(&self) -> bool {
        self.scheme == Scheme::Single
    }

    /// The offset of the first byte that does not begin a complete character, if there is one.
    pub fn find_invalid(&self, text: &[u8]) -> Option<usize> {
        match self.scheme {
            Scheme::Single => None,
            Scheme::Utf8 => std::str::from_utf8(text).err().map(|error| error.valid_up_to()),
            scheme => {
                let mut rest = text;
                while let Some(length) = scheme.character(rest) {
                    rest = rest.get(length..).unwrap_or_default();
                }
                (!rest.is_empty()).then_some(text.len() - rest.len())
            }
        }
    }
}

/// How the bytes of an encoding form characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// One byte each, whatever it is. Also for `SQL_ASCII`, which is no encoding at all.
    Single,
    /// UTF-8.
    Utf8,
    /// EUC with two-byte characters only: China, Korea.
    Euc,
    /// EUC with half-width katakana after 0x8E and three-byte characters after 0x8F: Japan.
    EucJapan,
    /// EUC with four-byte characters after 0x8E: Taiwan.
    EucTaiwan,
    /// Shift JIS, whose second byte may be ASCII.
    Sjis,
    /// Big5, whose second byte may be ASCII.
    Big5,
    /// GBK, whose second byte may be ASCII.
    Gbk,
    /// GB 18030: GBK's pairs, and characters of four bytes, two of which are digits.
    Gb18030,
    /// Unified Hangul Code, whose second byte may be a letter.
    Uhc,
    /// Johab, of which the server accepts only what looks like EUC.
    Johab,
    /// Emacs's internal encoding.
    Mule,
}

impl Scheme {
    /// The length of the first character of `text`; `None` if no character begins there.
    ///
    /// As strict as the server's own check or stricter, never laxer: the server sees every
    /// character accepted here end at the same byte.
    pub fn character(self, text: &[u8]) -> Option<usize> {
        let (&first, rest) = text.split_first()?;
        if first < 0x80 || self == Scheme::Single {
            return Some(1);
        }
        let tails = self.tails(first)?;
        let followed = rest.get(..tails.len())?;
        let fits = followed.iter().zip(tails).all(|(&byte, tail)| tail.contains(byte));
        fits.then_some(1 + tails.len()).or_else(|| self.four_bytes(text))
    }

    /// The bytes that must follow a first byte outside ASCII.
    fn tails(self, first: u8) -> Option<&'static [Tail]> {
        use Tail::{Any, Big, Gb, Hangul, High, Kana, Shifted};
        Some(match (self, first) {
            (Scheme::Euc | Scheme::Johab, 0xa1..=0xfe) => &[High],
            (Scheme::Johab, 0x8e) => &[High],
            (Scheme::Johab, 0x8f) => &[High, High],
            (Scheme::EucJapan, 0xa1..=0xfe) => &[High],
            (Scheme::EucJapan, 0x8e) => &[Kana],
            (Scheme::EucJapan, 0x8f) => &[High, High],
            (Scheme::EucTaiwan, 0xa1..=0xfe) => &[High],
            (Scheme::EucTaiwan, 0x8e) => &[High, High, High],
            (Scheme::Sjis, 0xa1..=0xdf) => &[],
            (Scheme::Sjis, 0x81..=0x9f | 0xe0..=0xfc) => &[Shifted],
            (Scheme::Big5, 0x81..=0xfe) => &[Big],
            (Scheme::Gbk | Scheme::Gb18030, 0x81..=0xfe) => &[Gb],
            (Scheme::Uhc, 0x81..=0xfe) => &[Hangul],
            (Scheme::Mule, 0x81..=0x8d) => &[Any],
            (Scheme::Mule, 0x90..=0x9b) => &[Any, Any],
            (Scheme::Mule, 0x9c | 0x9d) => &[Any, Any, Any],
            _ => return None,
        })
    }

    /// GB 18030's four-byte characters: a byte, a digit, a byte, a digit.
    fn four_bytes(self, text: &[u8]) -> Option<usize> {
        match (self, text) {
            (Scheme::Gb18030, [0x81..=0xfe, b'0'..=b'9', 0x81..=0xfe, b'0'..=b'9', ..]) => Some(4),
            _ => None,
        }
    }
}

/// The bytes that may follow the first one of a character.
#[derive(Clone, Copy)]
enum Tail {
    High,
    Kana,
    Shifted,
    Big,
    Gb,
    Hangul,
    Any,
}

impl Tail {
    fn contains(self, byte: u8) -> bool {
        match self {
            Tail::High => matches!(byte, 0xa1..=0xfe),
            Tail::Kana => matches!(byte, 0xa1..=0xdf),
            Tail::Shifted => matches!(byte, 0x40..=0x7e | 0x80..=0xfc),
            Tail::Big => matches!(byte, 0x40..=0x7e | 0xa1..=0xfe),
            Tail::Gb => matches!(byte, 0x40..=0x7e | 0x80..=0xfe),
            Tail::Hangul => matches!(byte, b'A'..=b'Z' | b'a'..=b'z' | 0x81..=0xfe),
            Tail::Any => byte >= 0x80,
        }
    }
}

/// UTF-8, the encoding of nearly every session.
pub static UTF8: Encoding = Encoding { name: "UTF8", codec: Some("utf_8"), scheme: Scheme::Utf8 };

/// Normalises the name of an encoding: upper case, only letters and digits.
///
/// The server compares names in the same way: `latin-1`, `LATIN1` and `Latin_1` are one.
pub fn clean_name(name: &str) -> String {
    let mut clean = String::with_capacity(name.len());
    let kept = name.bytes().filter(u8::is_ascii_alphanumeric);
    clean.extend(kept.map(|byte| char::from(byte.to_ascii_uppercase())));
    clean
}

/// The server's encoding with this name, however it is spelled.
pub fn by_name(name: &str) -> Option<&'static Encoding> {
    // The fast path: nearly every session's encoding, as servers spell it.
    if name == UTF8.name {
        return Some(&UTF8);
    }
    let clean = clean_name(name);
    if clean == UTF8.name {
        return Some(&UTF8);
    }
    let known = ENCODINGS.iter().find(|encoding| clean_name(encoding.name) == clean);
    known.or_else(|| {
        let (_, name) = ALIASES.iter().find(|(alias, _)| *alias == clean)?;
        ENCODINGS.iter().find(|encoding| encoding.name == *name)
    })
}

/// The encoding of a Python codec, by any of its usual names.
///
/// A codec that no session can have is treated as single-byte. That is safe as long as a backslash
/// is an ordinary character: no encoding has a single quote as a second byte.
pub fn by_codec(codec: &str) -> &'static Encoding {
    static OTHER: Encoding = Encoding { name: "", codec: None, scheme: Scheme::Single };
    let clean = clean_name(codec);
    let is_codec = |encoding: &&Encoding| encoding.codec.map(clean_name).as_ref() == Some(&clean);
    ENCODINGS.iter().find(is_codec).or_else(|| by_name(&clean)).unwrap_or(&OTHER)
}

macro_rules! encodings {
    ($($name:literal, $codec:expr, $scheme:ident;)*) => {
        &[$(Encoding { name: $name, codec: $codec, scheme: Scheme::$scheme },)*]
    };
}

/// Every client encoding of the server, by its own name.
pub static ENCODINGS: &[Encoding] = encodings! {
    "BIG5", Some("big5"), Big5;
    "EUC_CN", Some("euccn"), Euc;
    "EUC_JIS_2004", Some("euc_jis_2004"), EucJapan;
    "EUC_JP", Some("euc_jp"), EucJapan;
    "EUC_KR", Some("euc_kr"), Euc;
    "EUC_TW", None, EucTaiwan;
    "GB18030", Some("gb18030"), Gb18030;
    "GBK", Some("gbk"), Gbk;
    "ISO_8859_5", Some("iso8859_5"), Single;
    "ISO_8859_6", Some("iso8859_6"), Single;
    "ISO_8859_7", Some("iso8859_7"), Single;
    "ISO_8859_8", Some("iso8859_8"), Single;
    "JOHAB", Some("johab"), Johab;
    "KOI8R", Some("koi8_r"), Single;
    "KOI8U", Some("koi8_u"), Single;
    "LATIN1", Some("iso8859_1"), Single;
    "LATIN2", Some("iso8859_2"), Single;
    "LATIN3", Some("iso8859_3"), Single;
    "LATIN4", Some("iso8859_4"), Single;
    "LATIN5", Some("iso8859_9"), Single;
    "LATIN6", Some("iso8859_10"), Single;
    "LATIN7", Some("iso8859_13"), Single;
    "LATIN8", Some("iso8859_14"), Single;
    "LATIN9", Some("iso8859_15"), Single;
    "LATIN10", Some("iso8859_16"), Single;
    "MULE_INTERNAL", None, Mule;
    "SHIFT_JIS_2004", Some("shift_jis_2004"), Sjis;
    "SJIS", Some("cp932"), Sjis;
    "SQL_ASCII", Some("ascii"), Single;
    "UHC", Some("cp949"), Uhc;
    "UTF8", Some("utf_8"), Utf8;
    "WIN866", Some("cp866"), Single;
    "WIN874", Some("cp874"), Single;
    "WIN1250", Some("cp1250"), Single;
    "WIN1251", Some("cp1251"), Single;
    "WIN1252", Some("cp1252"), Single;
    "WIN1253", Some("cp1253"), Single;
    "WIN1254", Some("cp1254"), Single;
    "WIN1255", Some("cp1255"), Single;
    "WIN1256", Some("cp1256"), Single;
    "WIN1257", Some("cp1257"), Single;
    "WIN1258", Some("cp1258"), Single;
};

/// Other names of the server's encodings, normalised: the manual's column "Aliases".
static ALIASES: &[(&str, &str)] = &[
    ("ABC", "WIN1258"),
    ("ALT", "WIN866"),
    ("ISO88591", "LATIN1"),
    ("ISO885910", "LATIN6"),
    ("ISO885913", "LATIN7"),
    ("ISO885914", "LATIN8"),
    ("ISO885915", "LATIN9"),
    ("ISO885916", "LATIN10"),
    ("ISO88592", "LATIN2"),
    ("ISO88593", "LATIN3"),
    ("ISO88594", "LATIN4"),
    ("ISO88599", "LATIN5"),
    ("KOI8", "KOI8R"),
    ("MSKANJI", "SJIS"),
    ("SHIFTJIS", "SJIS"),
    ("TCVN", "WIN1258"),
    ("TCVN5712", "WIN1258"),
    ("UNICODE", "UTF8"),
    ("VSCII", "WIN1258"),
    ("WIN", "WIN1251"),
    ("WIN932", "SJIS"),
    ("WIN936", "GBK"),
    ("WIN949", "UHC"),
    ("WIN950", "BIG5"),
    ("WINDOWS932", "SJIS"),
    ("WINDOWS936", "GBK"),
    ("WINDOWS949", "UHC"),
    ("WINDOWS950", "BIG5"),
];

/// More names to which psycopg2's `extensions.encodings` assigns a codec, beside [`ENCODINGS`].
///
/// Some disagree with the server: its `WIN950` is plain Big5, here it is Microsoft's variant.
pub static MORE_CODECS: &[(&str, &str)] = &[
    ("ABC", "cp1258"),
    ("ALT", "cp866"),
    ("ISO_8859_1", "iso8859_1"),
    ("ISO_8859_2", "iso8859_2"),
    ("ISO_8859_3", "iso8859_3"),
    ("ISO_8859_9", "iso8859_9"),
    ("ISO_8859_10", "iso8859_10"),
    ("ISO_8859_13", "iso8859_13"),
    ("ISO_8859_14", "iso8859_14"),
    ("ISO_8859_15", "iso8859_15"),
    ("ISO_8859_16", "iso8859_16"),
    ("KOI8", "koi8_r"),
    ("Mskanji", "cp932"),
    ("ShiftJIS", "cp932"),
    ("TCVN", "cp1258"),
    ("TCVN5712", "cp1258"),
    ("UNICODE", "utf_8"),
    ("VSCII", "cp1258"),
    ("WIN", "cp1251"),
    ("WIN932", "cp932"),
    ("WIN936", "gbk"),
    ("WIN949", "cp949"),
    ("WIN950", "cp950"),
    ("Windows932", "cp932"),
    ("Windows936", "gbk"),
    ("Windows949", "cp949"),
    ("Windows950", "cp950"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn find(name: &str) -> &'static Encoding {
        by_name(name).unwrap_or_else(|| panic!("{name} is unknown"))
    }

    #[test]
    fn names_are_compared_by_letters_and_digits() {
        for spelling in ["utf8", "UTF-8", "Utf_8", "unicode"] {
            assert_eq!(find(spelling).name, "UTF8");
        }
        assert_eq!(find("iso-8859-15").name, "LATIN9");
        assert_eq!(find("shift_jis_2004").name, "SHIFT_JIS_2004");
        assert_eq!(find("ShiftJIS").name, "SJIS");
        assert_eq!(by_name("EBCDIC"), None);
    }

    #[test]
    fn codecs_lead_back_to_encodings() {
        assert_eq!(by_codec("utf-8").name, "UTF8");
        assert_eq!(by_codec("cp932").name, "SJIS");
        assert_eq!(by_codec("latin9").name, "LATIN9");
        assert_eq!(by_codec("ISO8859-15").name, "LATIN9");
        assert_eq!(by_codec("cp437").scheme, Scheme::Single);
    }

    #[test]
    fn no_character_contains_a_quote() {
        for encoding in ENCODINGS.iter().filter(|encoding| !encoding.is_single_byte()) {
            for first in 0x80..=0xff {
                let length = encoding.scheme.character(&[first, b'\'', 0xa1, 0xa1]);
                assert!(length.is_none_or(|length| length == 1), "{} {first:x}", encoding.name);
            }
        }
    }

    #[test]
    fn every_alias_leads_to_an_encoding() {
        for (alias, _) in ALIASES {
            assert_eq!(*alias, clean_name(alias));
            assert!(by_name(alias).is_some(), "{alias}");
        }
        for (name, _) in MORE_CODECS {
            assert!(by_name(name).is_some(), "{name}");
        }
    }

    #[test]
    fn only_the_client_only_encodings_are_unsafe() {
        let unsafe_ones: Vec<_> =
            ENCODINGS.iter().filter(|e| !e.is_ascii_safe()).map(|e| e.name).collect();
        assert_eq!(
            unsafe_ones,
            ["BIG5", "GB18030", "GBK", "JOHAB", "SHIFT_JIS_2004", "SJIS", "UHC"]
        );
    }

    #[test]
    fn characters_end_where_the_server_says() {
        let cases: &[(&str, &[u8], Option<usize>)] = &[
            ("SJIS", b"\x95\x5c'", Some(2)),
            ("SJIS", b"\xb1'", Some(1)),
            ("SJIS", b"\x95'", None),
            ("SJIS", b"\x95", None),
            ("BIG5", b"\xa5\x5c", Some(2)),
            ("BIG5", b"\xa5\x27", None),
            ("GBK", b"\xd5\x5c", Some(2)),
            ("GBK", b"\xd5\x7f", None),
            ("GB18030", b"\x81\x30\x81\x30", Some(4)),
            ("GB18030", b"\x81\x30\x81'", None),
            ("GB18030", b"\xd5\x5c", Some(2)),
            ("UHC", b"\xb0a", Some(2)),
            ("UHC", b"\xb0\x5c", None),
            ("JOHAB", b"\xb0\xa1", Some(2)),
            ("JOHAB", b"\x88\x61", None),
            ("JOHAB", b"\x8f\xa1'", None),
            ("EUC_JP", b"\x8e\xb1", Some(2)),
            ("EUC_JP", b"\x8f\xb0\xa1", Some(3)),
            ("EUC_JP", b"\xb0'", None),
            ("EUC_TW", b"\x8e\xa2\xb0\xa1", Some(4)),
            ("MULE_INTERNAL", b"\x81\xe9", Some(2)),
            ("LATIN1", b"\xff", Some(1)),
            ("SQL_ASCII", b"\xff", Some(1)),
            ("EUC_KR", b"a", Some(1)),
            ("EUC_KR", b"", None),
        ];
        for (name, text, expected) in cases {
            assert_eq!(find(name).scheme.character(text), *expected, "{name} {text:x?}");
        }
    }

    #[test]
    fn the_first_invalid_byte_is_found() {
        assert_eq!(UTF8.find_invalid("é漢😀".as_bytes()), None);
        assert_eq!(UTF8.find_invalid(b"ab\xc3'"), Some(2));
        assert_eq!(UTF8.find_invalid(b"\xed\xa0\x80"), Some(0));
        assert_eq!(find("SJIS").find_invalid(b"a\x95\x5c\x95"), Some(3));
        assert_eq!(find("EUC_JP").find_invalid(b"\xb0\xa1\xb0'"), Some(2));
        assert_eq!(find("LATIN1").find_invalid(b"\xb0'"), None);
    }
}
