//! What statements a text has.

use super::Kind;
use crate::lex::Keyword;

/// The statements that were met so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Statements {
    count: usize,
    /// Whether the current statement has a token.
    begun: bool,
    /// Whether the word that says what the first statement is is still to come.
    undecided: bool,
    bindable: bool,
    creates: bool,
    /// Whether something has no end, or there is something that is no SQL.
    pub broken: bool,
}

impl Statements {
    pub fn none() -> Statements {
        Statements {
            count: 0,
            begun: false,
            undecided: false,
            bindable: false,
            creates: false,
            broken: false,
        }
    }

    /// Notes that the statement goes on with an opening bracket.
    #[inline]
    pub fn open(&mut self) {
        if !self.begun {
            self.begun = true;
            self.count += 1;
            self.undecided = self.count == 1;
        }
    }

    /// Notes that the statement goes on with this word, or another token. `inside`: whether there are
    /// brackets around it.
    #[inline]
    pub fn go_on(&mut self, word: Option<Keyword>, inside: bool) {
        self.open();
        if self.undecided {
            use Keyword::{Delete, Insert, Merge, Select, Table, Update, Values, With};
            self.undecided = false;
            self.creates = word == Some(Keyword::Create);
            self.bindable = match word {
                Some(Select | Values | With | Table) => true,
                Some(Insert | Update | Delete | Merge) => !inside,
                _ => false,
            };
        }
    }

    /// Notes a semicolon.
    pub fn end(&mut self) {
        self.begun = false;
    }

    pub fn kind(self) -> Kind {
        match self.count {
            _ if self.broken => Kind::Unfinished,
            0 => Kind::Empty,
            // The body of a function in SQL has semicolons.
            _ if self.creates => Kind::Utility,
            1 if self.bindable => Kind::Bindable,
            1 => Kind::Utility,
            _ => Kind::Several,
        }
    }
}
