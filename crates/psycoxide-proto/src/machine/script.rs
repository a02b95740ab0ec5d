//! What a request sends, and where the conversation stands after that.

use crate::frontend::extended::{self, Target};
use crate::frontend::query;
use crate::machine::request::{Extended, Request, Work};
use crate::machine::transitions::Phase;
use crate::wire::outbox::Outbox;
use crate::wire::writer::Refused;

/// A request on its way: what is left of it.
#[derive(Debug)]
pub(crate) struct Script {
    /// The phase in which the request's own answer is awaited, after a BEGIN.
    pub(crate) work: Phase,
    /// Whether a BEGIN came before it in the same flush, with no Sync of its own.
    pub(crate) unsynced: bool,
    /// Simple queries still to be sent.
    queries: std::vec::IntoIter<Vec<u8>>,
}

impl Default for Script {
    fn default() -> Script {
        Script { work: Phase::Query, unsynced: false, queries: Vec::new().into_iter() }
    }
}

impl Script {
    /// Sends the beginning of a request; answers the phase that is entered, and what is left.
    pub(crate) fn start(request: Request, out: &mut Outbox) -> Result<(Phase, Script), Refused> {
        let mut script = Script::default();
        let begin = request.begin;
        let mut synced = matches!(request.work, Work::Batch(_) | Work::Repeat(_));
        out.append(|out| {
            if let Some(sql) = &begin {
                run_unsynced(out, sql)?;
            }
            script.work = match request.work {
                Work::Query(sql) => simple(out, &sql)?,
                Work::Script(queries) => {
                    script.queries = queries.into_iter();
                    let first = script.queries.next().ok_or("a script without a query")?;
                    simple(out, &first)?
                }
                Work::Batch(batch) => {
                    batch.write(out)?;
                    Phase::BatchParse
                }
                Work::Repeat(repeat) => {
                    repeat.write(out)?;
                    Phase::RepeatParse
                }
                Work::Function { oid, args } => {
                    query::function_call(out, oid, &args)?;
                    Phase::Function
                }
                work => {
                    let phase = separate(out, work)?;
                    extended::sync(out);
                    synced = true;
                    phase
                }
            };
            Ok(())
        })?;
        script.unsynced = begin.is_some() && !synced;
        let phase = if begin.is_some() { Phase::BeginParse } else { script.work };
        Ok((phase, script))
    }

    /// What the server says of each statement of a batch before its rows: ParseComplete, if each is
    /// parsed, and BindComplete.
    pub(crate) fn acknowledged(&self) -> &'static [u8] {
        match self.work {
            Phase::BatchParse => b"1\0\0\0\x042\0\0\0\x04",
            _ => b"2\0\0\0\x04",
        }
    }

    /// The next query to send once the one before succeeded.
    pub(crate) fn next_query(&mut self) -> Option<Vec<u8>> {
        self.queries.next()
    }
}

/// A statement with no Sync after it: what follows is skipped by the server if it fails, so that
/// nothing ever runs outside the transaction.
fn run_unsynced(out: &mut Vec<u8>, sql: &[u8]) -> Result<(), Refused> {
    extended::parse(out, b"", sql, &[])?;
    extended::run_unnamed(out);
    Ok(())
}

fn simple(out: &mut Vec<u8>, sql: &[u8]) -> Result<Phase, Refused> {
    query::query(out, sql)?;
    Ok(Phase::Query)
}

