//! The context of a placeholder, by what stands before it.

use super::context::Context;
use super::frame::{Clause, Opener};
use super::item::Item;
use super::walk::Walk;
use crate::lex::{Keyword, Token};

impl Walk<'_> {
    /// The context of a placeholder, by what stands before it.
    pub(super) fn context(&self, token: &Token) -> Context {
        let touching = self.ended == token.start;
        let context = match self.before[0] {
            Item::Constant | Item::Place => return Context::Adjacent,
            // `U&%s` would be a constant with `U&'…'`.
            Item::Operator if touching && self.ends_with_unicode_prefix(token.start) => {
                return Context::Glued;
            }
            Item::Start => Context::Elsewhere,
            Item::QuotedName | Item::Close => Context::TypedConstant,
            Item::Operator => Context::Expression,
            Item::Minus if self.unary => Context::Negated,
            Item::Minus => Context::Expression,
            Item::Comma => self.behind_comma(),
            Item::Open => match self.frame.opener {
                Opener::Extract => Context::Field,
                Opener::Keys => Context::SortKey,
                _ => Context::Expression,
            },
            Item::OpenIndex => Context::Expression,
            Item::Colon if self.frame.opener == Opener::Index => Context::Expression,
            Item::Colon => Context::Elsewhere,
            Item::Cast => Context::TypeName,
            Item::Dot => Context::Name,
            Item::Word(word) => self.behind_word(word),
        };
        if let Some(forced) = self.frame.forced {
            return forced;
        }
        if self.frame.clause == Clause::Conflict {
            return Context::ConflictTarget;
        }
        let grouped = self.frame.is_grouped() || self.distinct && self.frame.is_sorted();
        match context {
            Context::SortKey => context,
            _ if grouped => Context::Grouped,
            _ => context,
        }
    }

    /// Whether the text ends here with `U&`, which is not the end of a longer name.
    fn ends_with_unicode_prefix(&self, end: usize) -> bool {
        let text = self.text.get(..end).unwrap_or_default();
        let name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | 0x80..);
        match text {
            [before @ .., b'u' | b'U', b'&'] => !before.last().is_some_and(name),
            _ => false,
        }
    }

    pub(super) fn behind_comma(&self) -> Context {
        match self.frame.clause {
            Clause::Names | Clause::Targets => Context::Name,
            Clause::Values => Context::List,
            Clause::Sort | Clause::Group => Context::SortKey,
            Clause::Expressions | Clause::Filter => Context::Expression,
            Clause::Conflict => Context::ConflictTarget,
            Clause::Start => match self.frame.opener {
                Opener::Statement => Context::Elsewhere,
                Opener::Keys => Context::SortKey,
                _ => Context::Expression,
            },
        }
    }

    fn behind_word(&self, word: Keyword) -> Context {
        let [_, second, third] = self.before;
        let after = |keyword| second == Item::Word(keyword);
        match word {
            Keyword::Not if after(Keyword::Is) => Context::AfterIs,
            Keyword::Is => Context::AfterIs,
            Keyword::By => Context::SortKey,
            Keyword::Collate => Context::Collation,
            Keyword::In if self.frame.opener == Opener::Position => Context::Expression,
            Keyword::In | Keyword::Values => Context::List,
            Keyword::As if self.frame.opener == Opener::Cast => Context::TypeName,
            Keyword::From if self.behind_distinct_from() => Context::Expression,
            Keyword::From | Keyword::For if self.is_inside_call() => Context::Expression,
            Keyword::To if after(Keyword::Similar) => Context::Expression,
            Keyword::First | Keyword::Next if after(Keyword::Fetch) => Context::Expression,
            Keyword::Zone if after(Keyword::Time) && third == Item::Word(Keyword::At) => {
                Context::Expression
            }
            Keyword::And
            | Keyword::BeforeOperand
            | Keyword::Between
            | Keyword::Case
            | Keyword::Distinct
            | Keyword::Else
            | Keyword::Having
            | Keyword::Limit
            | Keyword::Not
            | Keyword::Offset
            | Keyword::On
            | Keyword::Or
            | Keyword::Returning
            | Keyword::Select
            | Keyword::Then
            | Keyword::Trimmed
            | Keyword::When
            | Keyword::Where => Context::Expression,
            Keyword::As
            | Keyword::From
            | Keyword::Into
            | Keyword::Join
            | Keyword::Lateral
            | Keyword::Only
            | Keyword::Set
            | Keyword::Table
            | Keyword::Update
            | Keyword::Using
            | Keyword::With => Context::Name,
            Keyword::Other
            | Keyword::WithModifier
            | Keyword::Time
            | Keyword::Zone
            | Keyword::First
            | Keyword::Next
            | Keyword::To
            | Keyword::At => Context::TypedConstant,
            _ => Context::Elsewhere,
        }
    }

    /// Whether the last three tokens are `IS DISTINCT FROM` or end with `NOT DISTINCT FROM`.
    fn behind_distinct_from(&self) -> bool {
        let [_, second, third] = self.before;
        second == Item::Word(Keyword::Distinct)
            && matches!(third, Item::Word(Keyword::Is | Keyword::Not))
    }

    /// Whether FROM and FOR part a function's arguments here.
    pub(super) fn is_inside_call(&self) -> bool {
        matches!(self.frame.opener, Opener::WithClauses | Opener::Extract)
            && self.frame.clause == Clause::Start
    }
}
