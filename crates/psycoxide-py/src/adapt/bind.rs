//! Queries whose parameters are bound on the server.
//!
//! Each value becomes a parameter, or is merged into the text where the server takes none, or where it
//! is no single value (a tuple for `IN`, raw SQL). Statements that take no parameters at all are merged
//! as a whole, by the caller.

use std::sync::Arc;

use psycoxide_proto::{BoundStatement, Parameters};
use psycoxide_sql::lex::Syntax;
use psycoxide_sql::numbered::{Context, Filled, Kind, Numbered, Part, Place};
use psycoxide_sql::statement::is_pipelinable;
use psycoxide_sql::template::Piece;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};

use super::context::AdaptContext;
use super::dump::{Dumped, Dumper};
use super::mogrify::{has_fault, item, raise_fault_of_bound, too_many};
use super::quoter::Quoter;
use super::template::ParsedQuery;
use crate::error;

/// What becomes of a query that is to be bound on the server.
pub enum BoundQuery {
    /// The statement with its parameters.
    Statement(BoundStatement, Labels),
    /// It cannot be bound: all of its values are to be merged in.
    Merged,
}

/// Which placeholder each parameter has in the query.
#[derive(Clone)]
pub struct Labels {
    parsed: Arc<ParsedQuery>,
    /// The value of each parameter; `None` if all placeholders are bound.
    order: Option<Vec<usize>>,
    /// The query had values.
    templated: bool,
}

impl Labels {
    /// Whether the statement may be sent while others are under way.
    pub fn is_pipelinable(&self, statement: &BoundStatement) -> bool {
        match &self.order {
            Some(_) => is_pipelinable(statement.sql()),
            None if self.templated => self.parsed.is_pipelinable(),
            None => self.parsed.plain().pipelinable,
        }
    }

    /// Whether the text has constants that mean the time at which they are read, like `'now'`. They must
    /// be read anew each time.
    pub fn reads_clock(&self) -> bool {
        self.parsed.reads_clock()
    }

    /// The placeholder of the parameter with this number, counted from 1, as the program has written
    /// it, and which one of its like it is; `None` if the program has written the number itself.
    pub fn placeholder(&self, py: Python<'_>, number: usize) -> Option<String> {
        let index = number.checked_sub(1)?;
        let numbered = self.parsed.numbered()?;
        if numbered.is_native() {
            return None;
        }
        let value = match &self.order {
            Some(order) => *order.get(index)?,
            None => numbered.places().get(index)?.value,
        };
        Some(match self.parsed.name(value) {
            Some(name) => format!("%({})s", name.bind(py).to_string_lossy()),
            None => format!("%s (number {})", value + 1),
        })
    }
}

/// The text of a query with `$1` and so on in the place of its placeholders.
///
/// # Errors
/// The template's own fault; `ProgrammingError` if it is no query that takes parameters, or one of its
/// placeholders is where the server takes none.
pub fn numbered_query(
    py: Python<'_>,
    query: &[u8],
    context: &AdaptContext<'_, '_>,
) -> PyResult<Vec<u8>> {
    let syntax = syntax(context);
    let parsed = ParsedQuery::of_numbered(py, query, context.quoting.encoding(), syntax)?;
    raise_fault_of_bound(&parsed)?;
    let Some(numbered) = parsed.numbered() else {
        return Err(error::internal("a query without its numbered form"));
    };
    check(numbered)?;
    match numbered.all_bound() {
        Some((text, _)) => Ok(text.to_vec()),
        None => Err(error::programming(
            "the query cannot be prepared: it is not a single statement that reads or writes rows, or \
             a placeholder stands where the server takes no parameter",
        )),
    }
}

