//! Builds the outcome of the current request: the last result wins, the first error wins.

use std::sync::Arc;

use crate::backend::report::Report;
use crate::backend::results::{row_description, write_command_complete};
use crate::machine::event::{Outcome, Tally};
use crate::result::columns::Columns;
use crate::result::rows::Rows;
use crate::result::{QueryResult, ResultKind, tag};
use crate::wire::reader::Malformed;

/// A RowDescription longer than this is not cached.
const MAX_CACHED_LENGTH: usize = 4 << 10;
/// How many RowDescriptions are cached: programs repeat a handful of statements at a time.
const CACHED: usize = 4;

/// The replies to a request so far.
#[derive(Debug, Default)]
pub(crate) struct OutcomeBuilder {
    /// The statement whose reply is arriving. Boxed, as results are moved often.
    open: Option<Box<QueryResult>>,
    /// The last complete statement.
    last: Option<Box<QueryResult>>,
    /// The first error.
    error: Option<Box<Report>>,
    batch: Tally,
    /// The last statement's whole reply as bytes, so that identical ones can be skipped; most are.
    repeated_reply: Vec<u8>,
    /// How many fields each row must have.
    pub(crate) width: u16,
    /// The last RowDescriptions, parsed. They outlive the request, so that a repeated statement is
    /// not parsed again, and callers that keep a plan per `Arc` find it again.
    shapes: Vec<(Vec<u8>, Arc<Columns>)>,
}

impl OutcomeBuilder {
    /// A result begins, or a prepared statement is described, with a RowDescription.
    pub(crate) fn columns(&mut self, body: &[u8], kind: ResultKind) -> Result<(), Malformed> {
        let columns = self.describe(body)?;
        self.width = u16::try_from(columns.len()).unwrap_or(u16::MAX);
        let open = self.open.get_or_insert_default();
        open.kind = kind;
        open.columns = Some(columns);
        Ok(())
    }

    /// A result begins whose columns are known from before.
    pub(crate) fn known_columns(&mut self, columns: Arc<Columns>) {
        self.width = u16::try_from(columns.len()).unwrap_or(u16::MAX);
        let open = self.open.get_or_insert_default();
        open.kind = ResultKind::Tuples;
        open.columns = Some(columns);
    }

    /// A result of this kind begins.
    pub(crate) fn open(&mut self, kind: ResultKind) {
        self.open = Some(Box::new(QueryResult { kind, ..QueryResult::default() }));
    }

    /// Stores a prepared statement's parameter types.
    pub(crate) fn parameter_types(&mut self, types: Vec<u32>) {
        self.open.get_or_insert_default().parameter_types = types;
    }

    /// Stores a function's result.
    pub(crate) fn value(&mut self, value: Option<&[u8]>) {
        self.last = Some(Box::new(QueryResult {
            kind: ResultKind::Function,
            function_value: Some(value.map(<[u8]>::to_vec)),
            ..QueryResult::default()
        }));
    }

    /// The columns of the result whose rows are arriving.
    pub(crate) fn columns_under_way(&self) -> Option<&Arc<Columns>> {
        let open = self.open.as_ref().filter(|open| open.kind == ResultKind::Tuples)?;
        open.columns.as_ref()
    }

    /// A statement is complete, with this tag. Returns whether the collected rows are its own.
    pub(crate) fn complete(&mut self, tag: &[u8]) -> bool {
        let last = match (self.open.take(), &mut self.last) {
            (Some(open), last) => last.insert(open),
            // A text may hold hundreds of commands: reuse the memory of the last one.
            (None, Some(last)) => {
                **last = QueryResult { tag: std::mem::take(&mut last.tag), ..Default::default() };
                last
            }
            (None, last) => last.get_or_insert_default(),
        };
        last.tag.clear();
        last.tag.extend_from_slice(tag);
        last.kind == ResultKind::Tuples
    }

    /// A statement of a batch is complete, with this tag. `before` is the reply before its
    /// CommandComplete.
    pub(crate) fn complete_in_batch(&mut self, before: &[u8], tag: &[u8]) {
        self.count_in_batch(tag::affected(tag), 1);
        if self.last.is_none() {
            self.repeated_reply.clear();
        }
        let last = self.last.get_or_insert_default();
        if *last.tag != *tag {
            last.tag.clear();
            last.tag.extend_from_slice(tag);
            self.repeated_reply.clear();
            self.repeated_reply.extend_from_slice(before);
            write_command_complete(&mut self.repeated_reply, tag);
        }
    }

    /// The columns of a statement that runs once for each row of parameters, or of the one that
    /// comes after it. All of its runs make one result.
    pub(crate) fn kept_columns(&mut self, body: &[u8]) -> Result<(), Malformed> {
        let columns = self.describe(body)?;
        self.width = u16::try_from(columns.len()).unwrap_or(u16::MAX);
        match &self.open {
            Some(open) => self.batch.mixed |= open.columns.as_ref() != Some(&columns),
            None => {
                self.last = None;
                let kind = ResultKind::Tuples;
                let columns = Some(columns);
                self.open = Some(Box::new(QueryResult { kind, columns, ..Default::default() }));
            }
        }
        Ok(())
    }

    /// Such a statement has run once, with this tag.
    pub(crate) fn complete_kept(&mut self, tag: &[u8]) {
        self.count_in_batch(tag::affected(tag), 1);
        let result = match &mut self.open {
            Some(open) => open,
            None => self.last.get_or_insert_default(),
        };
        result.tag.clear();
        result.tag.extend_from_slice(tag);
    }

