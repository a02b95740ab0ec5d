//! The text of a server's error or notice, as libpq composes it and as people know it from psql.
//!
//! <https://www.postgresql.org/docs/current/libpq-control.html#LIBPQ-PQSETERRORVERBOSITY>
//! (the default verbosity), <https://www.postgresql.org/docs/current/protocol-error-fields.html>.

use std::fmt::Write;

/// The excerpt of a long line is cut to this many characters (libpq's `DISPLAY_SIZE`).
const DISPLAY_SIZE: usize = 60;
/// So many characters are kept before a cut on the right (libpq's `MIN_RIGHT_CUT`).
const MIN_RIGHT_CUT: usize = 10;

/// The fields that the text is made of, decoded.
#[derive(Clone, Debug, Default)]
pub struct Message<'a> {
    /// `ERROR`, `NOTICE`, … (localised).
    pub severity: Option<&'a str>,
    /// The primary message.
    pub primary: Option<&'a str>,
    /// Where in the query the error is: a character's number, from 1.
    pub position: Option<usize>,
    /// The same, for [`Message::internal_query`].
    pub internal_position: Option<usize>,
    /// The text of a failed command that the server made itself.
    pub internal_query: Option<&'a str>,
    /// More about the problem.
    pub detail: Option<&'a str>,
    /// A suggestion what to do.
    pub hint: Option<&'a str>,
    /// Where it happened: a call stack.
    pub context: Option<&'a str>,
    /// The query that the position is in, if it is known.
    pub query: Option<&'a str>,
}

impl Message<'_> {
    /// The whole text, every line ended by a newline. `context` says whether the context is shown,
    /// as libpq does for errors and not for notices.
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

/// Appends the line of the query that `position` falls in, and a caret below it.
fn show_position(text: &mut String, query: &str, position: usize) {
    let characters: Vec<char> = query.chars().collect();
    let Some(index) = position.checked_sub(1).filter(|&index| index <= characters.len()) else {
        return;
    };
    let is_end = |c: char| c == '\n' || c == '\r';
    let mut number = 1;
    let mut start = 0;
    for (at, &character) in characters.iter().enumerate().take(index) {
        if is_end(character) {
            // A carriage return and the line feed behind it end one line.
            let paired = character == '\n' && at > 0 && characters.get(at - 1) == Some(&'\r');
            if !paired {
                number += 1;
            }
            start = at + 1;
        }
    }
    let rest = characters.get(start..).unwrap_or_default();
    let length = rest.iter().position(|&c| is_end(c)).unwrap_or(rest.len());
    let line = rest.get(..length).unwrap_or_default();
    let caret = index.saturating_sub(start);
    let (from, to) = window(line, caret);
    let prefix = format!("LINE {number}: {}", if from > 0 { "..." } else { "" });
    let shown: String = line
        .get(from..to)
        .unwrap_or_default()
        .iter()
        .map(|&c| if c == '\t' { ' ' } else { c })
        .collect();
    let tail = if to < line.len() { "..." } else { "" };
    let before: usize = line.get(from..caret).unwrap_or_default().iter().map(|&c| width(c)).sum();
    let _ = writeln!(text, "{prefix}{shown}{tail}");
    let _ = writeln!(text, "{}^", " ".repeat(prefix.chars().count() + before));
}

/// Which part of a long line is shown so that the caret stays in sight.
fn window(line: &[char], caret: usize) -> (usize, usize) {
    let widths: Vec<usize> = line.iter().map(|&c| width(c)).collect();
    let sum =
        |from: usize, to: usize| widths.get(from..to).unwrap_or_default().iter().sum::<usize>();
    let width_at = |index: usize| widths.get(index).copied().unwrap_or_default();
    let (mut from, mut to) = (0, line.len());
    let (mut left, mut right) = (sum(0, caret), sum(caret, to));
    if left + right <= DISPLAY_SIZE {
        return (from, to);
    }
    // Keep the left end where that leaves room to the right of the caret; else cut both ends.
    let keep_right = DISPLAY_SIZE.saturating_sub(left).max(MIN_RIGHT_CUT);
    while to > caret && right > keep_right {
        to -= 1;
        right -= width_at(to);
    }
    while from < caret && left + right > DISPLAY_SIZE {
        left -= width_at(from);
        from += 1;
    }
    (from, to)
}

/// How many columns of a terminal a character takes: wide East Asian ones take two.
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
    fn a_position_outside_is_not_shown() {
        for position in [0, 9, usize::MAX] {
            assert_eq!(message("select", position).text(true), "ERROR:  wrong\n");
        }
    }

    #[test]
    fn without_the_query_the_position_is_told() {
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
}
