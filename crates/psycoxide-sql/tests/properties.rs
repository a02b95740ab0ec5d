//! The fuzz targets for SQL, with texts that look random.

mod numbers;
#[path = "../../../fuzz/src/sql.rs"]
mod sql;

use numbers::Numbers;

/// What texts are made of. Most begin a statement that has parameters.
const PIECES: &[&str] = &[
    "%s",
    "%s",
    "%s",
    "%s",
    "%s",
    "%s",
    "%s",
    " ",
    " ",
    " ",
    ",",
    "(",
    ")",
    "[",
    "]",
    ";",
    ".",
    "::",
    "-",
    "+",
    "=",
    "&",
    "u&",
    "%%",
    "'",
    "''",
    "E'",
    "e",
    "\\",
    "\"",
    "$",
    "$$",
    "$a$",
    "/*",
    "*/",
    "--",
    "\n",
    "1",
    "x",
    "t",
    "select",
    " from ",
    " where ",
    " group by ",
    " order by ",
    " is ",
    " not ",
    " null ",
    " in ",
    " between ",
    " and ",
    " as ",
    " interval ",
    " varchar",
    " cast(",
    "extract(",
    " distinct ",
    " on ",
    " conflict ",
    " do ",
    " set ",
    " with ",
    " into ",
    " values ",
    " limit ",
    " case ",
    " when ",
    " time ",
    " zone ",
    " at ",
    " like ",
    "é",
    "\u{5c}",
];

#[test]
fn places_stay_what_they_are() {
    let mut numbers = Numbers(0x9_1ace5);
    for _ in 0..30_000 {
        let mut text = vec![u8::try_from(numbers.below(16)).unwrap()];
        text.extend_from_slice(
            numbers.choose(&["select ", "insert into t values (", "", "(select "]).as_bytes(),
        );
        for _ in 0..1 + numbers.below(14) {
            text.extend_from_slice(numbers.choose(PIECES).as_bytes());
        }
        for (_, target) in sql::TARGETS {
            target(&text);
        }
    }
}