/// The messages of the extended query protocol, up to the Sync.
#[inline(never)]
fn separate(out: &mut Vec<u8>, work: Work) -> Result<Phase, Refused> {
    match work {
        Work::Extended(extended) => {
            let Extended { statement, sql, types, params, result_formats, .. } = *extended;
            if let Some(sql) = &sql {
                extended::parse(out, &statement, sql, &types)?;
            }
            extended::bind(out, &statement, &params, &result_formats)?;
            extended::describe(out, Target::Portal, b"")?;
            extended::execute(out);
            Ok(if sql.is_some() { Phase::Parse } else { Phase::Bind })
        }
        Work::Prepare { name, sql, types } => {
            extended::parse(out, &name, &sql, &types)?;
            extended::describe(out, Target::Statement, &name)?;
            Ok(Phase::PrepareParse)
        }
        Work::Close { name } => {
            extended::close(out, Target::Statement, &name)?;
            Ok(Phase::Close)
        }
        Work::Query(_)
        | Work::Script(_)
        | Work::Batch(_)
        | Work::Repeat(_)
        | Work::Function { .. } => Err("not a request of the extended query protocol"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::machine::batch::Batch;
    use crate::machine::repeat::Repeat;

    fn kinds(mut bytes: &[u8]) -> String {
        let mut kinds = String::new();
        while let [kind, a, b, c, d, ..] = *bytes {
            kinds.push(char::from(kind));
            let length = u32::from_be_bytes([a, b, c, d]);
            bytes = &bytes[1 + usize::try_from(length).unwrap()..];
        }
        assert!(bytes.is_empty());
        kinds
    }

    fn start(request: Request) -> (Phase, Script, String) {
        let mut out = Outbox::default();
        let (phase, script) = Script::start(request, &mut out).unwrap();
        (phase, script, kinds(out.pending()))
    }

    #[test]
    fn each_request_has_its_messages_and_its_phase() {
        let params = Extended { sql: Some(b"SELECT 1".to_vec()), ..Extended::default() };
        let again = Extended { statement: b"s".to_vec(), ..Extended::default() };
        let mut batch = Batch::default();
        for sql in [b"a", b"b"] {
            batch.text().extend_from_slice(sql);
            assert!(batch.end_statement());
        }
        let mut repeat = Repeat::new(b"a".to_vec(), vec![]);
        for _ in 0..2 {
            repeat.end_row().unwrap();
        }
        for (request, phase, messages) in [
            (Request::batch(Arc::new(batch)), Phase::BatchParse, "PBEPBES"),
            (Request::repeat(repeat), Phase::RepeatParse, "PBEBES"),
            (Request::query(b"SELECT 1".to_vec()), Phase::Query, "Q"),
            (Request::script(vec![b"a".to_vec(), b"b".to_vec()]), Phase::Query, "Q"),
            (Request::function(1, vec![]), Phase::Function, "F"),
            (Request::extended(params), Phase::Parse, "PBDES"),
            (Request::extended(again), Phase::Bind, "BDES"),
            (Request::prepare(b"s".to_vec(), b"x".to_vec(), vec![]), Phase::PrepareParse, "PDS"),
            (Request::close_statement(b"s".to_vec()), Phase::Close, "CS"),
        ] {
            let (found, script, sent) = start(request.clone());
            assert_eq!((found, sent.as_str(), script.unsynced), (phase, messages, false));
            let (found, script, sent) = start(request.begin(b"BEGIN"));
            assert_eq!((found, script.work), (Phase::BeginParse, phase));
            assert_eq!(sent, format!("PBE{messages}"));
            assert_eq!(script.unsynced, !messages.ends_with('S'));
        }
    }

    #[test]
    fn a_refused_request_sends_nothing() {
        for request in [
            Request::query(b"SELECT 1\0".to_vec()).begin(b"BEGIN"),
            Request::query(b"SELECT 1".to_vec()).begin(b"BEGIN\0"),
            Request::batch(Arc::default()),
            Request::repeat(Repeat::new(b"a".to_vec(), vec![])),
            Request::script(vec![]).begin(b"BEGIN"),
            Request::prepare(b"\0".to_vec(), vec![], vec![]),
        ] {
            let mut out = Outbox::default();
            assert!(Script::start(request, &mut out).is_err());
            assert!(out.pending().is_empty());
        }
    }
}
