//! Runs of statements that are bound to their parameters on the server.

use std::sync::Arc;

use psycoxide_arrow::Catalog;
use psycoxide_proto::{
    BoundStatement, Columns, Engine, Formats, Outcome, Parameters, PrepareWhen, Report, Request,
    TransactionStatus,
};
use psycoxide_sql::statement::is_reading;
use pyo3::prelude::*;

use super::Cursor;
use crate::adapt::Labels;
use crate::cast::{CastPlan, ChosenFormats};
use crate::driver::OperationContext;

/// How often a statement is sent again because of the name that it had: the server may have forgotten
/// the name, and its result may have changed. The last time it has no name.
const ATTEMPTS: u8 = 2;

/// A run of a statement that is bound to its parameters on the server.
pub struct Run {
    statement: Arc<BoundStatement>,
    /// What the program has written for its parameters; `None` if there are none, or it gets no
    /// advice about them.
    labels: Option<Labels>,
    prepare: PrepareWhen,
    /// Whether columns come in binary: at once, or never; `None`: as soon as the statement has a name.
    binary: Option<bool>,
    /// It may be sent while others are under way.
    pub pipelined: bool,
    /// How often it may still be sent again because of its name.
    attempts: u8,
    /// The formats of its columns, once they were described because binary ones are wanted at once.
    formats: Option<Option<Arc<Formats>>>,
}

/// What has to be done before a statement can be sent again.
pub enum Again {
    /// Nothing.
    Send,
    /// This request: the transaction that began with the statement has failed.
    After(Request),
}

impl Run {
    /// A run of `statement`. Without `labels` the server's errors are raised as they are.
    /// `pipelined`: it may be sent while others are under way.
    pub fn new(
        statement: BoundStatement,
        labels: Option<Labels>,
        prepare: PrepareWhen,
        binary: Option<bool>,
        pipelined: bool,
    ) -> Self {
        let statement = Arc::new(statement);
        Self { statement, labels, prepare, binary, pipelined, attempts: ATTEMPTS, formats: None }
    }

    /// A run of a text whose parameters, if it had any, were merged in. It never gets a name.
    pub fn of_text(sql: &[u8]) -> Self {
        let statement = BoundStatement::new(sql.into(), Parameters::default());
        Self {
            statement: Arc::new(statement),
            labels: None,
            prepare: PrepareWhen::Never,
            binary: Some(false),
            pipelined: false,
            attempts: ATTEMPTS,
            formats: None,
        }
    }

    /// The request for it as a part of a group; without a name unless `named`. Its columns come in
    /// text.
    pub fn grouped_request(&self, named: bool) -> Request {
        let prepare = if named { self.prepare } else { PrepareWhen::Never };
        Request::unsynced_bound(Arc::clone(&self.statement), prepare)
    }

    /// The request for it alone. Its columns come in text.
    pub fn plain_request(&self) -> Request {
        Request::bound(Arc::clone(&self.statement), self.prepare, None)
    }

    /// The statement.
    pub fn statement(&self) -> &Arc<BoundStatement> {
        &self.statement
    }

    /// The request for it, to be sent now. The cursor decodes its rows; `catalog` has the types of those
    /// that become Arrow's.
    pub fn request(
        &self,
        context: OperationContext<'_, '_>,
        cursor: &Bound<'_, Cursor>,
        catalog: Option<&Catalog>,
    ) -> PyResult<Request> {
        let statement = Arc::clone(&self.statement);
        let request = match (&self.formats, self.binary) {
            (Some(Some(formats)), _) => {
                Request::bound_in(statement, self.prepare, Arc::clone(formats))
            }
            (Some(None), _) | (None, Some(false)) => Request::bound(statement, self.prepare, None),
            (None, _) => {
                let formats = match self.known_columns(context) {
                    Some(columns) => cursor.get().formats(context, &columns, catalog)?,
                    None => None,
                };
                Request::bound(statement, self.prepare, formats)
            }
        };
        Ok(if self.pipelined { request.pipelined() } else { request })
    }

    /// The request that has its columns described, if they are wanted in binary at once and are not
    /// known.
    pub fn description_request(&self, context: OperationContext<'_, '_>) -> Option<Request> {
        if self.binary != Some(true)
            || self.formats.is_some()
            || self.known_columns(context).is_some()
        {
            return None;
        }
        let (sql, types) = (self.statement.sql().to_vec(), self.statement.types().to_vec());
        Some(Request::prepare(Vec::new(), sql, types))
    }

    /// Notes the columns that were described.
    pub fn note_described(
        &mut self,
        context: OperationContext<'_, '_>,
        cursor: &Bound<'_, Cursor>,
        columns: Option<Arc<Columns>>,
        catalog: Option<&Catalog>,
    ) -> PyResult<()> {
        self.formats = Some(match columns {
            Some(columns) => cursor.get().formats(context, &columns, catalog)?,
            None => None,
        });
        Ok(())
    }

    /// Forgets what was described: it is described again.
    pub fn forget_described(&mut self) {
        self.formats = None;
    }

