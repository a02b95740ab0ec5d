//! Sends a request, and keeps the part of it that has to wait.

use std::sync::Arc;

use crate::frontend::extended::{self, ObjectKind};
use crate::frontend::parameters::Parameters;
use crate::frontend::query;
use crate::machine::request::{
    BoundRequest, BoundStatement, Extended, Prepare, Request, RequestKind,
};
use crate::machine::statements::{Described, Name, NameUse, PROBE, Way};
use crate::machine::transitions::Phase;
use crate::wire::outbox::{Outbox, append_to};
use crate::wire::writer::Refused;

/// A request in flight: what is left to send, and how to read the replies.
#[derive(Debug)]
pub(crate) struct InFlight {
    /// The phase in which the request's own reply is awaited, after a BEGIN.
    pub(crate) reply_phase: Phase,
    /// What is left to send; most requests are sent at once.
    rest: Option<Box<Rest>>,
    /// Others may be sent before this one is answered.
    pub(crate) pipelined: bool,
    pub(crate) end: End,
    /// The session is in a transaction when it runs, as far as that is known.
    pub(crate) in_transaction: bool,
    /// The statement of the session's cache that runs, unless it is just parsed without a name.
    pub(crate) run: Option<Box<Run>>,
}

/// The part of a request that has to wait.
#[derive(Debug, Default)]
struct Rest {
    /// The request's messages, until the BEGIN that was sent alone has succeeded.
    held: Vec<u8>,
    /// A BEGIN that was sent alone by the extended query protocol to a peer that may not know that
    /// protocol.
    begin: Vec<u8>,
    /// How the peer refused that BEGIN.
    refusal: BeginRefusal,
    /// Simple queries still to be sent.
    queries: std::vec::IntoIter<Vec<u8>>,
}

impl Rest {
    fn is_sent(&self) -> bool {
        self.held.is_empty() && self.queries.as_slice().is_empty()
    }
}

/// A run of a statement that has a name, or with which something else was sent.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) bound: Arc<BoundStatement>,
    /// What it does with its name.
    pub(crate) used: NameUse,
    /// A BEGIN goes in front of it.
    pub(crate) begins: bool,
    /// It has failed when its values were bound.
    pub(crate) unbound: bool,
    /// The process's number is asked for.
    pub(crate) probes: bool,
    /// The result, if it is known.
    pub(crate) known: Option<Described>,
    /// The names whose CloseComplete is still to come, the last one first.
    pub(crate) closing: Vec<Name>,
    /// The phase in which the statement's own reply is awaited.
    pub(crate) own: Phase,
}

/// The message that ends the replies to a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum End {
    /// ReadyForQuery.
    #[default]
    Ready,
    /// The CloseComplete of its portal: it has no Sync of its own.
    PortalClosed,
    /// CommandComplete or EmptyQueryResponse: it has no Sync of its own, and does not close.
    Executed,
}

/// How to send a BEGIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BeginForm {
    /// As a simple query. Waits until it succeeds.
    Simple,
    /// By the extended query protocol with its own Sync. Waits until it succeeds.
    Alone,
    /// As `Alone`, to a peer that has not shown yet that it knows the protocol.
    First,
    /// In one flush with a request that can use the extended query protocol, with one Sync after
    /// both. As `Alone` with other requests.
    Together,
}

impl Default for InFlight {
    fn default() -> InFlight {
        InFlight {
            reply_phase: Phase::Query,
            rest: None,
            pipelined: false,
            end: End::default(),
            in_transaction: false,
            run: None,
        }
    }
}

