//! What follows a placeholder, and says more about its context.

use super::context::Context;
use super::frame::Opener;
use super::item::Item;
use super::walk::Walk;
use crate::lex::{Keyword, Token};

impl Walk<'_> {
    /// Changes the context of a placeholder by what follows it.
    pub(super) fn follow(&mut self, index: usize, item: Item, token: &Token) {
        let tight = matches!(self.before[1], Item::Operator | Item::Minus)
            || matches!(self.before[1], Item::Word(Keyword::BeforeOperand | Keyword::Between));
        let touching = self.ended == token.start;
        let Some(place) = self.places.get_mut(index) else { return };
        match item {
            Item::Word(_) | Item::QuotedName | Item::Constant | Item::Place if touching => {
                place.context = Context::Glued;
            }
            Item::Constant | Item::Place => place.context = Context::Adjacent,
            Item::Open | Item::Dot if place.context == Context::Expression => {
                place.context = Context::Name;
            }
            // Operators bind tighter than IS.
            Item::Word(Keyword::Is) if place.context == Context::Expression && !tight => {
                self.tested = Some(index);
            }
            Item::Word(Keyword::Not | Keyword::Between | Keyword::In)
                if place.context == Context::Expression =>
            {
                self.test(index, item);
            }
            Item::Word(Keyword::NullTest) if place.context == Context::Expression && !tight => {
                place.context = Context::NullTest;
            }
            _ => {}
        }
    }

    /// Changes the context of a placeholder by the words behind it: `IS NOT NULL`, `NOT BETWEEN`.
    pub(super) fn test(&mut self, index: usize, item: Item) {
        use Keyword::{Between, In, Not, Null, Select, Values, With};
        let opener = self.frame.opener;
        let Some(place) = self.places.get_mut(index) else { return };
        let goes_on = match (place.context, item) {
            (_, Item::Word(Not)) | (Context::Compared, Item::Open) => true,
            (Context::Compared, Item::Word(Select | Values | With)) => {
                place.context = Context::Expression;
                false
            }
            (Context::Expression, Item::Word(Null) | Item::Place) => {
                place.context = Context::NullTest;
                false
            }
            (Context::Expression, Item::Word(Between | In)) if opener != Opener::Position => {
                place.context = Context::Compared;
                item == Item::Word(In)
            }
            _ => false,
        };
        self.tested = goes_on.then_some(index);
    }
}