    /// The columns, if they are known.
    pub fn known_columns(&self, context: OperationContext<'_, '_>) -> Option<Arc<Columns>> {
        context.session.ask(|engine| engine.known_columns(&self.statement).cloned()).flatten()
    }

    /// Whether a statement failed because of how it was sent: its name is to blame, or it was described
    /// and its columns have changed before it ran.
    #[cold]
    pub fn may_go_again(&self, outcome: &Outcome) -> bool {
        let Some(report) = &outcome.error else { return false };
        match (report.sqlstate(), report.field(b'R')) {
            (Some("08P01"), Some(b"PortalSetResultFormat")) => {
                matches!(self.formats, Some(Some(_)))
            }
            // There are poolers that give names to statements that have none.
            (Some("0A000"), Some(b"RevalidateCachedQuery")) => true,
            _ => outcome.again,
        }
    }

    /// What to do if a statement [may go again](Self::may_go_again), and nothing of the transaction is
    /// lost by another attempt; `None` if the error is the program's.
    #[cold]
    pub fn again(&mut self, context: OperationContext<'_, '_>, outcome: &Outcome) -> Option<Again> {
        if !self.may_go_again(outcome) {
            return None;
        }
        self.attempts = self.attempts.checked_sub(1)?;
        // What was sent behind it runs before it now: that must make no difference.
        let followed = context.session.ask(Engine::requests_in_flight)? > 0;
        if followed && !is_reading(self.statement.sql()) {
            return None;
        }
        if self.attempts == 0 {
            self.prepare = PrepareWhen::Never;
        }
        // What was described is of the past. In text it runs at once.
        self.formats = self.formats.take().map(|_| None);
        match context.session.ask(Engine::transaction_status)? {
            TransactionStatus::Idle => Some(Again::Send),
            _ if outcome.begun => {
                let rollback = context.connection.get().state(context.py()).end("ROLLBACK")?;
                Some(Again::After(Request::query(rollback)))
            }
            _ => None,
        }
    }
}

/// The errors that a cast of a parameter mends: its type could not be found, or is another one in each
/// place, or is not the one that an operator, a function or a column takes.
const OF_TYPES: [&str; 5] = ["42P18", "42P08", "42883", "42725", "42804"];

impl Run {
    /// Adds advice to an error of the server, if it is about a type that a parameter has or lacks.
    #[cold]
    pub fn advise(&self, py: Python<'_>, report: &mut Report) {
        let about_types = report.sqlstate().is_some_and(|code| OF_TYPES.contains(&code));
        let Some(labels) = self.labels.as_ref().filter(|_| about_types) else { return };
        if self.statement.types().is_empty() {
            return;
        }
        let number = report.message().and_then(parameter_number);
        let hint = match number {
            Some(number) => {
                let written = labels.placeholder(py, number);
                let written = written.unwrap_or_else(|| format!("${number}"));
                format!("Write a cast behind the placeholder {written}, as in %s::text.")
            }
            None => "Parameters are bound on the server, with the types of their values: write a cast \
                     behind a placeholder whose value has another type than the one that is needed, as \
                     in %s::text."
                .to_owned(),
        };
        report.add_hint(&hint);
    }
}

/// The first `$n` in a message.
fn parameter_number(message: &[u8]) -> Option<usize> {
    let at = memchr::memchr(b'$', message)? + 1;
    let digits = message.get(at..)?;
    let length = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(digits.get(..length)?).ok()?.parse().ok()
}

impl Cursor {
    /// The formats to ask for columns in, which the server has described; `None` if all are text.
    fn formats(
        &self,
        context: OperationContext<'_, '_>,
        described: &Arc<Columns>,
        catalog: Option<&Catalog>,
    ) -> PyResult<Option<Arc<Formats>>> {
        let py = context.py();
        let connection = context.connection.get();
        if let (Some(options), Some(catalog)) = (self.arrow_options(py), catalog) {
            return Ok(choose(described, self.arrow_formats(py, described, catalog, &options)?));
        }
        let utc = || connection.is_in_utc(py);
        let (registries, encoding) = (self.registries(py)?, self.text_decoder(py)?);
        if !registries.is_global() {
            return Ok(choose(described, CastPlan::formats(&registries, described, utc())?));
        }
        let cached = connection.state(py).formats.take(described);
        let chosen = match cached {
            Some(chosen) if chosen.is_current(py, &encoding, utc)? => chosen,
            _ => {
                let utc = utc();
                let codes = CastPlan::formats(&registries, described, utc)?;
                let formats = choose(described, codes);
                ChosenFormats::new(&registries, encoding, described, formats, utc)?
            }
        };
        let formats = chosen.formats();
        let dropped = connection.state(py).formats.keep(chosen);
        drop(dropped);
        Ok(formats)
    }
}

fn choose(described: &Arc<Columns>, codes: Vec<i16>) -> Option<Arc<Formats>> {
    let binary = codes.iter().any(|code| *code != 0);
    binary.then(|| Arc::new(Formats::new(Arc::clone(described), codes)))
}