    /// The last statement's whole reply as bytes; empty if it is not comparable.
    pub(crate) fn repeated_reply(&self) -> &[u8] {
        &self.repeated_reply
    }

    /// Counts statements of a batch whose replies were identical to the last one.
    pub(crate) fn complete_repeated(&mut self, statements: usize) {
        let rows = self.last.as_ref().and_then(|last| tag::affected(&last.tag));
        if statements > 0 {
            self.count_in_batch(rows, statements);
        }
    }

    fn count_in_batch(&mut self, rows: Option<u64>, statements: usize) {
        self.batch.statements += statements;
        match rows {
            Some(rows) => {
                let rows = rows.saturating_mul(u64::try_from(statements).unwrap_or(u64::MAX));
                self.batch.affected = self.batch.affected.saturating_add(rows);
            }
            None => self.batch.uncounted = true,
        }
    }

    /// The text held no statement.
    pub(crate) fn empty(&mut self) {
        let kind = ResultKind::Empty;
        self.last = Some(Box::new(QueryResult { kind, ..QueryResult::default() }));
    }

    /// The request failed.
    pub(crate) fn fail(&mut self, report: Box<Report>) {
        self.open = None;
        self.last = None;
        self.error.get_or_insert(report);
    }

    pub(crate) fn error(&self) -> Option<&Report> {
        self.error.as_deref()
    }

    /// Returns the request's outcome; `rows` belong to its last statement.
    pub(crate) fn finish(&mut self, rows: Rows) -> Outcome {
        let open = self.open.take();
        let mut result = self.last.take().or(open);
        if let Some(result) = &mut result
            && result.kind == ResultKind::Tuples
        {
            result.rows = rows;
        }
        let batch = std::mem::take(&mut self.batch);
        if batch.mixed {
            // The rows do not belong together.
            result = None;
        }
        Outcome { result, error: self.error.take(), batch, ..Outcome::default() }
    }

    fn describe(&mut self, body: &[u8]) -> Result<Arc<Columns>, Malformed> {
        if let Some((_, columns)) = self.shapes.iter().find(|(known, _)| known == body) {
            return Ok(Arc::clone(columns));
        }
        let columns = Arc::new(row_description(body)?);
        if body.len() <= MAX_CACHED_LENGTH {
            if self.shapes.len() == CACHED {
                self.shapes.remove(0);
            }
            self.shapes.push((body.to_vec(), Arc::clone(&columns)));
        }
        Ok(columns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::tag::Tag;

    const ONE: &[u8] = b"\0\x01a\0\0\0\0\0\0\0\0\0\0\x17\0\x04\xff\xff\xff\xff\0\0";
    const NONE: &[u8] = b"\0\0";

    #[test]
    fn the_last_result_wins() {
        let mut builder = OutcomeBuilder::default();
        builder.columns(ONE, ResultKind::Tuples).unwrap();
        assert_eq!(builder.width, 1);
        assert!(builder.complete(b"SELECT 0"));
        assert!(!builder.complete(b"SET"));
        let outcome = builder.finish(Rows::default());
        let result = outcome.result.unwrap();
        assert_eq!((result.kind, result.tag), (ResultKind::Command, Tag::from_slice(b"SET")));
        assert_eq!(result.columns, None);
        assert_eq!(builder.finish(Rows::default()), Outcome::default());
    }

    #[test]
    fn the_first_error_wins_over_all_results() {
        let report = |text: &[u8]| Box::new(Report::parse(text).unwrap());
        let mut builder = OutcomeBuilder::default();
        builder.complete(b"SET");
        builder.fail(report(b"Mone\0\0"));
        builder.fail(report(b"Mtwo\0\0"));
        let outcome = builder.finish(Rows::default());
        assert_eq!(outcome.result, None);
        assert_eq!(outcome.error, Some(report(b"Mone\0\0")));
    }

    fn shape(builder: &mut OutcomeBuilder, body: &[u8]) -> Arc<Columns> {
        builder.columns(body, ResultKind::Tuples).unwrap();
        builder.complete(b"SELECT 0");
        builder.finish(Rows::default()).result.unwrap().columns.unwrap()
    }

    #[test]
    fn the_same_shape_is_described_once() {
        let mut builder = OutcomeBuilder::default();
        let shapes = [ONE, ONE, NONE, ONE].map(|body| shape(&mut builder, body));
        assert!(Arc::ptr_eq(&shapes[0], &shapes[1]));
        assert_eq!(shapes[2].len(), 0);
        assert!(Arc::ptr_eq(&shapes[0], &shapes[3]));
    }

    #[test]
    fn few_shapes_are_cached_and_no_long_one() {
        let mut builder = OutcomeBuilder::default();
        let named = |name: u8| {
            let mut body = ONE.to_vec();
            body[2] = name;
            body
        };
        let first = shape(&mut builder, &named(b'a'));
        for name in b'b'..b'b' + 20 {
            assert_eq!(shape(&mut builder, &named(name))[0].name, [name]);
        }
        assert_eq!(builder.shapes.len(), CACHED);
        let again = shape(&mut builder, &named(b'a'));
        assert!(again == first && !Arc::ptr_eq(&again, &first));
        let mut long = ONE.to_vec();
        long.splice(2..2, [b'x'; MAX_CACHED_LENGTH]);
        assert_eq!(shape(&mut builder, &long), shape(&mut builder, &long));
        assert!(builder.shapes.iter().all(|(body, _)| body.len() < 100));
    }
}
