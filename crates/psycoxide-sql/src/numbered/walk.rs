//! Walks over a text once and tells where each placeholder stands.
//!
//! A place is said to take an expression only where that is certain. What looks like a name is taken
//! for the name of a type, behind which only a constant may stand.

use super::context::Context;
use super::frame::{Clause, Frame, Opener};
use super::{Kind, Place};
use crate::lex::{Keyword, Lexer, Syntax, Token, TokenKind};

/// A token, as far as it matters to its neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Item {
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

pub(super) struct Walk<'a> {
    text: &'a [u8],
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
    frames: Vec<Frame>,
    frame: Frame,
    /// The three tokens before, the last one first, and where that ended.
    before: [Item; 3],
    ended: usize,
    /// Whether the last minus sign has nothing before it from which to subtract.
    unary: bool,
    /// The last token but white space was a placeholder.
    pending: Option<usize>,
    /// The placeholder that the last tokens, as `IS NOT`, may tell more about.
    tested: Option<usize>,
    /// Whether the tokens are the name of a type, and a bracket would begin its modifiers.
    in_type: bool,
    distinct: bool,
    statements: usize,
    /// Whether the current statement has a token.
    begun: bool,
    /// Whether the word that says the statement's kind is still to come.
    undecided: bool,
    bindable: bool,
    creates: bool,
    broken: bool,
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
            statements: 0,
            begun: false,
            undecided: true,
            bindable: false,
            creates: false,
            broken: false,
        };
        // Half a character at the end of one might hide the start of another.
        walk.broken = !syntax.encoding.is_ascii_safe()
            && !text.is_ascii()
            && syntax.encoding.find_invalid(text).is_some();
        let mut lexer = Lexer::new(text, syntax);
        while let Some(token) = lexer.next() {
            walk.broken |= !token.finished;
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
        walk.met_backslashes = lexer.met_backslashes();
        walk.broken |= !walk.frames.is_empty();
        walk
    }

    pub fn kind(&self) -> Kind {
        match self.statements {
            _ if self.broken => Kind::Unfinished,
            0 => Kind::Empty,
            // The body of a function in SQL has semicolons.
            _ if self.creates => Kind::Utility,
            1 if self.bindable => Kind::Bindable,
            1 => Kind::Utility,
            _ => Kind::Several,
        }
    }

    /// Gives this context to the placeholders inside a token.
    fn cover(&mut self, token: &Token, context: Context) {
        while let Some(place) = self.places.get_mut(self.next)
            && place.start < token.end
        {
            if self.native {
                break;
            }
            place.context = context;
            self.next += 1;
        }
    }

    fn semicolon(&mut self) {
        self.pending = None;
        self.tested = None;
        // Inside brackets it is an error.
        self.broken |= !self.frames.is_empty();
        self.frame = Frame::statement();
        self.before = [Item::Start; 3];
        self.begun = false;
    }

    /// Notes that the statement goes on with this token.
    fn begin(&mut self, word: Option<Keyword>, open: bool) {
        if !self.begun {
            self.begun = true;
            self.statements += 1;
            self.undecided = self.statements == 1;
        }
        if self.undecided && !open {
            use Keyword::{Delete, Insert, Merge, Select, Table, Update, Values, With};
            self.undecided = false;
            self.creates = word == Some(Keyword::Create);
            self.bindable = match word {
                Some(Select | Values | With | Table) => true,
                Some(Insert | Update | Delete | Merge) => self.frames.is_empty(),
                _ => false,
            };
        }
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
                self.begin(None, false);
                self.meet(Item::OpenIndex, token);
                return self.enter(self.frame.inner(Opener::Index, None));
            }
            TokenKind::Symbol(b')' | b']') => {
                self.begin(None, false);
                self.meet(Item::Close, token);
                return self.leave();
            }
            TokenKind::Symbol(b'.') => Item::Dot,
            TokenKind::Symbol(_) => Item::Colon,
            TokenKind::Operator => match self.text.get(token.start..token.end) {
                Some(b"-") => {
                    self.unary = !self.is_operand(self.before[0]);
                    Item::Minus
                }
                _ => Item::Operator,
            },
            _ => {
                self.broken = true;
                Item::Operator
            }
        };
        self.begin(None, false);
        let before = self.before[0];
        self.meet(item, token);
        self.in_type = match item {
            Item::Cast => true,
            Item::Dot => self.in_type,
            Item::QuotedName => self.in_type && matches!(before, Item::Cast | Item::Dot),
            _ => false,
        };
    }

    /// Whether what ends with this token is something with a value.
    fn is_operand(&self, item: Item) -> bool {
        use Keyword::{
            And, BeforeOperand, Between, By, Case, Distinct, Else, For, From, Having, In, Limit,
            Not, Offset, On, Or, Returning, Select, Set, SetOperation, Similar, Then, To, Trimmed,
            Using, Values, When, Where,
        };
        match item {
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

    fn parameter(&mut self, token: &Token) {
        let index = self.next;
        if self.native {
            let digits = self.text.get(token.start + 1..token.end).unwrap_or_default();
            let Some(value) = parameter_number(digits) else {
                self.bad_number = true;
                return;
            };
            let (start, end) = (token.start, token.end);
            self.places.push(Place { value, context: Context::Elsewhere, start, end });
        } else {
            match self.places.get(index) {
                Some(place) if place.start == token.start && place.end == token.end => {}
                // A digit follows: it has become part of the number.
                Some(place) if place.start < token.end => {
                    self.cover(token, Context::Glued);
                    self.begin(None, false);
                    self.meet(Item::Place, token);
                    return;
                }
                _ => {
                    self.mixed = true;
                    self.begin(None, false);
                    self.meet(Item::Place, token);
                    return;
                }
            }
        }
        let context = self.context(token);
        self.begin(None, false);
        self.meet(Item::Place, token);
        if let Some(place) = self.places.get_mut(index) {
            place.context = context;
        }
        self.next = index + 1;
        self.pending = Some(index);
        self.in_type = false;
    }

    /// The context of a placeholder, by what stands before it.
    fn context(&self, token: &Token) -> Context {
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

    fn behind_comma(&self) -> Context {
        match self.frame.clause {
            Clause::Names | Clause::Targets => Context::Name,
            Clause::Values => Context::List,
            Clause::Sort | Clause::Group => Context::SortKey,
            Clause::Expressions => Context::Expression,
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
    fn is_inside_call(&self) -> bool {
        matches!(self.frame.opener, Opener::WithClauses | Opener::Extract)
            && self.frame.clause == Clause::Start
    }

    /// Takes note of a token, which also may say more about the placeholder before it.
    fn meet(&mut self, item: Item, token: &Token) {
        if let Some(index) = self.pending.take() {
            self.follow(index, item, token);
        } else if let Some(index) = self.tested.take() {
            self.test(index, item);
        }
        self.before = [item, self.before[0], self.before[1]];
        self.ended = token.end;
    }

    /// Changes the context of a placeholder by what follows it.
    fn follow(&mut self, index: usize, item: Item, token: &Token) {
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
    fn test(&mut self, index: usize, item: Item) {
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

    fn open(&mut self, token: &Token) {
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
        self.begin(None, true);
        self.meet(Item::Open, token);
        let mut inner = self.frame.inner(opener, forced);
        // What DISTINCT ON compares has to be the same in ORDER BY.
        inner.grouped |= first == Item::Word(Keyword::On) && after(Keyword::Distinct);
        self.enter(inner);
    }

    fn enter(&mut self, inner: Frame) {
        self.frames.push(self.frame);
        self.frame = inner;
        self.in_type = false;
    }

    fn leave(&mut self) {
        match self.frames.pop() {
            Some(outer) => self.frame = outer,
            None => self.broken = true,
        }
        self.in_type = false;
    }

    fn word(&mut self, keyword: Keyword, token: &Token) {
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
        self.begin(Some(keyword), false);
        let after = |keyword| first == Item::Word(keyword);
        let behind_distinct = |item| matches!(item, Item::Word(Keyword::Is | Keyword::Not));
        match keyword {
            Keyword::Distinct => self.distinct |= !behind_distinct(first),
            Keyword::From if after(Keyword::Distinct) && behind_distinct(second) => {}
            Keyword::From | Keyword::For if self.is_inside_call() => {}
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
            Keyword::Set if !self.is_operand(first) => {}
            Keyword::Update if !may_begin_update(first) => {}
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
            Keyword::Fetch
            | Keyword::Having
            | Keyword::Limit
            | Keyword::Offset
            | Keyword::On
            | Keyword::Returning
            | Keyword::Select
            | Keyword::Where
                // The WHERE that follows the brackets of ON CONFLICT is one of the index.
                if self.frame.clause != Clause::Conflict =>
            {
                self.frame.clause = Clause::Expressions;
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
}

/// Whether UPDATE is the statement's word, or one of `DO UPDATE`, `FOR UPDATE`, `THEN UPDATE`.
fn may_begin_update(before: Item) -> bool {
    use Keyword::{Do, For, Then};
    matches!(before, Item::Start | Item::Open | Item::Close | Item::Word(Do | For | Then))
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
