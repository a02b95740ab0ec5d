//! Walks over a text once and tells where each placeholder stands.
//!
//! A place is said to take an expression only where that is certain. What looks like a name is taken
//! for the name of a type, behind which only a constant may stand.

use super::Place;
use super::context::Context;
use super::frame::{Frame, Opener};
use super::item::Item;
use super::statements::Statements;
use crate::lex::{Keyword, Lexer, Syntax, Token, TokenKind};

pub(super) struct Walk<'a> {
    pub text: &'a [u8],
    pub places: Vec<Place>,
    /// The first placeholder that was not met yet.
    next: usize,
    /// The query itself has `$1`, `$2`, …
    native: bool,
    /// It has some although it has other placeholders too.
    pub mixed: bool,
    /// It has a number that no parameter can have.
    pub bad_number: bool,
    pub met_backslashes: bool,
    pub frames: Vec<Frame>,
    pub frame: Frame,
    /// The three tokens before, the last one first, and where that ended.
    pub before: [Item; 3],
    pub ended: usize,
    /// Whether the last minus sign has nothing before it from which to subtract.
    pub unary: bool,
    /// The last token but white space was a placeholder.
    pending: Option<usize>,
    /// The placeholder that the last tokens, as `IS NOT`, may tell more about.
    pub tested: Option<usize>,
    /// Whether the last tokens are the name of a type, behind which a bracket begins its modifiers.
    pub in_type: bool,
    /// Whether there was a DISTINCT that makes rows or values different.
    pub distinct: bool,
    /// Whether a constant or a placeholder is a part of a key of GROUP BY, or of a key of ORDER BY
    /// that DISTINCT wants to be selected too.
    repeated: bool,
    /// Whether the last token begins such a key. If it is all of it, it is the number of a column.
    bare: bool,
    pub statements: Statements,
}

