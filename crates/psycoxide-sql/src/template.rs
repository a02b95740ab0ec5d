//! The template grammar of a query with parameters: `%s`, `%(name)s`, `%%`.
//!
//! PEP 249 calls the two styles `format` and `pyformat`; the rest follows psycopg2. psycopg2 reads
//! a template twice: once to fetch and adapt the values, once to merge them in. Each pass finds its
//! own faults, and fetching or adapting a value may raise before a fault is met. So a faulty
//! [`Template`] still names the values to fetch first.
//!
//! Text is read byte by byte: no server encoding has `%`, `(` or `)` inside a character.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;

/// A query cut at its placeholders.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template {
    /// The text between the placeholders.
    text: Vec<u8>,
    pieces: Vec<Piece>,
    positions: usize,
    names: Vec<Range<usize>>,
    style: Option<Style>,
    reading: Option<Fault>,
    merging: Option<Fault>,
}

/// A part of the merged query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// These bytes of the [`text`](Template::text).
    Text(Range<usize>),
    /// A value: its position, or the number of its name.
    Value(usize),
}

/// The kind of placeholder that a query has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// `%s`
    Positions,
    /// `%(name)s`
    Names,
}

/// What is wrong with a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Both kinds of placeholder in one query.
    Mixed,
    /// `%(` without `)`.
    Unclosed,
    /// The query ends where a format character is expected.
    Incomplete,
    /// `%(a(b)s`: brackets inside a name that do not match.
    IncompleteName,
    /// `%(a(b)c)s`: a name with brackets in it. psycopg2 looks up one name and merges another.
    BracketedName(Range<usize>),
    /// A character other than `s`, at this offset. Also `%(name)%`, where psycopg2's two passes
    /// disagree about what follows.
    Unsupported(u8, usize),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // psycopg2's own words, which programs compare.
        match self {
            Fault::Mixed => f.write_str("argument formats can't be mixed"),
            Fault::Unclosed => f.write_str("incomplete placeholder: '%(' without ')'"),
            Fault::Incomplete => f.write_str("incomplete format"),
            Fault::IncompleteName => f.write_str("incomplete format key"),
            Fault::BracketedName(_) => f.write_str("brackets in the name of a placeholder"),
            Fault::Unsupported(byte, offset) => write!(
                f,
                "unsupported format character '{}' (0x{byte:x}) at index {offset}",
                char::from(*byte)
            ),
        }
    }
}

impl std::error::Error for Fault {}

impl Template {
    /// Cuts `query` at its placeholders.
    pub fn parse(query: &[u8]) -> Template {
        let template = Template { text: Vec::with_capacity(query.len()), ..Template::default() };
        let mut parser = Parser { query, at: 0, text: 0, known: HashMap::new(), template };
        parser.template.reading = parser.read().err();
        if parser.template.reading.is_none() {
            parser.flush(query.len());
        }
        parser.template
    }

    /// How many values of a sequence the query needs.
    pub fn positions(&self) -> usize {
        self.positions
    }

    /// The names of the values that the query needs from a mapping: where each first occurs in the
    /// query, in the order in which they are fetched.
    pub fn names(&self) -> &[Range<usize>] {
        &self.names
    }

    /// The pieces of the merged query.
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// The text of a piece.
    pub fn text(&self, piece: &Range<usize>) -> &[u8] {
        self.text.get(piece.clone()).unwrap_or_default()
    }

    /// The kind of its placeholders; `None` if it has none.
    pub fn style(&self) -> Option<Style> {
        self.style
    }

    /// The fault that is met once the values of the placeholders are fetched.
    pub fn reading_fault(&self) -> Option<&Fault> {
        self.reading.as_ref()
    }

    /// The fault that is met while the values are merged in.
    pub fn merging_fault(&self) -> Option<&Fault> {
        self.merging.as_ref()
    }
}

struct Parser<'a> {
    query: &'a [u8],
    /// The offset to read on from.
    at: usize,
    /// The start of the text that no piece has yet.
    text: usize,
    /// The numbers of the names after the first few: there may be as many as a table has cells.
    known: HashMap<&'a [u8], usize>,
    template: Template,
}

impl<'a> Parser<'a> {
    fn read(&mut self) -> Result<(), Fault> {
        while let Some(offset) = memchr::memchr(b'%', self.rest(self.at)) {
            let percent = self.at + offset;
            match self.query.get(percent + 1) {
                Some(b'%') => {
                    // The first percent sign is text, the second is dropped.
                    self.flush(percent + 1);
                    self.text = percent + 2;
                    self.at = percent + 2;
                }
                Some(b'(') => self.name(percent)?,
                _ => self.position(percent)?,
            }
        }
        Ok(())
    }

