//! The text of a server's error or notice, as libpq composes it and psql shows it.
//!
//! <https://www.postgresql.org/docs/current/libpq-control.html#LIBPQ-PQSETERRORVERBOSITY>
//! (the default verbosity), <https://www.postgresql.org/docs/current/protocol-error-fields.html>.

use std::fmt::Write;

/// The excerpt of a long line is cut to this many characters (libpq's `DISPLAY_SIZE`).
const DISPLAY_SIZE: usize = 60;
/// At least this many characters stay before a cut on the right (libpq's `MIN_RIGHT_CUT`).
const MIN_RIGHT_CUT: usize = 10;

/// The decoded fields that the text is made of.
#[derive(Clone, Debug, Default)]
pub struct Message<'a> {
    /// `ERROR`, `NOTICE`, … (localised).
    pub severity: Option<&'a str>,
    /// The primary message.
    pub primary: Option<&'a str>,
    /// The position of the error in the query: the number of a character, from 1.
    pub position: Option<usize>,
    /// The position of the error in [`Message::internal_query`].
    pub internal_position: Option<usize>,
    /// The text of a failed command that the server generated itself.
    pub internal_query: Option<&'a str>,
    /// Details of the problem.
    pub detail: Option<&'a str>,
    /// A suggestion.
    pub hint: Option<&'a str>,
    /// The context of the error: a call stack.
    pub context: Option<&'a str>,
    /// The query that the position refers to, if it is known.
    pub query: Option<&'a str>,
}

impl Message<'_> {
    /// The whole text, with a newline after every line. `context` says whether to show the context;
    /// libpq does for errors and not for notices.
    pub fn text(&self, context: bool) -> String {
        let mut text = String::new();
        if let Some(severity) = self.severity {
            let _ = write!(text, "{severity}:  ");
        }
        text.push_str(self.primary.unwrap_or("missing error text"));
        let excerpt = match (self.query, self.position, self.internal_query, self.internal_position)
        {
            (Some(query), Some(position), _, _) => Some((query, position)),
            (_, None, Some(query), Some(position)) => Some((query, position)),
            (None, Some(position), _, _) => {
                let _ = write!(text, " at character {position}");
                None
            }
            _ => None,
        };
        text.push('\n');
        if let Some((query, position)) = excerpt {
            show_position(&mut text, query, position);
        }
        let query = self.internal_query;
        for (label, value) in [("DETAIL", self.detail), ("HINT", self.hint), ("QUERY", query)] {
            if let Some(value) = value {
                let _ = writeln!(text, "{label}:  {value}");
            }
        }
        if let (true, Some(value)) = (context, self.context) {
            let _ = writeln!(text, "CONTEXT:  {value}");
        }
        text
    }
}

/// Appends the line of the query that contains `position`, and a caret below it. The query and the
/// line may be long, so little more is examined than is shown.
fn show_position(text: &mut String, query: &str, position: usize) {
    let Some(at) = position.checked_sub(1).and_then(|index| offset(query, index)) else { return };
    let (before, after) = query.split_at(at);
    let (number, start) = line_of(before);
    let left = before.get(start..).unwrap_or_default();
    let end = memchr::memchr2(b'\n', b'\r', after.as_bytes()).unwrap_or(after.len());
    let right = after.get(..end).unwrap_or_default();
    let (shown_left, shown_right) = window(left, right);
    let cut = |shown: &str, whole: &str| if shown.len() < whole.len() { "..." } else { "" };
    let prefix = format!("LINE {number}: {}", cut(shown_left, left));
    let shown = [shown_left, shown_right].concat().replace('\t', " ");
    let _ = writeln!(text, "{prefix}{shown}{}", cut(shown_right, right));
    let indent = prefix.chars().count() + shown_left.chars().map(width).sum::<usize>();
    let _ = writeln!(text, "{}^", " ".repeat(indent));
}

/// The offset of the character with this number, from 0. The end of the text counts as one more.
fn offset(text: &str, index: usize) -> Option<usize> {
    if text.is_ascii() {
        return (index <= text.len()).then_some(index);
    }
    text.char_indices().map(|(at, _)| at).chain([text.len()]).nth(index)
}

/// The number of a text's last line, and its start.
fn line_of(text: &str) -> (usize, usize) {
    let (mut number, mut start) = (1, 0);
    for end in memchr::memchr2_iter(b'\n', b'\r', text.as_bytes()) {
        // A carriage return and the line feed after it end one line.
        let paired = text.get(..=end).is_some_and(|line| line.ends_with("\r\n"));
        number += usize::from(!paired);
        start = end + 1;
    }
    (number, start)
}