impl InFlight {
    /// Sends the beginning of a request, and its BEGIN, if there is one, in this `form`. Returns
    /// the phase to enter, and the rest.
    pub(crate) fn start(
        request: Request,
        form: BeginForm,
        out: &mut Outbox,
    ) -> Result<(Phase, InFlight), Refused> {
        let mut in_flight = InFlight { pipelined: request.pipelined, ..InFlight::default() };
        let Some(begin) = request.begin else {
            out.append(|out| in_flight.write(request.kind, out))?;
            return Ok((in_flight.reply_phase, in_flight));
        };
        if form == BeginForm::Together && request.kind.goes_with_begin() {
            out.append(|out| {
                run_unsynced(out, &begin)?;
                match request.kind {
                    RequestKind::Statement(sql) => {
                        in_flight.reply_phase = without_parameters(out, &sql)?
                    }
                    kind => in_flight.write(kind, out)?,
                }
                Ok(())
            })?;
            return Ok((Phase::BeginParse, in_flight));
        }
        if request.kind.is_in_group() {
            return Err("a group cannot wait for a BEGIN");
        }
        // Write all of it now, so that nothing is sent of a request that must be refused.
        let mut held = Vec::new();
        in_flight.write(request.kind, &mut held)?;
        in_flight.rest.get_or_insert_default().held = held;
        if form == BeginForm::Simple {
            out.append(|out| query::query(out, &begin))?;
            return Ok((Phase::Begin, in_flight));
        }
        out.append(|out| {
            run_unsynced(out, &begin)?;
            extended::sync(out);
            Ok(())
        })?;
        if form == BeginForm::First {
            in_flight.rest.get_or_insert_default().begin = begin;
        }
        Ok((Phase::BeginParse, in_flight))
    }

    /// Writes the request itself and notes the phase in which its reply is awaited.
    #[inline]
    fn write(&mut self, kind: RequestKind, out: &mut Vec<u8>) -> Result<(), Refused> {
        self.reply_phase = match kind {
            RequestKind::Query(sql) | RequestKind::Statement(sql) => self.simple(sql, out)?,
            kind => self.write_rarer(kind, out)?,
        };
        Ok(())
    }

    /// The rarer kinds, out of line. Returns the phase in which the reply is awaited.
    #[inline(never)]
    fn write_rarer(&mut self, kind: RequestKind, out: &mut Vec<u8>) -> Result<Phase, Refused> {
        Ok(match kind {
            RequestKind::Query(sql) | RequestKind::Statement(sql) => self.simple(sql, out)?,
            RequestKind::Script(queries) => {
                let mut queries = queries.into_iter();
                let first = queries.next().ok_or("a script without a query")?;
                if !queries.as_slice().is_empty() {
                    self.rest.get_or_insert_default().queries = queries;
                }
                self.simple(first, out)?
            }
            RequestKind::Batch(batch) => {
                batch.write(out)?;
                Phase::BatchParse
            }
            RequestKind::Repeat(repeat) => {
                repeat.write(out)?;
                if repeat.keeps() { Phase::KeptParse } else { Phase::RepeatParse }
            }
            RequestKind::Function { oid, args } => {
                query::function_call(out, oid, &args)?;
                Phase::Function
            }
            RequestKind::Extended(extended) => {
                let phase = with_parameters(out, &extended)?;
                extended::sync(out);
                phase
            }
            RequestKind::Unsynced(extended) => {
                self.end = if extended.closes { End::PortalClosed } else { End::Executed };
                with_parameters(out, &extended)?
            }
            RequestKind::Bound(bound) => self.bound(*bound, out)?,
            RequestKind::Sync => {
                extended::sync(out);
                Phase::GroupSync
            }
            RequestKind::Prepare(prepare) => {
                let Prepare { name, sql, types } = *prepare;
                extended::parse(out, &name, &sql, &types)?;
                extended::describe(out, ObjectKind::Statement, &name)?;
                extended::sync(out);
                Phase::PrepareParse
            }
            RequestKind::Close { name } => {
                extended::close(out, ObjectKind::Statement, &name)?;
                extended::sync(out);
                Phase::Close
            }
        })
    }