/// The query with its parameters apart from it. `binary`: whether values may be in binary formats.
/// Without `args` it is sent as it is, if its reply is the same by both protocols, or if it is one
/// statement with rows and `anything` goes.
pub fn bind_query<'py>(
    py: Python<'py>,
    query: &[u8],
    args: Option<&Bound<'py, PyAny>>,
    context: &AdaptContext<'_, 'py>,
    binary: bool,
    anything: bool,
) -> PyResult<BoundQuery> {
    let Some(args) = args else {
        // Not a template: it is sent as it is.
        let parsed = ParsedQuery::of(py, query, context.quoting.encoding())?;
        let takes_name = || Numbered::of_native(query, syntax(context)).kind() == Kind::Bindable;
        if !(parsed.plain().protocol_independent || anything && takes_name()) {
            return Ok(BoundQuery::Merged);
        }
        let labels = Labels { parsed: Arc::clone(&parsed), order: None, templated: false };
        let statement = BoundStatement::new(parsed.shared_query(), Parameters::default());
        return Ok(BoundQuery::Statement(statement, labels));
    };
    let syntax = syntax(context);
    let parsed = ParsedQuery::of_numbered(py, query, context.quoting.encoding(), syntax)?;
    raise_fault_of_bound(&parsed)?;
    let Some(numbered) = parsed.numbered() else { return Ok(BoundQuery::Merged) };
    check(numbered)?;
    refuse_inside(numbered)?;
    if numbered.whole().is_some() {
        return Ok(BoundQuery::Merged);
    }
    if numbered.places().is_empty() {
        // Merging decides what to do with values that have no placeholders.
        return Ok(BoundQuery::Merged);
    }
    let values = Values::of(&parsed, numbered, args)?;
    let mut dumper = Dumper::new(context, binary)?;
    let (statement, order) = match values.bind_all(numbered, &mut dumper)? {
        Some(parameters) => {
            let Some(text) = parsed.bound_text() else {
                return Err(error::internal("a query without its bound form"));
            };
            (BoundStatement::new(text, parameters), None)
        }
        None => {
            let (mut quoter, mut raw) = (Quoter::new(context)?, Vec::new());
            let (statement, order) =
                values.bind_some(numbered, &mut dumper, &mut quoter, &mut raw)?;
            if raw.is_empty() || numbered.is_native() {
                (statement, Some(order))
            } else {
                // What follows raw SQL depends on it.
                let parts = parsed.template.pieces().iter().map(|piece| match piece {
                    Piece::Text(range) => Part::Text(parsed.template.text(range)),
                    Piece::Value(value) => match raw.iter().find(|(raw, _)| raw == value) {
                        Some((_, sql)) => Part::Text(sql),
                        None => Part::Value(*value),
                    },
                });
                let numbered = Numbered::of_parts(parts, syntax);
                check(&numbered)?;
                refuse_inside(&numbered)?;
                if numbered.whole().is_some() {
                    return Ok(BoundQuery::Merged);
                }
                let (statement, order) =
                    values.bind_some(&numbered, &mut dumper, &mut quoter, &mut Vec::new())?;
                (statement, Some(order))
            }
        }
    };
    Ok(BoundQuery::Statement(statement, Labels { parsed, order, templated: true }))
}

/// The same for a program that knows psycopg2's rules only. All values are bound, or none: what is
/// merged changes the text, so that binding the others would save nothing. What is wrong with the
/// query is left to merging, which raises it as psycopg2 does.
pub fn bind_all<'py>(
    py: Python<'py>,
    query: &[u8],
    args: &Bound<'py, PyAny>,
    context: &AdaptContext<'_, 'py>,
    binary: bool,
) -> PyResult<Option<BoundStatement>> {
    let syntax = syntax(context);
    let parsed = ParsedQuery::of_numbered(py, query, context.quoting.encoding(), syntax)?;
    let (Some(numbered), Some(text)) = (parsed.numbered(), parsed.bound_text()) else {
        return Ok(None);
    };
    if numbered.is_native() || has_fault(&parsed) {
        return Ok(None);
    }
    let values = Values::unchecked(&parsed, args);
    let mut dumper = Dumper::new(context, binary)?;
    let Some(parameters) = values.bind_all(numbered, &mut dumper)? else { return Ok(None) };
    if values.are_too_many()? {
        return Err(too_many());
    }
    Ok(Some(BoundStatement::new(text, parameters)))
}