/// The parts of a line to show on either side of the caret, so that the caret stays visible.
fn window<'a>(left: &'a str, right: &'a str) -> (&'a str, &'a str) {
    let before = |most| left.len() - fitting(left.char_indices().rev(), most);
    let after = |most| fitting(right.char_indices(), most);
    let columns = |text: &str| text.chars().map(width).sum::<usize>();
    // Measure just beyond the display's size. The last character may take two columns.
    let more = DISPLAY_SIZE + 2;
    let left_columns = columns(left.get(before(more)..).unwrap_or_default());
    let right_columns = columns(right.get(..after(more)).unwrap_or_default());
    if left_columns + right_columns <= DISPLAY_SIZE {
        return (left, right);
    }
    // Keep the left end if that leaves room to the right of the caret. Otherwise cut both ends.
    let kept = DISPLAY_SIZE.saturating_sub(left_columns).max(MIN_RIGHT_CUT);
    let right = right.get(..after(kept)).unwrap_or_default();
    let kept = DISPLAY_SIZE.saturating_sub(columns(right));
    (left.get(before(kept)..).unwrap_or_default(), right)
}

/// The length in bytes of the first characters that fit into this many columns.
fn fitting(characters: impl Iterator<Item = (usize, char)>, columns: usize) -> usize {
    let mut left = columns;
    characters
        .map_while(|(_, character)| {
            left = left.checked_sub(width(character))?;
            Some(character.len_utf8())
        })
        .sum()
}

/// The number of terminal columns of a character: wide East Asian ones take two.
fn width(character: char) -> usize {
    match u32::from(character) {
        0x1100..=0x115f
        | 0x2e80..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x20000..=0x2fffd
        | 0x30000..=0x3fffd => 2,
        0x0300..=0x036f | 0x200b..=0x200f => 0,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message<'a>(query: &'a str, position: usize) -> Message<'a> {
        Message {
            severity: Some("ERROR"),
            primary: Some("wrong"),
            position: Some(position),
            query: Some(query),
            ..Message::default()
        }
    }

    #[test]
    fn plain() {
        let message = Message {
            severity: Some("ERROR"),
            primary: Some("duplicate key"),
            detail: Some("Key (a)=(1) already exists."),
            hint: Some("Do not."),
            context: Some("somewhere"),
            ..Message::default()
        };
        assert_eq!(
            message.text(true),
            "ERROR:  duplicate key\nDETAIL:  Key (a)=(1) already exists.\nHINT:  Do not.\nCONTEXT:  somewhere\n"
        );
        assert!(!message.text(false).contains("CONTEXT"));
    }

    #[test]
    fn the_caret_stands_below_the_character() {
        assert_eq!(
            message("select * from nope", 15).text(true),
            "ERROR:  wrong\nLINE 1: select * from nope\n                      ^\n"
        );
    }

    #[test]
    fn the_line_is_found() {
        let text = message("select\r\n1,\n\tx", 13).text(true);
        assert_eq!(text, "ERROR:  wrong\nLINE 3:  x\n         ^\n");
    }

    #[test]
    fn the_end_of_input_has_a_caret_too() {
        assert_eq!(
            message("select 1 from", 14).text(true),
            "ERROR:  wrong\nLINE 1: select 1 from\n                     ^\n"
        );
    }

    #[test]
    fn a_position_outside_the_query_is_not_shown() {
        for position in [0, 9, usize::MAX] {
            assert_eq!(message("select", position).text(true), "ERROR:  wrong\n");
        }
    }

    #[test]
    fn without_the_query_the_position_is_a_number() {
        let message = Message { query: None, ..message("", 7) };
        assert_eq!(message.text(true), "ERROR:  wrong at character 7\n");
    }

    #[test]
    fn long_lines_are_cut_around_the_caret() {
        let query = format!("select {}nope, {}", "a, ".repeat(50), "b, ".repeat(50));
        let text = message(&query, 7 + 150 + 1).text(true);
        let mut lines = text.lines().skip(1);
        let excerpt = lines.next().unwrap();
        let caret = lines.next().unwrap();
        assert!(excerpt.starts_with("LINE 1: ..."));
        assert!(excerpt.ends_with("..."));
        assert_eq!(&excerpt[caret.len() - 1..caret.len() + 3], "nope");
    }

    #[test]
    fn characters_of_two_columns_and_of_none_are_cut_by_their_columns() {
        let query = format!("a{}x{}", "漢\u{300}".repeat(40), "字\u{300}".repeat(40));
        let text = message(&query, 82);
        let (left, right) = ("漢\u{300}".repeat(25), "字\u{300}".repeat(4));
        assert_eq!(
            text.text(true),
            format!(
                "ERROR:  wrong\nLINE 1: ...\u{300}{left}x{right}...\n{}^\n",
                " ".repeat(11 + 50)
            )
        );
    }

    #[test]
    fn the_excerpt_does_not_depend_on_the_length_of_the_query() {
        let shown = |more: usize| {
            let query = format!("{}é, nope, {}", "a, ".repeat(more), "b, ".repeat(more));
            message(&query, 3 * more + 4).text(true)
        };
        assert_eq!(shown(1_000_000), shown(100));
    }
}