    /// A statement that may have a name, and what goes in front of it.
    fn bound(&mut self, request: BoundRequest, out: &mut Vec<u8>) -> Result<Phase, Refused> {
        let BoundRequest { bound, formats, forced, synced, closes, plan, .. } = request;
        let used = plan.name_use();
        if plan.probe {
            extended::parse(out, b"", PROBE, &[])?;
            extended::run_unnamed(out);
        }
        for name in &plan.closing {
            extended::close(out, ObjectKind::Statement, name)?;
        }
        let mut codes = &[][..];
        let (name, own, known) = match plan.way {
            Way::Unnamed => (None, Phase::Parse, None),
            Way::Name(name) => (Some(name), Phase::ParseNamed, None),
            Way::Named(name, None) => (Some(name), Phase::Bind, None),
            Way::Named(name, Some(described)) => {
                let chosen = match (&formats, &described) {
                    (Some(formats), Described::Rows(columns)) => Some(formats).filter(|formats| {
                        Arc::ptr_eq(formats.described(), columns)
                            || forced && formats.described() == columns
                    }),
                    _ => None,
                };
                let described = match chosen {
                    Some(formats) => {
                        codes = formats.codes();
                        Described::Rows(Arc::clone(formats.columns()))
                    }
                    None => described,
                };
                (Some(name), Phase::BindKnown, Some(described))
            }
        };
        if forced
            && known.is_none()
            && let Some(formats) = &formats
        {
            codes = formats.codes();
        }
        let name_bytes = name.as_deref().unwrap_or_default();
        if matches!(own, Phase::Parse | Phase::ParseNamed) {
            extended::parse(out, name_bytes, bound.sql(), bound.types())?;
        }
        extended::bind(out, name_bytes, &bound.parameters, codes)?;
        if known.is_none() {
            extended::describe(out, ObjectKind::Portal, b"")?;
        }
        extended::execute(out);
        if closes {
            extended::close(out, ObjectKind::Portal, b"")?;
        }
        if synced {
            extended::sync(out);
        } else {
            self.end = if closes { End::PortalClosed } else { End::Executed };
        }
        if own == Phase::Parse && !plan.probe && plan.closing.is_empty() {
            return Ok(own);
        }
        let (probes, mut closing) = (plan.probe, plan.closing);
        closing.reverse();
        let run = Run { bound, used, begins: false, unbound: false, probes, known, closing, own };
        let phase = if probes { Phase::ProbeParse } else { run.next_phase() };
        self.run = Some(Box::new(run));
        Ok(phase)
    }

