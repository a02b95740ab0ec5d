//! The request that is being answered.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::backend::report::Report;
use crate::machine::event::Outcome;
use crate::machine::transitions::Phase;
use crate::result::columns::Columns;
use crate::result::rows::Rows;
use crate::result::{QueryResult, ResultKind};

/// What has been answered so far.
#[derive(Debug, Default)]
pub(crate) struct Job {
    /// The last complete result: it wins over those before.
    result: Option<QueryResult>,
    /// The first error: it wins over those behind, and over every result.
    pub(crate) error: Option<Box<Report>>,
    /// The columns of the rows that are arriving.
    pub(crate) columns: Option<Arc<Columns>>,
    /// Their blocks so far; the youngest rows lie in the inbox.
    pub(crate) rows: Rows,
    /// What kind of COPY the statement has turned out to be.
    pub(crate) copy: Option<ResultKind>,
    /// The types of a statement's parameters.
    pub(crate) parameter_types: Vec<u32>,
    /// Simple queries still to be sent.
    pub(crate) script: VecDeque<Vec<u8>>,
    /// What comes behind a BEGIN in the same flush.
    pub(crate) after_begin: Option<Phase>,
    /// The request ends with a Sync that has been sent.
    pub(crate) synced: bool,
    /// A statement is to be described and not executed.
    pub(crate) preparing: bool,
    /// It is the driver's own: there is nothing to tell.
    pub(crate) setup: bool,
}

impl Job {
    /// How many fields a row must have.
    pub(crate) fn width(&self) -> usize {
        self.columns.as_ref().map_or(0, |columns| columns.len())
    }

    /// A statement is complete.
    pub(crate) fn complete(&mut self, tag: &[u8]) {
        let columns = self.columns.take();
        let kind = match (self.copy.take(), &columns) {
            (Some(copy), _) => copy,
            (None, Some(_)) => ResultKind::Tuples,
            (None, None) => ResultKind::Command,
        };
        self.result = Some(QueryResult {
            kind,
            columns,
            rows: std::mem::take(&mut self.rows),
            tag: tag.to_vec(),
            ..QueryResult::default()
        });
    }

    /// The rows of the last complete result: the youngest are still to be added.
    pub(crate) fn result_rows(&mut self) -> &mut Rows {
        match &mut self.result {
            Some(result) => &mut result.rows,
            None => &mut self.rows,
        }
    }

    /// The text held no statement.
    pub(crate) fn empty(&mut self) {
        self.result = Some(QueryResult { kind: ResultKind::Empty, ..QueryResult::default() });
    }

    /// A function has returned.
    pub(crate) fn function(&mut self, value: Option<&[u8]>) {
        self.result = Some(QueryResult {
            kind: ResultKind::Function,
            function_value: Some(value.map(<[u8]>::to_vec)),
            ..QueryResult::default()
        });
    }

    /// A statement has been described.
    pub(crate) fn described(&mut self) {
        if self.preparing {
            self.result = Some(QueryResult {
                columns: self.columns.take(),
                parameter_types: std::mem::take(&mut self.parameter_types),
                ..QueryResult::default()
            });
        }
    }

    /// The request has failed.
    pub(crate) fn fail(&mut self, report: Report) {
        self.error.get_or_insert_with(|| Box::new(report));
        self.columns = None;
        self.rows = Rows::default();
        self.copy = None;
        self.script.clear();
    }

    /// What came of it all.
    pub(crate) fn outcome(&mut self) -> Outcome {
        let error = self.error.take();
        let result = self.result.take().filter(|_| error.is_none());
        Outcome { result, error }
    }
}