    fn position(&mut self, percent: usize) -> Result<(), Fault> {
        self.style(Style::Positions)?;
        let number = self.template.positions;
        self.template.positions += 1;
        self.placeholder(number, percent, percent + 1);
        // Whatever the format character is, it is read again: `%\n%s` has two placeholders.
        self.at = percent + 1;
        Ok(())
    }

    fn name(&mut self, percent: usize) -> Result<(), Fault> {
        self.style(Style::Names)?;
        let start = percent + 2;
        let length = memchr::memchr2(b')', b'%', self.rest(start)).ok_or(Fault::Unclosed)?;
        let end = start + length;
        if self.query.get(end) != Some(&b')') {
            return Err(Fault::Unclosed);
        }
        if self.template.merging.is_none() {
            self.template.merging = self.bracketed(start, end);
        }
        let number = self.number_of(start..end);
        self.placeholder(number, percent, end + 1);
        self.at = end + 1;
        Ok(())
    }

    fn number_of(&mut self, name: Range<usize>) -> usize {
        /// Up to this many names are compared one by one, which is faster than a lookup.
        const FEW: usize = 8;
        let (query, names) = (self.query, &mut self.template.names);
        let text = query.get(name.clone()).unwrap_or_default();
        let same = |other: &Range<usize>| query.get(other.clone()) == Some(text);
        if let Some(number) = names.iter().take(FEW).position(same) {
            return number;
        }
        let number = names.len();
        if number >= FEW {
            let known = *self.known.entry(text).or_insert(number);
            if known < number {
                return known;
            }
        }
        names.push(name);
        number
    }

    fn style(&mut self, style: Style) -> Result<(), Fault> {
        match *self.template.style.get_or_insert(style) == style {
            true => Ok(()),
            false => Err(Fault::Mixed),
        }
    }

    /// Adds a placeholder that begins at `percent` and whose format character is at `format`.
    fn placeholder(&mut self, number: usize, percent: usize, format: usize) {
        let fault = match self.query.get(format) {
            Some(b's') => None,
            Some(&other) => Some(Fault::Unsupported(other, format)),
            None => Some(Fault::Incomplete),
        };
        self.flush(percent);
        self.text = (format + 1).min(self.query.len());
        self.template.pieces.push(Piece::Value(number));
        if self.template.merging.is_none() {
            self.template.merging = fault;
        }
    }

    /// The fault of a name with an opening bracket inside: merging expects pairs of brackets.
    fn bracketed(&self, start: usize, end: usize) -> Option<Fault> {
        let name = self.query.get(start..end)?;
        memchr::memchr(b'(', name)?;
        let mut depth = 1;
        for (offset, byte) in self.rest(start).iter().enumerate() {
            match byte {
                b'(' => depth += 1,
                b')' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return Some(Fault::BracketedName(start..start + offset));
            }
        }
        Some(Fault::IncompleteName)
    }

    /// Makes a piece of the text up to `end`. Extends the last piece if that is text as well.
    fn flush(&mut self, end: usize) {
        if self.text >= end {
            return;
        }
        let Template { text, pieces, .. } = &mut self.template;
        let start = text.len();
        text.extend_from_slice(self.query.get(self.text..end).unwrap_or_default());
        match pieces.last_mut() {
            Some(Piece::Text(last)) => last.end = text.len(),
            _ => pieces.push(Piece::Text(start..text.len())),
        }
    }

