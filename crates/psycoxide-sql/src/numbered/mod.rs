//! The numbered form of a query: `$1`, `$2`, … where its placeholders are, for the server to bind.
//!
//! Not every placeholder stands where the server takes a parameter. So each is told with its
//! [`Context`], by which it is bound, merged into the text as a constant, or makes the whole
//! statement one that is merged.
//!
//! Each placeholder has a number of its own, even if several ask for the same name: the server gives
//! a number one type, and `select %(a)s, x from t where x = %(a)s` may need two.

mod after;
mod before;
mod clauses;
mod context;
mod frame;
mod item;
mod statements;
#[cfg(test)]
mod tests;
mod walk;

pub use context::Context;

use std::fmt;
use std::ops::Range;

use crate::lex::Syntax;
use crate::quote::StringStyle;
use crate::template::{Piece, Template};
use walk::Walk;

/// How many parameters a statement may have: their count is a 16-bit number in the protocol.
pub const MOST_PARAMETERS: usize = u16::MAX as usize;

/// A query with numbers in place of its placeholders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbered {
    text: Box<[u8]>,
    places: Box<[Place]>,
    /// The value of each number, if all are bound.
    order: Box<[usize]>,
    kind: Kind,
    whole: Option<Whole>,
    fault: Option<Fault>,
    native: bool,
    all_bindable: bool,
    /// How the text was read, if that made a difference.
    read_as: Option<StringStyle>,
}

/// A placeholder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The position of its value, or the number of its name.
    pub value: usize,
    /// Where it stands.
    pub context: Context,
    /// Where its number stands in the text.
    start: usize,
    end: usize,
    /// Whether it is in an expression that GROUP BY or ORDER BY may have again.
    selected: bool,
}

impl Place {
    /// Where its number stands in [`Numbered::text`].
    pub fn range(&self) -> Range<usize> {
        self.start..self.end
    }
}

/// What a query is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One statement whose parameters the server binds: SELECT, INSERT, UPDATE, DELETE, MERGE,
    /// VALUES, TABLE or WITH. SELECT INTO is one.
    Bindable,
    /// One statement of another kind.
    Utility,
    /// Several statements.
    Several,
    /// No statement: nothing but white space, comments and semicolons.
    Empty,
    /// A constant, a quoted name, a comment or a bracket is open at the end, or there is a byte that
    /// is no SQL. The server refuses it.
    Unfinished,
}

/// Why all values must be merged into the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whole {
    /// It is not one statement with parameters.
    Kind(Kind),
    /// A placeholder stands where its value decides how the text behind it is read.
    Place(Context),
}

/// Why a query can be neither bound nor merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Both `%s` and `$1`.
    Mixed,
    /// A number that no parameter can have, as `$0`.
    Number,
    /// More parameters than the protocol can count.
    TooMany(usize),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Mixed => f.write_str("both %s and $1 are used as placeholders"),
            Fault::Number => {
                write!(f, "placeholders are numbered from $1 to ${MOST_PARAMETERS}")
            }
            Fault::TooMany(count) => {
                write!(
                    f,
                    "the query has {count} parameters, the server takes up to {MOST_PARAMETERS}"
                )
            }
        }
    }
}

impl std::error::Error for Fault {}

/// A part of a query that was not written as a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// SQL, in which `%` is no placeholder.
    Text(&'a [u8]),
    /// The value with this number.
    Value(usize),
}

/// What became of a placeholder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filled {
    /// Its value is sent as a parameter.
    Bound,
    /// Its value was written into the text.
    Merged,
}

impl Numbered {
    /// The numbered form of a template without a fault. If it has no placeholders, `$1`, `$2`, … in
    /// its text are some.
    pub fn of(template: &Template, syntax: Syntax) -> Numbered {
        let parts = template.pieces().iter().map(|piece| match piece {
            Piece::Text(range) => Part::Text(template.text(range)),
            Piece::Value(number) => Part::Value(*number),
        });
        let text = template.pieces().iter().rev().find_map(|piece| match piece {
            Piece::Text(range) => Some(range.end),
            Piece::Value(_) => None,
        });
        Self::read(parts, text.unwrap_or(0), template.pieces().len(), syntax)
    }

    /// The numbered form of a text whose placeholders are `$1`, `$2`, … and in which `%` is an
    /// ordinary character.
    pub fn of_native(text: &[u8], syntax: Syntax) -> Numbered {
        Self::read([Part::Text(text)], text.len(), 1, syntax)
    }