    /// The reply to a statement of a batch before its rows: ParseComplete, if each is parsed, and
    /// BindComplete.
    pub(crate) fn acknowledged(&self) -> &'static [u8] {
        match self.reply_phase {
            Phase::BatchParse => b"1\0\0\0\x042\0\0\0\x04",
            _ => b"2\0\0\0\x04",
        }
    }

    /// A simple query. Returns the phase in which its reply is awaited.
    #[inline]
    fn simple(&self, sql: Vec<u8>, out: &mut Vec<u8>) -> Result<Phase, Refused> {
        query::query_of(out, sql)?;
        Ok(self.query_phase())
    }

    /// The phase in which the reply to a simple query is awaited.
    fn query_phase(&self) -> Phase {
        if self.pipelined { Phase::PipelinedQuery } else { Phase::Query }
    }

    /// Whether the request itself goes by the extended query protocol, beyond a Sync.
    pub(crate) fn is_extended(&self) -> bool {
        !matches!(
            self.reply_phase,
            Phase::Query | Phase::PipelinedQuery | Phase::Function | Phase::GroupSync
        )
    }

    /// Whether it has no Sync of its own.
    pub(crate) fn is_unsynced(&self) -> bool {
        self.end != End::Ready
    }

    /// Whether another request may be sent before this one is answered: its only replies to come
    /// are those to what was sent.
    pub(crate) fn may_be_followed(&self) -> bool {
        self.pipelined && self.rest.as_ref().is_none_or(|rest| rest.is_sent())
    }

    /// Whether its messages wait for the success of a BEGIN.
    fn holds(&self) -> bool {
        self.rest.as_ref().is_some_and(|rest| !rest.held.is_empty())
    }

    /// The phase after a BEGIN that succeeded: its ReadyForQuery, or the request's own phase.
    pub(crate) fn after_begin(&self) -> Phase {
        match self.holds() {
            true => Phase::BeginReady,
            false => self.reply_phase,
        }
    }

    /// Sends what comes next once the server is ready and nothing has failed: the request itself
    /// after a BEGIN, or the next query. Returns the phase to enter, if something was sent.
    pub(crate) fn go_on(&mut self, out: &mut Outbox) -> Result<Option<Phase>, Refused> {
        let Some(rest) = &mut self.rest else { return Ok(None) };
        if !rest.held.is_empty() {
            let held = std::mem::take(&mut rest.held);
            out.append(|out| {
                append_to(out, held);
                Ok(())
            })?;
            return Ok(Some(self.reply_phase));
        }
        let Some(sql) = rest.queries.next() else { return Ok(None) };
        out.append(|out| query::query(out, &sql))?;
        Ok(Some(self.query_phase()))
    }

    /// The peer has answered a BEGIN of the extended query protocol with an error (`error`) or with
    /// a ReadyForQuery. Sends a simple BEGIN instead, once all that was sent before is answered.
    /// Returns the phase to enter; `None` if there is no way back, because the peer knows the
    /// protocol, or because the request itself needs it.
    pub(crate) fn fall_back(
        &mut self,
        error: bool,
        out: &mut Outbox,
    ) -> Result<Option<Phase>, Refused> {
        let is_extended = self.is_extended();
        let Some(rest) = self.rest.as_mut().filter(|rest| !rest.begin.is_empty() && !is_extended)
        else {
            return Ok(None);
        };
        match rest.refusal.count(error) {
            Outstanding::Some => return Ok(Some(Phase::BeginRefused)),
            Outstanding::Unclear => {
                out.append(|out| {
                    extended::sync(out);
                    Ok(())
                })?;
                return Ok(Some(Phase::BeginRefused));
            }
            Outstanding::None => {}
        }
        let begin = std::mem::take(&mut rest.begin);
        out.append(|out| query::query(out, &begin))?;
        Ok(Some(Phase::Begin))
    }
}

impl Run {
    /// The phase after the answer about the process, or after a CloseComplete.
    pub(crate) fn next_phase(&self) -> Phase {
        if self.closing.is_empty() { self.own } else { Phase::StatementClose }
    }
}

/// The replies of a peer to Parse, Bind, Execute and Sync when it does not know the extended query
/// protocol.
///
/// The peer may skip up to the Sync, as PostgreSQL does, or refuse each message. It may send
/// ReadyForQuery after each refusal, after the Sync, or not at all. Only when no reply is
/// outstanding is it clear what the next one belongs to.
#[derive(Debug, Default)]
struct BeginRefusal {
    errors: u8,
    readies: u8,
    /// A second Sync was sent.
    synced_again: bool,
}

/// Whether replies are outstanding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outstanding {
    None,
    Some,
    /// One more Sync will tell.
    Unclear,
}

impl BeginRefusal {
    /// Counts a reply: an error, or a ReadyForQuery.
    fn count(&mut self, error: bool) -> Outstanding {
        match error {
            true => self.errors += 1,
            false => self.readies += 1,
        }
        let done = match (self.synced_again, self.errors, self.readies) {
            // Each message was refused, the Sync too; or the Sync was answered normally.
            (false, 4, 0) | (false, 0 | 2.., 1..) => true,
            // Skipped up to the Sync, or a refusal and a ReadyForQuery for each message?
            (false, 1, 1) => {
                self.synced_again = true;
                return Outstanding::Unclear;
            }
            // It was skipped up to the Sync: this answers the second Sync.
            (true, 1, 2) => true,
            // A ReadyForQuery after each of the five messages.
            (true, _, 5) => true,
            _ => false,
        };
        if done { Outstanding::None } else { Outstanding::Some }
    }
}

