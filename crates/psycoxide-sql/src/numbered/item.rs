//! Tokens, as far as they matter to their neighbours.

use crate::lex::Keyword;

/// A token, as far as it matters to its neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// The start of a statement.
    Start,
    Word(Keyword),
    QuotedName,
    /// A string or a number.
    Constant,
    Place,
    Operator,
    Minus,
    Comma,
    Open,
    OpenIndex,
    /// `)` or `]`
    Close,
    Dot,
    Colon,
    Cast,
}

impl Item {
    /// Whether what ends with this token is something with a value.
    pub fn is_operand(self) -> bool {
        use Keyword::{
            And, BeforeOperand, Between, By, Case, Distinct, Else, For, From, Having, In, Limit,
            Not, Offset, On, Or, Returning, Select, Set, SetOperation, Similar, Then, To, Trimmed,
            Using, Values, When, Where,
        };
        match self {
            Item::QuotedName | Item::Constant | Item::Place | Item::Close => true,
            Item::Word(
                And | BeforeOperand | Between | By | Case | Distinct | Else | For | From | Having
                | In | Limit | Not | Offset | On | Or | Returning | Select | Set | SetOperation
                | Similar | Then | To | Trimmed | Using | Values | When | Where,
            ) => false,
            Item::Word(_) => true,
            _ => false,
        }
    }

    /// Whether an expression that ended before this token goes on with it.
    pub fn goes_on(self) -> bool {
        use Keyword::{
            And, At, BeforeOperand, Between, Collate, In, Is, Not, NullTest, Or, Similar,
        };
        match self {
            Item::Operator | Item::Minus | Item::Cast | Item::OpenIndex | Item::Dot => true,
            Item::Word(word) => matches!(
                word,
                And | At
                    | BeforeOperand
                    | Between
                    | Collate
                    | In
                    | Is
                    | Not
                    | NullTest
                    | Or
                    | Similar
            ),
            _ => false,
        }
    }

    /// Whether UPDATE, behind this, is the statement's word, or one of `DO UPDATE`, `FOR UPDATE`,
    /// `THEN UPDATE`.
    pub fn may_precede_update(self) -> bool {
        use Keyword::{Do, For, Then};
        matches!(self, Item::Start | Item::Open | Item::Close | Item::Word(Do | For | Then))
    }
}