    fn rest(&self, from: usize) -> &'a [u8] {
        self.query.get(from..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(query: &str) -> String {
        let template = Template::parse(query.as_bytes());
        assert_eq!(template.reading_fault(), None);
        assert_eq!(template.merging_fault(), None);
        template
            .pieces()
            .iter()
            .map(|piece| match piece {
                Piece::Text(range) => str::from_utf8(template.text(range)).unwrap().to_owned(),
                Piece::Value(number) => match template.names().get(*number) {
                    None => format!("<{number}>"),
                    Some(range) => format!("<{}>", &query[range.clone()]),
                },
            })
            .collect()
    }

    fn faults(query: &str) -> (Option<Fault>, Option<Fault>, usize) {
        let template = Template::parse(query.as_bytes());
        (
            template.reading_fault().cloned(),
            template.merging_fault().cloned(),
            template.positions() + template.names().len(),
        )
    }

    #[test]
    fn text_values_and_percent_signs() {
        assert_eq!(merged("select 1"), "select 1");
        assert_eq!(merged(""), "");
        assert_eq!(merged("%s"), "<0>");
        assert_eq!(merged("a%sb%s"), "a<0>b<1>");
        assert_eq!(merged("a%%b%%%%"), "a%b%%");
        assert_eq!(merged("%%s%%(a)s"), "%s%(a)s");
        assert_eq!(merged("%%%s%%"), "%<0>%");
        assert_eq!(merged("%(a)s, %(é 漢)s, %()s %(a)s"), "<a>, <é 漢>, <> <a>");
        assert_eq!(merged("'%s' -- %s"), "'<0>' -- <1>");
    }

    #[test]
    fn the_style_is_known() {
        assert_eq!(Template::parse(b"%%").style(), None);
        assert_eq!(Template::parse(b"%s").style(), Some(Style::Positions));
        assert_eq!(Template::parse(b"%(a)s").style(), Some(Style::Names));
        assert_eq!(Template::parse(b"%(a)s %s").style(), Some(Style::Names));
    }

    #[test]
    fn faults_of_reading() {
        assert_eq!(faults("%s %(a)s"), (Some(Fault::Mixed), None, 1));
        assert_eq!(faults("%(a)s %s"), (Some(Fault::Mixed), None, 1));
        assert_eq!(faults("%s %(a"), (Some(Fault::Mixed), None, 1));
        assert_eq!(faults("%(a"), (Some(Fault::Unclosed), None, 0));
        assert_eq!(faults("%(b)s %(a%b)s"), (Some(Fault::Unclosed), None, 1));
        assert_eq!(faults("%("), (Some(Fault::Unclosed), None, 0));
        assert_eq!(faults("%(a)%"), (Some(Fault::Mixed), Some(Fault::Unsupported(b'%', 4)), 1));
    }

    #[test]
    fn faults_of_merging() {
        assert_eq!(faults("%d"), (None, Some(Fault::Unsupported(b'd', 1)), 1));
        assert_eq!(faults("x% s"), (None, Some(Fault::Unsupported(b' ', 2)), 1));
        assert_eq!(faults("%s %"), (None, Some(Fault::Incomplete), 2));
        assert_eq!(faults("%(a)"), (None, Some(Fault::Incomplete), 1));
        assert_eq!(faults("%(a)d"), (None, Some(Fault::Unsupported(b'd', 4)), 1));
        assert_eq!(faults("%(a(b)s"), (None, Some(Fault::IncompleteName), 1));
        assert_eq!(faults("%(a(b)c)s"), (None, Some(Fault::BracketedName(2..7)), 1));
        assert_eq!(faults("%é"), (None, Some(Fault::Unsupported(0xc3, 1)), 1));
        assert_eq!(
            Fault::Unsupported(b'd', 7).to_string(),
            "unsupported format character 'd' (0x64) at index 7"
        );
    }

    #[test]
    fn a_repeated_name_is_asked_for_once() {
        let template = Template::parse(b"%(a)s%(b)s%(a)s %(b)s");
        assert_eq!(template.names(), [2..3, 7..8]);
        let (value, blank) = (Piece::Value, Piece::Text(0..1));
        assert_eq!(template.pieces(), [value(0), value(1), value(0), blank, value(1)]);
    }

    #[test]
    fn any_number_of_names_is_told_apart() {
        let names: Vec<_> = (0..100).map(|number| format!("%(n{number})s")).collect();
        let query = [names.concat(), names.iter().rev().cloned().collect()].concat();
        let template = Template::parse(query.as_bytes());
        assert_eq!(template.names().len(), 100);
        let numbers: Vec<_> = (0..100).chain((0..100).rev()).map(Piece::Value).collect();
        assert_eq!(template.pieces(), numbers);
    }

    #[test]
    fn text_is_one_piece_with_its_percent_signs() {
        let template = Template::parse(b"a%%b%%%%%s%%");
        assert_eq!(template.pieces(), [Piece::Text(0..5), Piece::Value(0), Piece::Text(5..6)]);
        assert_eq!(template.text(&(0..6)), b"a%b%%%");
    }

    /// For every short text over the grammar's alphabet: nothing is lost or repeated.
    #[test]
    fn pieces_cover_the_text() {
        let alphabet = b"%s()a";
        for length in 0..=6_u32 {
            for mut number in 0..5_usize.pow(length) {
                let mut query = Vec::new();
                for _ in 0..length {
                    query.push(alphabet[number % 5]);
                    number /= 5;
                }
                let template = Template::parse(&query);
                let mut last = 0;
                for piece in template.pieces() {
                    match piece {
                        Piece::Text(range) => {
                            assert!(last == range.start && range.start < range.end);
                            last = range.end;
                        }
                        Piece::Value(number) => {
                            let values = template.positions().max(template.names().len());
                            assert!(*number < values);
                        }
                    }
                }
                assert_eq!(last, template.text.len());
            }
        }
    }
}