impl RequestKind {
    /// Whether it belongs to a group, or ends one.
    pub(crate) fn is_in_group(&self) -> bool {
        match self {
            RequestKind::Unsynced(_) | RequestKind::Sync => true,
            RequestKind::Bound(bound) => !bound.synced,
            _ => false,
        }
    }

    /// Whether it can go in one flush with a BEGIN: it has no end but a Sync.
    fn goes_with_begin(&self) -> bool {
        match self {
            RequestKind::Statement(_)
            | RequestKind::Batch(_)
            | RequestKind::Repeat(_)
            | RequestKind::Extended(_)
            | RequestKind::Prepare(_)
            | RequestKind::Close { .. }
            | RequestKind::Bound(_)
            | RequestKind::Unsynced(_) => true,
            RequestKind::Query(_)
            | RequestKind::Script(_)
            | RequestKind::Function { .. }
            | RequestKind::Sync => false,
        }
    }
}

/// A statement without a Sync. If it fails, the server skips what follows, up to the Sync, so that
/// nothing ever runs outside the transaction.
fn run_unsynced(out: &mut Vec<u8>, sql: &[u8]) -> Result<(), Refused> {
    extended::parse(out, b"", sql, &[])?;
    extended::run_unnamed(out);
    Ok(())
}

/// A statement without parameters, by the extended query protocol.
fn without_parameters(out: &mut Vec<u8>, sql: &[u8]) -> Result<Phase, Refused> {
    extended::parse(out, b"", sql, &[])?;
    extended::bind(out, b"", &Parameters::default(), &[])?;
    run_portal(out, true)?;
    extended::sync(out);
    Ok(Phase::Parse)
}

#[inline(never)]
fn with_parameters(out: &mut Vec<u8>, extended: &Extended) -> Result<Phase, Refused> {
    let Extended { statement, sql, parameters, result_formats, closes } = extended;
    if let Some(sql) = sql {
        extended::parse(out, statement, sql, parameters.types())?;
    }
    extended::bind(out, statement, parameters, result_formats)?;
    run_portal(out, *closes)?;
    Ok(if sql.is_some() { Phase::Parse } else { Phase::Bind })
}