impl<'a> Walk<'a> {
    pub fn over(text: &'a [u8], places: Vec<Place>, native: bool, syntax: Syntax) -> Walk<'a> {
        let mut walk = Walk {
            text,
            places,
            next: 0,
            native,
            mixed: false,
            bad_number: false,
            met_backslashes: false,
            frames: Vec::new(),
            frame: Frame::statement(),
            before: [Item::Start; 3],
            ended: 0,
            unary: false,
            pending: None,
            tested: None,
            in_type: false,
            distinct: false,
            repeated: false,
            bare: false,
            statements: Statements::none(),
        };
        // Half a character at the end of one might hide the start of another.
        walk.statements.broken = !syntax.encoding.is_ascii_safe()
            && !text.is_ascii()
            && syntax.encoding.find_invalid(text).is_some();
        let mut lexer = Lexer::new(text, syntax);
        while let Some(token) = lexer.next() {
            walk.statements.broken |= !token.finished;
            match token.kind {
                TokenKind::Space => {}
                TokenKind::Comment => walk.cover(&token, Context::InComment),
                TokenKind::Word => {
                    walk.cover(&token, Context::Glued);
                    walk.word(lexer.keyword(&token), &token);
                }
                TokenKind::Symbol(b';') => walk.semicolon(),
                _ => walk.token(&token),
            }
        }
        if walk.repeated {
            walk.group_selected();
        }
        walk.met_backslashes = lexer.met_backslashes();
        walk.statements.broken |= !walk.frames.is_empty();
        walk
    }

    /// Has the placeholders merged whose values GROUP BY may repeat.
    fn group_selected(&mut self) {
        let bound = |place: &&mut Place| place.selected && place.context.is_bindable();
        for place in self.places.iter_mut().filter(bound) {
            place.context = Context::Grouped;
        }
    }

    /// Gives this context to the placeholders inside a token.
    fn cover(&mut self, token: &Token, context: Context) {
        while let Some(place) = self.places.get_mut(self.next)
            && place.start < token.end
        {
            place.context = context;
            self.next += 1;
        }
    }

    fn go_on(&mut self) {
        self.statements.go_on(None, !self.frames.is_empty());
    }

    fn semicolon(&mut self) {
        self.pending = None;
        self.tested = None;
        // Inside brackets it is an error.
        self.statements.broken |= !self.frames.is_empty();
        self.frame = Frame::statement();
        self.before = [Item::Start; 3];
        self.statements.end();
    }

    fn token(&mut self, token: &Token) {
        let item = match token.kind {
            TokenKind::Parameter => return self.parameter(token),
            TokenKind::QuotedName => {
                self.cover(token, Context::InQuotedName);
                Item::QuotedName
            }
            TokenKind::String => {
                self.cover(token, Context::InString);
                Item::Constant
            }
            TokenKind::DollarString => {
                self.cover(token, Context::InDollarString);
                Item::Constant
            }
            TokenKind::Number => {
                self.cover(token, Context::Glued);
                Item::Constant
            }
            TokenKind::Cast => Item::Cast,
            TokenKind::Symbol(b',') => Item::Comma,
            TokenKind::Symbol(b'(') => return self.open(token),
            TokenKind::Symbol(b'[') => {
                self.go_on();
                self.meet(Item::OpenIndex, token);
                return self.enter(self.frame.inner(Opener::Index, None));
            }
            TokenKind::Symbol(b')' | b']') => {
                self.go_on();
                self.meet(Item::Close, token);
                return self.leave();
            }
            TokenKind::Symbol(b'.') => Item::Dot,
            TokenKind::Symbol(_) => Item::Colon,
            TokenKind::Operator => match self.text.get(token.start..token.end) {
                Some(b"-") => {
                    self.unary = !self.before[0].is_operand();
                    Item::Minus
                }
                _ => Item::Operator,
            },
            _ => {
                self.statements.broken = true;
                Item::Operator
            }
        };
        self.go_on();
        let before = self.before[0];
        self.meet(item, token);
        if item == Item::Constant {
            self.note_key(before);
        }
        self.in_type = match item {
            Item::Cast => true,
            Item::Dot => self.in_type,
            Item::QuotedName => self.in_type && matches!(before, Item::Cast | Item::Dot),
            _ => false,
        };
    }

    fn parameter(&mut self, token: &Token) {
        let index = self.next;
        if self.native {
            let digits = self.text.get(token.start + 1..token.end).unwrap_or_default();
            let Some(value) = parameter_number(digits) else {
                self.bad_number = true;
                return;
            };
            let (start, end) = (token.start, token.end);
            let context = Context::Elsewhere;
            self.places.push(Place { value, context, start, end, selected: false });
        } else {
            match self.places.get(index) {
                Some(place) if place.start == token.start && place.end == token.end => {}
                // A digit follows: it has become part of the number.
                Some(place) if place.start < token.end => {
                    self.cover(token, Context::Glued);
                    self.go_on();
                    self.meet(Item::Place, token);
                    return;
                }
                _ => {
                    self.mixed = true;
                    self.go_on();
                    self.meet(Item::Place, token);
                    return;
                }
            }
        }
        let context = self.context(token);
        self.go_on();
        let before = self.before[0];
        self.meet(Item::Place, token);
        self.note_key(before);
        if let Some(place) = self.places.get_mut(index) {
            place.context = context;
            place.selected = self.frame.is_selected();
        }
        self.next = index + 1;
        self.pending = Some(index);
        self.in_type = false;
    }

    /// Notes that a constant or a placeholder follows. If it is a part of a key that has to be
    /// selected too, what is selected may have the same.
    fn note_key(&mut self, before: Item) {
        if self.frame.is_grouped() || self.distinct && self.frame.is_sorted() {
            self.bare = match before {
                Item::Word(Keyword::By) => true,
                Item::Comma => self.behind_comma() == Context::SortKey,
                Item::Open => self.frame.opener == Opener::Keys,
                _ => false,
            };
            self.repeated |= !self.bare;
        }
    }

    /// Takes note of a token, which also may say more about the placeholder before it.
    pub(super) fn meet(&mut self, item: Item, token: &Token) {
        if let Some(index) = self.pending.take() {
            self.follow(index, item, token);
        } else if let Some(index) = self.tested.take() {
            self.test(index, item);
        }
        self.repeated |= std::mem::take(&mut self.bare) && item.goes_on();
        self.before = [item, self.before[0], self.before[1]];
        self.ended = token.end;
    }
}

/// The number of the value of `$1`, if a parameter can have this number.
fn parameter_number(digits: &[u8]) -> Option<usize> {
    let mut number = 0_usize;
    for digit in digits {
        number = number * 10 + usize::from(digit - b'0');
        if number > super::MOST_PARAMETERS {
            return None;
        }
    }
    number.checked_sub(1)
}
