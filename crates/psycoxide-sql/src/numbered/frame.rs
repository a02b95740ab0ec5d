//! The brackets around a placeholder, and the clause that it is in.

use super::context::Context;

/// What is inside a pair of brackets; the outermost frame is the statement.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub opener: Opener,
    pub clause: Clause,
    /// The context of every placeholder inside, whatever stands before it.
    pub forced: Option<Context>,
    /// Whether it is in a key of GROUP BY, or of DISTINCT ON.
    pub grouped: bool,
    /// Whether it is in a key of ORDER BY.
    pub sorted: bool,
    /// Whether it is a part of what a query around it selects.
    pub selected: bool,
}

/// What stands before an opening bracket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opener {
    /// Nothing: this is the statement.
    Statement,
    /// A function's name, an operator, or anything else behind which expressions follow.
    Expression,
    /// A sort key may stand in these brackets.
    Keys,
    /// `EXTRACT`
    Extract,
    /// `SUBSTRING`, `TRIM`, `OVERLAY`
    WithClauses,
    /// `POSITION`
    Position,
    /// `CAST`
    Cast,
    /// `[`
    Index,
}

/// The clause that a frame is in, as far as it says what a comma means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clause {
    /// None so far.
    Start,
    /// A list of expressions, or one.
    Expressions,
    /// A condition for rows, or their count.
    Filter,
    /// A list of tables, or of assignments.
    Names,
    /// The names behind WITH or INSERT INTO, each of which may have a list of columns.
    Targets,
    Values,
    Sort,
    Group,
    Conflict,
}

impl Frame {
    pub fn statement() -> Frame {
        Frame {
            opener: Opener::Statement,
            clause: Clause::Start,
            forced: None,
            grouped: false,
            sorted: false,
            selected: false,
        }
    }

    /// A frame inside this one.
    pub fn inner(&self, opener: Opener, forced: Option<Context>) -> Frame {
        let conflict = (self.clause == Clause::Conflict).then_some(Context::ConflictTarget);
        Frame {
            opener,
            clause: Clause::Start,
            forced: self.forced.or(conflict).or(forced),
            grouped: self.is_grouped(),
            sorted: self.is_sorted(),
            selected: self.is_selected(),
        }
    }

    pub fn is_grouped(&self) -> bool {
        self.grouped || self.clause == Clause::Group
    }

    /// Whether the current clause is selected, or a key of what is.
    pub fn is_selected(&self) -> bool {
        self.selected || matches!(self.clause, Clause::Expressions | Clause::Sort | Clause::Group)
    }

    pub fn is_sorted(&self) -> bool {
        self.sorted || self.clause == Clause::Sort
    }
}