/// Describes and executes the unnamed portal, and closes it if `closes`. An open portal would keep
/// its snapshot until the next statement and hold up VACUUM while the program is idle; a simple
/// query leaves none behind.
fn run_portal(out: &mut Vec<u8>, closes: bool) -> Result<(), Refused> {
    extended::describe(out, ObjectKind::Portal, b"")?;
    extended::execute(out);
    if closes {
        extended::close(out, ObjectKind::Portal, b"")?;
    }
    Ok(())
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

    const FORMS: [BeginForm; 4] =
        [BeginForm::Simple, BeginForm::First, BeginForm::Alone, BeginForm::Together];

    fn start(request: Request, form: BeginForm) -> (Phase, InFlight, String) {
        let mut out = Outbox::default();
        let (phase, in_flight) = InFlight::start(request, form, &mut out).unwrap();
        (phase, in_flight, kinds(out.pending()))
    }

    /// The messages sent once the server is ready.
    fn go_on(in_flight: &mut InFlight) -> (Option<Phase>, String) {
        let mut out = Outbox::default();
        let phase = in_flight.go_on(&mut out).unwrap();
        (phase, kinds(out.pending()))
    }

    #[test]
    fn each_request_has_its_messages_and_its_phase() {
        let params = Extended { sql: Some(b"SELECT 1".to_vec()), ..Extended::default() };
        let again = Extended { statement: b"s".to_vec(), closes: true, ..Extended::default() };
        let mut batch = Batch::default();
        for sql in [b"a", b"b"] {
            batch.text().extend_from_slice(sql);
            assert!(batch.end_statement());
        }
        let repeat = |keeps| {
            let mut repeat = Repeat::new(b"a".as_slice().into(), 0);
            if keeps {
                repeat = repeat.keeping();
            }
            repeat.end_row().unwrap();
            repeat.end_row().unwrap();
            repeat
        };
        for (request, phase, messages, together) in [
            (Request::batch(Arc::new(batch)), Phase::BatchParse, "PBEPBES", true),
            (Request::repeat(repeat(false)), Phase::RepeatParse, "PBEBES", true),
            (Request::repeat(repeat(true)), Phase::KeptParse, "PDBEBES", true),
            (Request::query(b"SELECT 1".to_vec()), Phase::Query, "Q", false),
            (Request::script(vec![b"a".to_vec(), b"b".to_vec()]), Phase::Query, "Q", false),
            (Request::function(1, vec![]), Phase::Function, "F", false),
            (Request::extended(params.clone()), Phase::Parse, "PBDES", true),
            (Request::extended(again.clone()), Phase::Bind, "BDECS", true),
            (
                Request::prepare(b"s".to_vec(), b"x".to_vec(), vec![]),
                Phase::PrepareParse,
                "PDS",
                true,
            ),
            (Request::close_statement(b"s".to_vec()), Phase::Close, "CS", true),
            (Request::unsynced(params), Phase::Parse, "PBDE", true),
            (Request::unsynced(again), Phase::Bind, "BDEC", true),
            (Request::sync(), Phase::GroupSync, "S", false),
        ] {
            for form in FORMS {
                let (found, _, sent) = start(request.clone(), form);
                assert_eq!((found, sent.as_str()), (phase, messages));
                let begun = request.clone().begin(b"BEGIN");
                let refused = match messages {
                    "S" => true,
                    "PBDE" | "BDEC" => form != BeginForm::Together,
                    _ => false,
                };
                if refused {
                    let mut out = Outbox::default();
                    assert!(InFlight::start(begun, form, &mut out).is_err());
                    assert!(out.pending().is_empty());
                    continue;
                }
                let (found, mut in_flight, sent) = start(begun, form);
                assert_eq!(in_flight.reply_phase, phase);
                if form == BeginForm::Together && together {
                    assert_eq!((found, sent), (Phase::BeginParse, format!("PBE{messages}")));
                    assert_eq!(in_flight.after_begin(), phase);
                    continue;
                }
                let alone = match form {
                    BeginForm::Simple => (Phase::Begin, "Q"),
                    _ => (Phase::BeginParse, "PBES"),
                };
                assert_eq!((found, sent.as_str()), alone);
                assert_eq!(in_flight.after_begin(), Phase::BeginReady);
                assert_eq!(go_on(&mut in_flight), (Some(phase), messages.to_owned()));
            }
        }
    }

    #[test]
    fn a_statement_is_a_simple_query_unless_it_goes_with_its_begin() {
        let request = || Request::statement(b"SELECT 1".to_vec());
        for form in FORMS {
            let (phase, _, sent) = start(request(), form);
            assert_eq!((phase, sent.as_str()), (Phase::Query, "Q"));
            let (phase, mut in_flight, sent) = start(request().begin(b"BEGIN"), form);
            if form == BeginForm::Together {
                assert_eq!((phase, in_flight.reply_phase), (Phase::BeginParse, Phase::Parse));
                assert_eq!(sent, "PBEPBDECS");
                assert_eq!(go_on(&mut in_flight), (None, String::new()));
            } else {
                assert_eq!(go_on(&mut in_flight), (Some(Phase::Query), "Q".to_owned()));
                assert_eq!(go_on(&mut in_flight), (None, String::new()));
            }
        }
    }

    #[test]
    fn a_pipelined_request_may_be_followed_once_all_of_it_is_sent() {
        let query = || Request::query(b"a".to_vec());
        let script = || Request::script(vec![b"a".to_vec(), b"b".to_vec()]);
        for (request, phase) in [
            (query(), Phase::PipelinedQuery),
            (script(), Phase::PipelinedQuery),
            (Request::statement(b"a".to_vec()), Phase::PipelinedQuery),
            (Request::function(1, vec![]), Phase::Function),
            (Request::close_statement(b"s".to_vec()), Phase::Close),
        ] {
            for form in FORMS {
                for request in [request.clone(), request.clone().begin(b"BEGIN")] {
                    let (_, mut in_flight, _) = start(request.clone(), form);
                    while go_on(&mut in_flight).0.is_some() {}
                    assert!(!in_flight.may_be_followed());
                    let (_, mut in_flight, _) = start(request.pipelined(), form);
                    if !in_flight.holds() && in_flight.is_extended() {
                        assert!(in_flight.may_be_followed());
                        continue;
                    }
                    assert_eq!(in_flight.reply_phase, phase);
                    loop {
                        let follows = in_flight.may_be_followed();
                        let (next, _) = go_on(&mut in_flight);
                        assert_eq!(follows, next.is_none());
                        if next.is_none() {
                            break;
                        }
                        assert_eq!(next, Some(phase));
                    }
                }
            }
        }
    }

    #[test]
    fn only_a_first_begin_can_go_again() {
        for form in FORMS {
            let (_, mut in_flight, _) = start(Request::query(b"x".to_vec()).begin(b"BEGIN"), form);
            let mut out = Outbox::default();
            let phase = in_flight.fall_back(true, &mut out).unwrap();
            assert_eq!(phase, (form == BeginForm::First).then_some(Phase::BeginRefused));
            assert!(out.pending().is_empty());
        }
        let extended = Extended { sql: Some(b"x".to_vec()), ..Extended::default() };
        let request = Request::extended(extended).begin(b"BEGIN");
        let (_, mut in_flight, _) = start(request, BeginForm::First);
        assert_eq!(in_flight.fall_back(true, &mut Outbox::default()), Ok(None));
    }

    /// In the dialogues, `E` is an error and `Z` a ReadyForQuery from the server; `S` is a Sync and
    /// `Q` the simple BEGIN, which we send.
    #[test]
    fn a_simple_begin_goes_when_nothing_is_outstanding() {
        for dialogue in ["EZSZQ", "EEEEQ", "EEEZQ", "EEZQ", "EZSEZEZEZEZQ", "ZQ"] {
            let request = Request::query(b"x".to_vec()).begin(b"BEGIN");
            let (_, mut in_flight, _) = start(request, BeginForm::First);
            let mut played = String::new();
            for answer in dialogue.chars().filter(|answer| "EZ".contains(*answer)) {
                let mut out = Outbox::default();
                let phase = in_flight.fall_back(answer == 'E', &mut out).unwrap();
                played.push(answer);
                played.push_str(&kinds(out.pending()));
                let begun = played.ends_with('Q');
                let expected = if begun { Phase::Begin } else { Phase::BeginRefused };
                assert_eq!(phase, Some(expected), "{played} of {dialogue}");
            }
            assert_eq!(played, dialogue);
            assert_eq!(go_on(&mut in_flight), (Some(Phase::Query), "Q".to_owned()));
        }
    }

    #[test]
    fn a_refused_request_sends_nothing() {
        for request in [
            Request::query(b"SELECT 1\0".to_vec()).begin(b"BEGIN"),
            Request::statement(b"SELECT 1\0".to_vec()).begin(b"BEGIN"),
            Request::query(b"SELECT 1".to_vec()).begin(b"BEGIN\0"),
            Request::batch(Arc::default()),
            Request::repeat(Repeat::new(b"a".as_slice().into(), 0)),
            Request::script(vec![]).begin(b"BEGIN"),
            Request::prepare(b"\0".to_vec(), vec![], vec![]),
        ] {
            for form in FORMS {
                let mut out = Outbox::default();
                assert!(InFlight::start(request.clone(), form, &mut out).is_err());
                assert!(out.pending().is_empty());
            }
        }
    }
}
