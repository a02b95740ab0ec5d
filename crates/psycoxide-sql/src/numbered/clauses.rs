//! Words that begin a clause, and brackets.

use super::context::Context;
use super::frame::{Clause, Frame, Opener};
use super::item::Item;
use super::walk::Walk;
use crate::lex::{Keyword, Token};

impl Walk<'_> {
    pub(super) fn word(&mut self, keyword: Keyword, token: &Token) {
        let [first, second, _] = self.before;
        // Behind a dot, every keyword is a name. Behind AS it is one, or begins a type.
        let keyword = match first {
            Item::Dot => Keyword::Other,
            Item::Word(Keyword::As) => match keyword {
                Keyword::WithModifier | Keyword::Time | Keyword::Not | Keyword::Materialized => {
                    keyword
                }
                _ => Keyword::Other,
            },
            _ => keyword,
        };
        self.statements.go_on(Some(keyword), !self.frames.is_empty());
        let after = |keyword| first == Item::Word(keyword);
        let behind_distinct = |item| matches!(item, Item::Word(Keyword::Is | Keyword::Not));
        match keyword {
            Keyword::Distinct => self.distinct |= !behind_distinct(first),
            Keyword::From if after(Keyword::Distinct) && behind_distinct(second) => {}
            Keyword::From | Keyword::For if self.is_inside_call() => {}
            Keyword::On if after(Keyword::Distinct) => {}
            Keyword::Conflict if after(Keyword::On) => self.frame.clause = Clause::Conflict,
            Keyword::By => {
                let group = after(Keyword::Group);
                self.frame.clause = if group { Clause::Group } else { Clause::Sort };
            }
            Keyword::Values => self.frame.clause = Clause::Values,
            Keyword::Into => self.frame.clause = Clause::Targets,
            Keyword::With if matches!(first, Item::Start | Item::Open) => {
                self.frame.clause = Clause::Targets;
            }
            // Columns may be called like these.
            Keyword::Set if !first.is_operand() => {}
            Keyword::Update if !first.may_precede_update() => {}
            // ORDER BY x USING <
            Keyword::Using if self.frame.clause == Clause::Sort => {}
            Keyword::Do
            | Keyword::From
            | Keyword::For
            | Keyword::Join
            | Keyword::Set
            | Keyword::Table
            | Keyword::Update
            | Keyword::Using
            | Keyword::Window => self.frame.clause = Clause::Names,
            Keyword::Having | Keyword::Returning | Keyword::Select => {
                self.frame.clause = Clause::Expressions;
            }
            Keyword::Fetch | Keyword::Limit | Keyword::Offset | Keyword::On | Keyword::Where
                // The WHERE that follows the brackets of ON CONFLICT is one of the index.
                if self.frame.clause != Clause::Conflict =>
            {
                self.frame.clause = Clause::Filter;
            }
            Keyword::SetOperation => self.frame.clause = Clause::Start,
            _ => {}
        }
        self.in_type = match first {
            Item::Cast => true,
            Item::Dot => self.in_type,
            _ => after(Keyword::As) && self.frame.opener == Opener::Cast,
        };
        self.meet(Item::Word(keyword), token);
    }

    pub(super) fn open(&mut self, token: &Token) {
        let [first, second, _] = self.before;
        let is_name = matches!(first, Item::Word(Keyword::Other) | Item::QuotedName);
        let after = |keyword| second == Item::Word(keyword);
        let clause = self.frame.clause;
        let (opener, forced) = match first {
            _ if self.in_type && first != Item::Cast => {
                (Opener::Expression, Some(Context::TypeModifier))
            }
            Item::Word(Keyword::WithModifier | Keyword::Time) => {
                (Opener::Expression, Some(Context::TypeModifier))
            }
            Item::Word(Keyword::JsonTable) => (Opener::Expression, Some(Context::Elsewhere)),
            Item::Word(Keyword::Extract) => (Opener::Extract, None),
            Item::Word(Keyword::WithClauses) => (Opener::WithClauses, None),
            Item::Word(Keyword::Position) => (Opener::Position, None),
            Item::Word(Keyword::Cast) => (Opener::Cast, None),
            Item::Word(Keyword::Using | Keyword::Set) => (Opener::Expression, Some(Context::Name)),
            Item::Word(Keyword::On) if after(Keyword::Distinct) => (Opener::Keys, None),
            Item::Word(Keyword::By) => (Opener::Keys, None),
            Item::Comma if matches!(clause, Clause::Sort | Clause::Group) => (Opener::Keys, None),
            Item::Comma if clause == Clause::Names => (Opener::Expression, Some(Context::Name)),
            Item::Open | Item::Comma if self.frame.opener == Opener::Keys => (Opener::Keys, None),
            Item::Word(Keyword::GroupingSets) => (Opener::Keys, None),
            Item::Place if clause == Clause::Targets => (Opener::Expression, Some(Context::Name)),
            _ if is_name && (clause == Clause::Targets || after(Keyword::As)) => {
                (Opener::Expression, Some(Context::Name))
            }
            _ => (Opener::Expression, None),
        };
        self.statements.open();
        self.meet(Item::Open, token);
        let mut inner = self.frame.inner(opener, forced);
        // What DISTINCT ON compares has to be the same in ORDER BY.
        inner.grouped |= first == Item::Word(Keyword::On) && after(Keyword::Distinct);
        self.enter(inner);
    }

    pub(super) fn enter(&mut self, inner: Frame) {
        self.frames.push(self.frame);
        self.frame = inner;
        self.in_type = false;
    }

    pub(super) fn leave(&mut self) {
        match self.frames.pop() {
            Some(outer) => self.frame = outer,
            None => self.statements.broken = true,
        }
        self.in_type = false;
    }
}