    /// The numbered form of a query in parts. Raw SQL that a value stands for is a part as well, so
    /// that what follows it is read rightly.
    pub fn of_parts<'a>(parts: impl IntoIterator<Item = Part<'a>>, syntax: Syntax) -> Numbered {
        Self::read(parts, 0, 0, syntax)
    }

    /// `length` and `count`: how long its text is, and how many parts there are, if that is known.
    fn read<'a>(
        parts: impl IntoIterator<Item = Part<'a>>,
        length: usize,
        count: usize,
        syntax: Syntax,
    ) -> Numbered {
        /// `$1` to `$99`, most times.
        const NUMBER: usize = 3;
        let mut text = Vec::with_capacity(length + count * NUMBER);
        let mut places = Vec::with_capacity(count.div_ceil(2));
        let mut number = itoa::Buffer::new();
        for part in parts {
            match part {
                Part::Text(part) => text.extend_from_slice(part),
                Part::Value(value) => {
                    let start = text.len();
                    text.push(b'$');
                    text.extend_from_slice(number.format(places.len() + 1).as_bytes());
                    let context = Context::Elsewhere;
                    places.push(Place { value, context, start, end: text.len(), selected: false });
                }
            }
        }
        let native = places.is_empty();
        let walk = Walk::over(&text, places, native, syntax);
        let kind = walk.statements.kind();
        let (places, mixed) = (walk.places, walk.mixed);
        let whole = match kind {
            Kind::Bindable => places
                .iter()
                .find(|place| place.context.merges_all())
                .map(|place| Whole::Place(place.context)),
            _ => Some(Whole::Kind(kind)),
        };
        let count = match native {
            true => places.iter().map(|place| place.value + 1).max().unwrap_or(0),
            false => places.len(),
        };
        let fault = match whole {
            _ if walk.bad_number => Some(Fault::Number),
            None if mixed => Some(Fault::Mixed),
            None if count > MOST_PARAMETERS => Some(Fault::TooMany(count)),
            _ => None,
        };
        let order = match native {
            true if fault.is_none() => (0..count).collect(),
            _ => places.iter().map(|place| place.value).collect(),
        };
        Numbered {
            all_bindable: whole.is_none()
                && fault.is_none()
                && places.iter().all(|place| place.context.is_bindable()),
            read_as: walk.met_backslashes.then_some(syntax.strings),
            text: text.into(),
            places: places.into(),
            order,
            kind,
            whole,
            fault,
            native,
        }
    }

    /// What the query is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Why all values have to be merged; `None` if those can be bound whose context allows it.
    pub fn whole(&self) -> Option<Whole> {
        self.whole
    }

    /// What is wrong with its placeholders. It is told only for a statement that is not merged as a
    /// whole, but for numbers that no parameter can have.
    pub fn fault(&self) -> Option<Fault> {
        self.fault
    }

    /// The placeholders, in the order of the text.
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// Whether its placeholders are `$1`, `$2`, … in the query itself.
    pub fn is_native(&self) -> bool {
        self.native
    }

    /// How many parameters it has if all are bound.
    pub fn parameters(&self) -> usize {
        self.order.len()
    }

    /// The text with a number for each placeholder, whatever its context.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// The text, and for each of its numbers the value, if every placeholder can be bound: some only
    /// with a type ([`Context::needs_type`]).
    pub fn all_bound(&self) -> Option<(&[u8], &[usize])> {
        self.all_bindable.then_some((&*self.text, &*self.order))
    }

    /// Whether a NULL in this place means the same whatever its type: it is assigned to a column, or
    /// compared with it for equality, by itself. It may err on the side of no.
    pub fn null_fits(&self, place: &Place) -> bool {
        const OPERATOR: &[u8] = b"+-*/<>=~!@#%^&|`?:";
        const FOLLOWING: [&[u8]; 5] = [b"where", b"and", b"or", b"from", b"returning"];
        let (Some(before), Some(after)) =
            (self.text.get(..place.start), self.text.get(place.end..))
        else {
            return false;
        };
        if memchr::memmem::find(before, b"--").is_some()
            || memchr::memmem::find(before, b"/*").is_some()
        {
            // A sign could be a part of a comment.
            return false;
        }
        let Some((b'=', before)) = before.trim_ascii_end().split_last() else { return false };
        if before.last().is_some_and(|last| OPERATOR.contains(last)) {
            return false;
        }
        let after = after.trim_ascii_start();
        let word = after.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_');
        match after.get(..word.count()) {
            None | Some([]) => matches!(after.first(), None | Some(b',' | b')' | b';')),
            Some(word) => FOLLOWING.iter().any(|known| known.eq_ignore_ascii_case(word)),
        }
    }

    /// Whether a session with this style reads the text in the same way as the one for which it was
    /// made.
    pub fn suits(&self, strings: StringStyle) -> bool {
        self.read_as.is_none_or(|style| style == strings)
    }

    /// Writes the final text. `fill` is asked about each placeholder in the order of the text: it
    /// appends the value's SQL, or leaves a number to be written. Adds the value of each number to
    /// `order`: a placeholder has its own, but one of the query's own `$1`, `$2`, … shares it with
    /// its like.
    ///
    /// # Errors
    /// Those of `fill`. `out` and `order` may hold a part then.
    pub fn write<E>(
        &self,
        out: &mut Vec<u8>,
        order: &mut Vec<usize>,
        mut fill: impl FnMut(&Place, &mut Vec<u8>) -> Result<Filled, E>,
    ) -> Result<(), E> {
        out.reserve(self.text.len());
        let mut buffer = itoa::Buffer::new();
        let mut numbers = vec![0; if self.native { self.order.len() } else { 0 }];
        let mut written = 0;
        for place in &self.places {
            out.extend_from_slice(self.text.get(written..place.start).unwrap_or_default());
            written = place.end;
            if fill(place, out)? == Filled::Merged {
                continue;
            }
            let number = match numbers.get_mut(place.value) {
                Some(known @ 1..) => *known,
                new => {
                    order.push(place.value);
                    if let Some(new) = new {
                        *new = order.len();
                    }
                    order.len()
                }
            };
            out.push(b'$');
            out.extend_from_slice(buffer.format(number).as_bytes());
        }
        out.extend_from_slice(self.text.get(written..).unwrap_or_default());
        Ok(())
    }
}
