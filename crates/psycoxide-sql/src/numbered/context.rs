//! Where a placeholder stands, and what follows from that.

/// Where a placeholder stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// Where an expression may stand: the server takes a parameter there.
    Expression,
    /// Before `IS [NOT] NULL`, `ISNULL` or `NOTNULL`: the server takes a parameter there, but cannot
    /// find its type.
    NullTest,
    /// Before `BETWEEN` or a list of `IN`: the server compares with each operand. A constant of
    /// unknown type has the type that each comparison asks for, a parameter has one type.
    Compared,

    // Only this value has to be merged.
    /// After `IS` or `IS NOT`, where only some keywords may stand.
    AfterIs,
    /// Behind a name, as in `interval %s`: the constant that belongs to a type's name.
    TypedConstant,
    /// In the brackets behind a type's name, as in `varchar(%s)`.
    TypeModifier,
    /// After `::`, or the type in `CAST(x AS %s)`.
    TypeName,
    /// After `COLLATE`.
    Collation,
    /// Where a name stands: after `FROM`, `AS`, `INTO`, `TABLE`, `UPDATE`, a dot; before a bracket.
    Name,
    /// After `IN`, `VALUES` and the like: a row or a list in brackets.
    List,
    /// A key of ORDER BY or GROUP BY, where an integer constant is the number of a column.
    SortKey,
    /// In the brackets or the WHERE of ON CONFLICT, which must match those of an index.
    ConflictTarget,
    /// The field of EXTRACT.
    Field,
    /// After a minus sign that makes a constant negative. The type depends on the result, and so does
    /// what it means as a key of ORDER BY.
    Negated,
    /// In an expression that has to be equal to another one, as that of GROUP BY to the selected one:
    /// two parameters are never equal.
    Grouped,
    /// Anywhere else.
    Elsewhere,

    // All values have to be merged.
    /// Glued to what stands before or behind it, as in `E%s`.
    Glued,
    /// Next to another placeholder or a constant, with nothing but white space in between.
    Adjacent,
    /// Inside a string constant.
    InString,
    /// Inside a dollar-quoted string constant.
    InDollarString,
    /// Inside a quoted name.
    InQuotedName,
    /// Inside a comment.
    InComment,
}

impl Context {
    /// Whether the value may be bound.
    pub fn is_bindable(self) -> bool {
        matches!(self, Context::Expression | Context::NullTest | Context::Compared)
    }

    /// Whether it may be bound only as a parameter whose type is told. A constant of unknown type,
    /// as texts are, has to be merged here.
    pub fn needs_type(self) -> bool {
        matches!(self, Context::NullTest | Context::Compared)
    }

    /// Whether no value of the statement may be bound.
    pub fn merges_all(self) -> bool {
        use Context::{Adjacent, Glued, InComment, InDollarString, InQuotedName, InString};
        matches!(self, Glued | Adjacent | InString | InDollarString | InQuotedName | InComment)
    }
}