pub(super) fn syntax(context: &AdaptContext<'_, '_>) -> Syntax {
    Syntax { encoding: context.quoting.encoding().encoding(), strings: context.quoting.strings() }
}

/// Refuses placeholders that can be neither bound nor merged.
pub(super) fn check(numbered: &Numbered) -> PyResult<()> {
    match numbered.fault() {
        Some(fault) => Err(error::programming(fault.to_string())),
        None => Ok(()),
    }
}

/// Refuses the query if a placeholder stands inside of a constant, a quoted name or a comment, for an
/// API that does not merge values there.
///
/// # Errors
/// `ProgrammingError`, which says what to do.
pub fn refuse_merging_inside(
    py: Python<'_>,
    query: &[u8],
    context: &AdaptContext<'_, '_>,
) -> PyResult<()> {
    let syntax = syntax(context);
    let parsed = ParsedQuery::of_numbered(py, query, context.quoting.encoding(), syntax)?;
    let numbered = parsed.numbered();
    numbered.map_or(Ok(()), refuse_inside)
}

/// Refuses placeholders inside of constants, quoted names and comments: a value that is merged there
/// could end them.
pub(super) fn refuse_inside(numbered: &Numbered) -> PyResult<()> {
    for place in numbered.places() {
        let (inside, advice) = match place.context {
            Context::InString | Context::InDollarString => (
                "a string constant",
                "take it out of the quotes, and put the string together with ||",
            ),
            Context::InQuotedName => ("a quoted name", "use sql.Identifier"),
            Context::InComment => ("a comment", "write %% for a percent sign"),
            _ => continue,
        };
        return Err(error::programming(format!(
            "a placeholder stands inside {inside}, where no value can be bound: {advice}"
        )));
    }
    Ok(())
}

/// The values of a query.
pub(super) struct Values<'a, 'py> {
    parsed: &'a ParsedQuery,
    args: &'a Bound<'py, PyAny>,
    /// Asking for a value may run Python code.
    in_python: bool,
}

impl<'a, 'py> Values<'a, 'py> {
    /// # Errors
    /// There are more values than placeholders.
    pub(super) fn of(
        parsed: &'a ParsedQuery,
        numbered: &Numbered,
        args: &'a Bound<'py, PyAny>,
    ) -> PyResult<Self> {
        let values = Self::unchecked(parsed, args);
        if numbered.is_native() {
            let given = match args.is_instance_of::<PyDict>() {
                false => args.len()?,
                true => {
                    return Err(PyTypeError::new_err(
                        "the values of $1, $2 and so on are a sequence: got a dict",
                    ));
                }
            };
            if given != numbered.parameters() {
                return Err(error::programming(format!(
                    "the query has {} parameters, and got {given} values",
                    numbered.parameters()
                )));
            }
        } else if values.are_too_many()? {
            return Err(too_many());
        }
        Ok(values)
    }

    fn unchecked(parsed: &'a ParsedQuery, args: &'a Bound<'py, PyAny>) -> Self {
        let plain = args.is_exact_instance_of::<PyTuple>()
            || args.is_exact_instance_of::<PyList>()
            || args.is_exact_instance_of::<PyDict>();
        Self { parsed, args, in_python: !plain }
    }

    /// Whether there are more values than placeholders.
    fn are_too_many(&self) -> PyResult<bool> {
        let positions = self.parsed.template.positions();
        Ok(positions > 0 && self.args.len()? > positions)
    }

    /// The value with this number.
    pub(super) fn get(
        &self,
        value: usize,
        dumper: &mut Dumper<'_, 'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let found = match self.parsed.name(value) {
            Some(name) => self.args.get_item(name),
            None => item(self.args, value),
        };
        if self.in_python {
            dumper.forget();
        }
        found
    }

    /// All values as parameters; `None` if one has to be merged.
    fn bind_all(
        &self,
        numbered: &Numbered,
        dumper: &mut Dumper<'_, 'py>,
    ) -> PyResult<Option<Parameters>> {
        let Some((_, order)) = numbered.all_bound() else { return Ok(None) };
        let mut parameters = Parameters::with_capacity(order.len());
        for value in order {
            let object = self.get(*value, dumper)?;
            if add(&mut parameters, dumper, &object)?.is_some() {
                return Ok(None);
            }
        }
        // A value without a type of its own is merged where its place gives it none.
        let untyped = |(index, place): (usize, &Place)| {
            let number = if numbered.is_native() { place.value } else { index };
            place.context.needs_type() && parameters.types().get(number) == Some(&0)
        };
        if numbered.places().iter().enumerate().any(untyped) {
            return Ok(None);
        }
        Ok(Some(parameters))
    }

    /// The statement with the values merged in that have to be, and the value of each parameter.
    /// Raw SQL that was merged is added to `raw`, with its value.
    fn bind_some(
        &self,
        numbered: &Numbered,
        dumper: &mut Dumper<'_, 'py>,
        quoter: &mut Quoter<'_, 'py>,
        raw: &mut Vec<(usize, Vec<u8>)>,
    ) -> PyResult<(BoundStatement, Vec<usize>)> {
        let (mut text, mut order) = (Vec::new(), Vec::new());
        let mut parameters = Parameters::default();
        // The parameter of each value that the query names by its own numbers.
        let mut bound = vec![false; if numbered.is_native() { numbered.parameters() } else { 0 }];
        numbered.write(&mut text, &mut order, |place, out| {
            if bound.get(place.value) == Some(&true) {
                return Ok(Filled::Bound);
            }
            let object = self.get(place.value, dumper)?;
            let literal = match place.context.is_bindable() {
                true => {
                    let needs_type = place.context.needs_type();
                    let other = parameters.add(|out| match dumper.value(&object, out)? {
                        Dumped::Bound(0, _) if needs_type => Ok(None),
                        Dumped::Bound(oid, written) => Ok(Some((oid, written))),
                        Dumped::Literal => Ok::<_, PyErr>(None),
                    })?;
                    other.map(|_| quoted(quoter, &object)).transpose()?
                }
                false => Some(quoted(quoter, &object)?),
            };
            if let Some(literal) = &literal {
                // Python code may have run.
                dumper.forget();
                if quoter.wrote_raw_sql() {
                    raw.push((place.value, literal.clone()));
                }
            }
            match literal {
                None => {
                    if let Some(bound) = bound.get_mut(place.value) {
                        *bound = true;
                    }
                    Ok::<_, PyErr>(Filled::Bound)
                }
                Some(literal) => {
                    out.extend_from_slice(&literal);
                    Ok(Filled::Merged)
                }
            }
        })?;
        Ok((BoundStatement::new(text.into(), parameters), order))
    }
}

/// Adds a value; returns its SQL if it is no single value.
fn add<'py>(
    parameters: &mut Parameters,
    dumper: &mut Dumper<'_, 'py>,
    object: &Bound<'py, PyAny>,
) -> PyResult<Option<Vec<u8>>> {
    parameters.add(|out| {
        Ok(match dumper.value(object, out)? {
            Dumped::Bound(oid, written) => Some((oid, written)),
            Dumped::Literal => None,
        })
    })
}

fn quoted<'py>(quoter: &mut Quoter<'_, 'py>, object: &Bound<'py, PyAny>) -> PyResult<Vec<u8>> {
    let mut sql = Vec::new();
    quoter.value(object, &mut sql)?;
    // Python code may have run.
    quoter.forget();
    Ok(sql)
}
