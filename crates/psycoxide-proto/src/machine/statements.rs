//! The statements that a session has prepared on the server under a name, and those that it may
//! prepare soon.
//!
//! A statement gets a name when it has run a few times. Its name is made of its text and the types of
//! its parameters, so that two statements of the same name are the same statement, whoever prepared
//! them. Behind a pooler that gives each transaction another server there are no names: such a pooler
//! shows in that the process that answers is not the one that the session was told of.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::backend::report::Report;
use crate::result::columns::Columns;

/// How many statements without a name are counted at a time.
const COUNTED: usize = 256;

/// So many names that are gone make the session ask again whether names last.
const SUSPICIOUS: u32 = 2;

/// The bytes of a statement's digest that its name shows.
const NAME_BYTES: usize = 16;

/// The statement that asks for the number of the server's process.
pub(crate) const PROBE: &[u8] = b"SELECT pg_catalog.pg_backend_pid()";

/// When a statement is prepared under a name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PrepareWhen {
    /// Never: it is parsed anew each time, and planned for its values.
    Never,
    /// When it has run as often as [`StatementSettings::threshold`] says.
    #[default]
    Often,
    /// At once.
    Now,
}

/// How a session prepares statements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatementSettings {
    /// How often a statement runs before it gets a name. `None`: none does by itself.
    pub threshold: Option<u32>,
    /// How many statements have names at the same time. The one that was not used for longest makes
    /// room.
    pub max: usize,
}

impl Default for StatementSettings {
    fn default() -> StatementSettings {
        StatementSettings { threshold: Some(5), max: 100 }
    }
}

/// A statement: its text, and the types of its parameters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    pub(crate) sql: Arc<[u8]>,
    pub(crate) types: Vec<u32>,
}

/// What is known of a statement's result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Described {
    /// Rows of these columns.
    Rows(Arc<Columns>),
    /// No rows.
    NoRows,
}

/// The name of a statement.
pub(crate) type Name = Arc<[u8]>;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Stage {
    /// Its Parse is on the way.
    Naming,
    /// The server knows it.
    Named(Option<Described>),
    /// The server knows it, but its result may have changed since.
    Outdated,
}

#[derive(Debug)]
struct Entry {
    stage: Stage,
    name: Name,
    /// When it was used last.
    used: u64,
}

/// How a statement runs this time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Parsed without a name.
    Unnamed,
    /// Parsed under this name.
    Name(Name),
    /// Under the name that it has, with what is known of its result.
    Named(Name, Option<Described>),
}

/// What is sent to run a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) way: Way,
    /// The names to be given up first.
    pub(crate) closing: Vec<Name>,
    /// Ask for the number of the server's process first.
    pub(crate) probe: bool,
}

impl Plan {
    pub(crate) const UNNAMED: Plan = Plan { way: Way::Unnamed, closing: Vec::new(), probe: false };

    pub(crate) fn name_use(&self) -> NameUse {
        match self.way {
            Way::Unnamed => NameUse::None,
            Way::Name(_) => NameUse::Gets,
            Way::Named(..) => NameUse::Has,
        }
    }
}

/// Whether names last: what is known of a pooler.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Names {
    /// Nothing is known yet.
    #[default]
    Unknown,
    /// The question is on its way.
    Asked,
    /// The process that answers is the one of the session.
    Last,
    /// It is another one.
    DoNotLast,
}

/// What a run does with the name of its statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NameUse {
    /// It ran without one.
    None,
    /// It was to get one.
    Gets,
    /// It ran under the one that it had.
    Has,
}

/// The statements of a session.
#[derive(Debug, Default)]
pub(crate) struct Statements {
    settings: StatementSettings,
    /// Those that have a name, or are getting one.
    entries: BTreeMap<Key, Entry>,
    runs: Runs,
    /// The names that the server still has, and that are not needed any more. They are closed with the
    /// next statement that is sent.
    closing: Vec<Name>,
    clock: u64,
    names: Names,
    /// How often a name was gone since it is known whether names last.
    lost: u32,
    /// The transaction that is open may have changed results.
    changed: bool,
    /// It may have changed, for itself, which tables are meant.
    renamed: bool,
}

impl Statements {
    /// Whether a statement has a name, or is getting one.
    pub(crate) fn is_used(&self) -> bool {
        !self.entries.is_empty()
    }

    /// How many have a name, or are getting one.
    pub(crate) fn named(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn settings(&self) -> StatementSettings {
        self.settings
    }

    /// Changes how statements are prepared, from the next one on.
    pub(crate) fn set_settings(&mut self, settings: StatementSettings) {
        self.settings = settings;
        self.evict_down_to(settings.max);
    }

    /// Whether names last on this connection; `None` as long as nothing is known.
    pub(crate) fn names_last(&self) -> Option<bool> {
        match self.names {
            Names::Unknown | Names::Asked => None,
            Names::Last => Some(true),
            Names::DoNotLast => Some(false),
        }
    }

    /// What is known of the result of a statement that has a name.
    pub(crate) fn columns(&self, key: &Key) -> Option<&Arc<Columns>> {
        match &self.entries.get(key)?.stage {
            Stage::Named(Some(Described::Rows(columns))) => Some(columns),
            _ => None,
        }
    }

    /// Decides how a statement runs that is about to be sent. `may_ask`: whether the peer can be asked
    /// for the number of its process. `in_transaction`: whether a transaction is open.
    pub(crate) fn plan(
        &mut self,
        key: &Key,
        prepare: PrepareWhen,
        may_ask: bool,
        in_transaction: bool,
    ) -> Plan {
        let mut plan = self.choose(key, prepare, may_ask, in_transaction);
        if !self.closing.is_empty() {
            plan.closing.append(&mut self.closing);
        }
        plan
    }

    fn choose(
        &mut self,
        key: &Key,
        prepare: PrepareWhen,
        may_ask: bool,
        in_transaction: bool,
    ) -> Plan {
        let threshold = match (prepare, self.settings.threshold) {
            (PrepareWhen::Never, _) | (PrepareWhen::Often, None) => return Plan::UNNAMED,
            (PrepareWhen::Often, Some(threshold)) => threshold,
            (PrepareWhen::Now, _) => 0,
        };
        if self.names == Names::DoNotLast || self.settings.max == 0 {
            return Plan::UNNAMED;
        }
        self.clock += 1;
        if let Some(entry) = self.entries.get_mut(key) {
            entry.used = self.clock;
            return match &entry.stage {
                Stage::Naming => Plan::UNNAMED,
                Stage::Named(described) => {
                    let way = Way::Named(Arc::clone(&entry.name), described.clone());
                    Plan { way, ..Plan::UNNAMED }
                }
                Stage::Outdated => {
                    entry.stage = Stage::Naming;
                    let name = Arc::clone(&entry.name);
                    let closing = vec![Arc::clone(&name)];
                    Plan { way: Way::Name(name), closing, probe: false }
                }
            };
        }
        let runs = self.runs.count(key);
        match self.names {
            // One run ahead, so that the answer is there when the name is due.
            Names::Unknown if may_ask && runs.saturating_add(1) >= threshold => {
                self.names = Names::Asked;
                Plan { probe: true, ..Plan::UNNAMED }
            }
            Names::Last if runs >= threshold => self.begin_naming(key, in_transaction),
            _ => Plan::UNNAMED,
        }
    }

    fn begin_naming(&mut self, key: &Key, in_transaction: bool) -> Plan {
        self.evict_down_to(self.settings.max.saturating_sub(1));
        if self.entries.len() >= self.settings.max {
            // All are still getting their names.
            return Plan::UNNAMED;
        }
        // What the transaction did before is not known: commands count only once there are names.
        self.changed |= in_transaction && self.entries.is_empty();
        let name = name(key);
        let entry = Entry { stage: Stage::Naming, name: Arc::clone(&name), used: self.clock };
        self.entries.insert(key.clone(), entry);
        Plan { way: Way::Name(name), ..Plan::UNNAMED }
    }

    /// Gives up the names that were not used for longest, until no more than `most` are left; those
    /// that are just given stay.
    fn evict_down_to(&mut self, most: usize) {
        while self.entries.len() > most {
            let named = self.entries.iter().filter(|(_, entry)| entry.has_name());
            let Some((oldest, _)) = named.min_by_key(|(_, entry)| entry.used) else { return };
            let oldest = oldest.clone();
            self.closing.extend(self.entries.remove(&oldest).map(|entry| entry.name));
        }
    }

    /// The server's process has this number; the session was told of `own`.
    pub(crate) fn note_process(&mut self, pid: &[u8], own: Option<i32>) {
        let pid = std::str::from_utf8(pid).ok().and_then(|pid| pid.parse().ok());
        self.names = if pid.is_some() && pid == own { Names::Last } else { Names::DoNotLast };
    }

    /// The question for the process came to nothing.
    pub(crate) fn note_no_process(&mut self) {
        if self.names == Names::Asked {
            self.names = Names::DoNotLast;
        }
    }

    /// A statement has failed, in front of which the process was asked for. Returns whether the question
    /// has failed, and not the statement, and the statement may succeed without it.
    pub(crate) fn note_probe_failed(&mut self, report: &Report) -> bool {
        if self.names != Names::Asked {
            return false;
        }
        // in_failed_sql_transaction, or a cancel request, a shutdown: any statement would have failed.
        let any = report.sqlstate().is_some_and(|code| code == "25P02" || code.starts_with("57"));
        self.names = if any { Names::Unknown } else { Names::DoNotLast };
        !any
    }

    /// A statement was not sent, or was skipped, with what was to be done in front of it.
    pub(crate) fn note_not_run(&mut self, key: &Key, used: NameUse, probe: bool, closing: &[Name]) {
        if probe && self.names == Names::Asked {
            self.names = Names::Unknown;
        }
        if used == NameUse::Gets
            && matches!(self.entries.get(key), Some(Entry { stage: Stage::Naming, .. }))
        {
            self.forget_name(key);
        }
        self.note_not_closed(closing);
    }

    /// The server still has these names.
    pub(crate) fn note_not_closed(&mut self, names: &[Name]) {
        self.closing.extend_from_slice(names);
    }

    /// The server has parsed a statement under its name.
    pub(crate) fn note_parsed(&mut self, key: &Key) {
        if let Some(entry) = self.entries.get_mut(key)
            && entry.stage == Stage::Naming
        {
            entry.stage = Stage::Named(None);
            self.evict_down_to(self.settings.max);
        }
    }

    /// A statement under its name has this result.
    pub(crate) fn note_described(&mut self, key: &Key, described: Option<Arc<Columns>>) {
        if let Some(Entry { stage: Stage::Named(known @ None), .. }) = self.entries.get_mut(key) {
            *known = Some(described.map_or(Described::NoRows, |mut columns| {
                if columns.0.iter().any(|column| column.format != 0) {
                    // Other runs may ask for other formats.
                    Arc::make_mut(&mut columns).0.iter_mut().for_each(|column| column.format = 0);
                }
                Described::Rows(columns)
            }));
        }
    }

    /// A statement has failed. Returns whether that was the fault of the name that it had, or was to get:
    /// nothing has run, and the same statement may succeed now.
    ///
    /// The name may have met another fate since the statement was sent. `unbound`: the values could not
    /// be bound.
    pub(crate) fn note_failed(
        &mut self,
        key: &Key,
        used: NameUse,
        unbound: bool,
        report: &Report,
    ) -> bool {
        let stage = self.entries.get(key).map(|entry| &entry.stage);
        match (used, stage, report.sqlstate()) {
            (NameUse::None, ..) => return false,
            // duplicate_prepared_statement: the same name is the same statement.
            (NameUse::Gets, Some(Stage::Naming), Some("42P05")) => {
                self.note_parsed(key);
                return true;
            }
            (NameUse::Gets, Some(Stage::Naming), _) => {
                self.forget_name(key);
                return false;
            }
            _ => {}
        }
        if !unbound {
            // A function may raise anything.
            return false;
        }
        match report.sqlstate() {
            // internal_error: "cache lookup failed for type", as somebody has dropped the type that a
            // parameter has in the prepared statement.
            Some("XX000") => {
                self.note_changed(key);
                true
            }
            // invalid_sql_statement_name: somebody has deallocated it, or another server has answered.
            Some("26000") => {
                if self.entries.get(key).is_some_and(Entry::has_name) {
                    self.forget_name(key);
                    self.note_lost();
                }
                true
            }
            // "cached plan must not change result type"
            Some("0A000") if report.field(b'R') == Some(b"RevalidateCachedQuery") => {
                self.note_changed(key);
                true
            }
            // data_exception, undefined_object: a parameter whose type the server has chosen may have
            // another one by now.
            Some(code)
                if used == NameUse::Has
                    && (code.starts_with("22") || code == "42704")
                    && key.types.contains(&0) =>
            {
                self.note_changed(key);
                true
            }
            _ => false,
        }
    }

    /// A name was gone. If that comes again, all are given up, and whether any lasts is asked anew: there
    /// are poolers that announce the process of a server, and go on to another server later.
    fn note_lost(&mut self) {
        self.lost += 1;
        if self.lost >= SUSPICIOUS && self.names == Names::Last {
            (self.names, self.lost) = (Names::Unknown, 0);
            let names = self.entries.values().filter(|entry| entry.has_name());
            let names: Vec<Name> = names.map(|entry| Arc::clone(&entry.name)).collect();
            self.forget_names();
            self.closing.extend(names);
        }
    }

    /// Forgets all names but those that are still being given.
    fn forget_names(&mut self) {
        let named = self.entries.iter().filter(|(_, entry)| entry.has_name());
        let named: Vec<Key> = named.map(|(key, _)| key.clone()).collect();
        for key in named {
            self.forget_name(&key);
        }
    }

    /// A statement has to be parsed again before it can run.
    fn note_changed(&mut self, key: &Key) {
        if let Some(entry) = self.entries.get_mut(key).filter(|entry| entry.has_name()) {
            entry.stage = Stage::Outdated;
        }
    }

    /// The statement has no name any more. It gets one with its next run.
    fn forget_name(&mut self, key: &Key) {
        if self.entries.remove(key).is_some() {
            self.runs.set(key, self.settings.threshold.unwrap_or_default());
        }
    }

    /// The session was told that a command is complete, with this tag.
    pub(crate) fn note_command(&mut self, tag: &[u8]) {
        if !matches!(tag.first(), Some(b'A' | b'C' | b'D' | b'R')) {
            // SELECT, INSERT, UPDATE
            return;
        }
        match tag {
            b"DISCARD ALL" | b"DEALLOCATE ALL" => {
                // Those that are still getting their names were sent behind the command.
                self.forget_names();
                self.closing.clear();
            }
            b"ROLLBACK" if self.changed => self.outdate(),
            _ if [&b"ALTER "[..], b"CREATE ", b"DROP ", b"DISCARD "]
                .iter()
                .any(|word| tag.starts_with(word)) =>
            {
                self.note_change();
            }
            _ => {}
        }
    }

    /// A command may have changed which tables there are, or their columns.
    pub(crate) fn note_change(&mut self) {
        self.changed = true;
        self.outdate();
    }

    /// No transaction is open.
    #[inline]
    pub(crate) fn note_idle(&mut self) {
        self.changed = false;
        if std::mem::take(&mut self.renamed) {
            self.outdate();
        }
    }

    /// A command that is sent changes which tables the names in statements mean, perhaps only up to the
    /// end of the transaction.
    pub(crate) fn note_renaming(&mut self) {
        self.renamed = true;
        self.outdate();
    }

    /// Results may have changed: statements are parsed anew when they are used next.
    pub(crate) fn outdate(&mut self) {
        for entry in self.entries.values_mut() {
            if matches!(entry.stage, Stage::Named(_)) {
                entry.stage = Stage::Outdated;
            }
        }
    }
}

impl Entry {
    /// Whether the server has its name.
    fn has_name(&self) -> bool {
        self.stage != Stage::Naming
    }
}

/// How often statements without a name have run. Each has a place by its digest, and two statements
/// may ask for the same place: the one that comes last has it.
#[derive(Debug, Default)]
struct Runs(Vec<(u64, u32)>);

impl Runs {
    /// Counts a run. Returns how many there were before.
    fn count(&mut self, key: &Key) -> u32 {
        let digest = digest(key);
        let Some(known) = self.place(digest) else { return 0 };
        if known.0 != digest {
            *known = (digest, 0);
        }
        let runs = known.1;
        known.1 = runs.saturating_add(1);
        runs
    }

    fn set(&mut self, key: &Key, runs: u32) {
        let digest = digest(key);
        if let Some(known) = self.place(digest) {
            *known = (digest, runs);
        }
    }

    fn place(&mut self, digest: u64) -> Option<&mut (u64, u32)> {
        if self.0.is_empty() {
            self.0 = vec![(0, 0); COUNTED];
        }
        self.0.get_mut(usize::try_from(digest).unwrap_or_default() % COUNTED)
    }
}

fn digest(key: &Key) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

/// The name of a statement.
fn name(key: &Key) -> Name {
    let mut digest = Sha256::new();
    for oid in &key.types {
        digest.update(oid.to_be_bytes());
    }
    digest.update(&key.sql);
    let digest = digest.finalize();
    let mut name = String::from("_px_");
    for byte in digest.iter().take(NAME_BYTES) {
        // Writing to a string cannot fail.
        let _ = write!(name, "{byte:02x}");
    }
    name.into_bytes().into()
}

/// Settings that decide what constants in the text of a statement mean, which are read when it is
/// parsed.
const READING: [&str; 5] =
    ["TimeZone", "DateStyle", "IntervalStyle", "standard_conforming_strings", "client_encoding"];

/// Whether constants in the text of a statement mean something else when this setting changes.
pub(crate) fn changes_constants(parameter: &[u8]) -> bool {
    READING.iter().any(|name| name.as_bytes() == parameter)
}

/// Whether a command changes which tables the names in statements mean. It may err on the side of yes.
pub(crate) fn changes_names_of_tables(sql: &[u8]) -> bool {
    let names_function = |at: usize| {
        let before = at.checked_sub(3).and_then(|start| sql.get(start..at));
        before.is_some_and(|word| word.eq_ignore_ascii_case(b"set"))
            && sql.get(at + 1..at + 7).is_some_and(|word| word.eq_ignore_ascii_case(b"config"))
    };
    if memchr::memchr_iter(b'_', sql).any(names_function) {
        return true;
    }
    let begins =
        |word: &[u8]| sql.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    (begins(b"set") || begins(b"reset"))
        && [&b"search_path"[..], b"schema", b"reset all"]
            .iter()
            .any(|word| sql.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(sql: &str) -> Key {
        Key { sql: sql.as_bytes().into(), types: vec![23] }
    }

    fn report(fields: &str) -> Report {
        Report::parse(format!("SERROR\0{fields}\0").as_bytes()).unwrap()
    }

    /// Statements that are named at once, on a connection where names last.
    fn lasting(max: usize) -> Statements {
        let mut statements = Statements { names: Names::Last, ..Statements::default() };
        statements.set_settings(StatementSettings { threshold: Some(0), max });
        statements
    }

    fn plan(statements: &mut Statements, sql: &str) -> Plan {
        statements.plan(&key(sql), PrepareWhen::Often, true, false)
    }

    /// Runs a statement with success.
    fn run(statements: &mut Statements, sql: &str) -> Plan {
        let plan = plan(statements, sql);
        if plan.name_use() == NameUse::Gets {
            statements.note_parsed(&key(sql));
            statements.note_described(&key(sql), None);
        }
        plan
    }

    #[test]
    fn a_name_is_made_of_the_text_and_the_types() {
        let known = name(&key("SELECT $1"));
        assert_eq!(known, name(&key("SELECT $1")));
        assert!(known.starts_with(b"_px_") && known.len() == 4 + 2 * NAME_BYTES);
        // Names on a server are shorter than 64 bytes.
        assert!(known.len() < 64);
        let others = [
            key("SELECT $1 "),
            Key { types: vec![], ..key("SELECT $1") },
            Key { types: vec![20], ..key("SELECT $1") },
            Key { types: vec![23, 23], ..key("SELECT $1") },
        ];
        for other in others {
            assert_ne!(known, name(&other), "{other:?}");
        }
    }

    #[test]
    fn the_process_has_to_be_the_one_of_the_session() {
        let cases = [
            (&b"7"[..], Some(7), Some(true)),
            (b"8", Some(7), Some(false)),
            (b"-7", Some(7), Some(false)),
            (b"7 ", Some(7), Some(false)),
            (b"\xff", Some(7), Some(false)),
            (b"", None, Some(false)),
            (b"7", None, Some(false)),
        ];
        for (pid, own, lasts) in cases {
            let mut statements = Statements::default();
            statements.note_process(pid, own);
            assert_eq!(statements.names_last(), lasts, "{pid:?}, {own:?}");
        }
    }

    #[test]
    fn a_question_is_under_way_once() {
        let mut statements = Statements::default();
        statements.set_settings(StatementSettings { threshold: Some(0), max: 5 });
        let refused = statements.plan(&key("a"), PrepareWhen::Now, false, false);
        assert_eq!(refused, Plan::UNNAMED);
        assert!(plan(&mut statements, "a").probe);
        assert!(!plan(&mut statements, "a").probe);
        // Another statement that was not run says nothing of the question.
        statements.note_not_run(&key("a"), NameUse::None, false, &[]);
        assert!(!plan(&mut statements, "a").probe);
        statements.note_not_run(&key("a"), NameUse::None, true, &[]);
        assert!(plan(&mut statements, "a").probe);
        assert!(!statements.note_probe_failed(&report("C57014\0")));
        assert!(plan(&mut statements, "a").probe);
        assert!(statements.note_probe_failed(&report("C42501\0")));
        assert_eq!(statements.names_last(), Some(false));
        assert!(!statements.note_probe_failed(&report("C42501\0")));
    }

    #[test]
    fn names_that_are_given_up_are_closed_once() {
        let mut statements = lasting(2);
        let first = run(&mut statements, "a");
        run(&mut statements, "b");
        let closing = plan(&mut statements, "c").closing;
        assert_eq!(Way::Name(closing[0].clone()), first.way);
        // It was skipped: its Close has not happened, and "c" has no name.
        statements.note_not_run(&key("c"), NameUse::Gets, false, &closing);
        assert_eq!(statements.named(), 1);
        let next = statements.plan(&key("d"), PrepareWhen::Never, true, false);
        assert_eq!((next.closing, next.way), (closing, Way::Unnamed));
        assert_eq!(run(&mut statements, "e").closing, Vec::<Name>::new());
        // After this the server has none.
        statements.note_not_closed(&[name(&key("a"))]);
        statements.note_command(b"DISCARD ALL");
        assert_eq!(run(&mut statements, "e").closing, Vec::<Name>::new());
        assert_eq!(statements.named(), 1);
    }

    #[test]
    fn runs_are_judged_by_how_they_were_sent() {
        let gone = report("C26000\0");
        let changed = report("C0A000\0RRevalidateCachedQuery\0");
        for report in [&gone, &changed] {
            let mut statements = lasting(2);
            run(&mut statements, "a");
            // A function has raised it.
            assert!(!statements.note_failed(&key("a"), NameUse::Has, false, report));
            assert!(statements.note_failed(&key("a"), NameUse::Has, true, report));
            assert_eq!(plan(&mut statements, "a").name_use(), NameUse::Gets);
            // A second run that was under way. The new name stays.
            assert!(statements.note_failed(&key("a"), NameUse::Has, true, report));
            statements.note_parsed(&key("a"));
            assert_eq!(plan(&mut statements, "a").name_use(), NameUse::Has);
            // One that had to make room meanwhile.
            assert!(statements.note_failed(&key("b"), NameUse::Has, true, report));
            assert!(!statements.note_failed(&key("b"), NameUse::None, true, report));
            assert_eq!(statements.named(), 1);
        }
    }

    #[test]
    fn a_value_may_not_fit_because_its_place_has_changed() {
        let invalid = report("C22P02\0");
        let untyped = Key { types: vec![0], ..key("a") };
        let mut statements = lasting(2);
        for (key, again) in [(&key("a"), false), (&untyped, true)] {
            statements.plan(key, PrepareWhen::Often, true, false);
            assert!(!statements.note_failed(key, NameUse::Gets, true, &invalid));
            statements.plan(key, PrepareWhen::Often, true, false);
            statements.note_parsed(key);
            assert!(!statements.note_failed(key, NameUse::Has, false, &invalid));
            assert_eq!(statements.note_failed(key, NameUse::Has, true, &invalid), again);
        }
    }

    #[test]
    fn what_a_transaction_has_renamed_is_over_with_it() {
        let mut statements = lasting(2);
        run(&mut statements, "a");
        statements.note_renaming();
        assert_eq!(run(&mut statements, "a").name_use(), NameUse::Gets);
        assert_eq!(run(&mut statements, "a").name_use(), NameUse::Has);
        statements.note_idle();
        assert_eq!(run(&mut statements, "a").name_use(), NameUse::Gets);
        statements.note_idle();
        assert_eq!(run(&mut statements, "a").name_use(), NameUse::Has);
    }

    #[test]
    fn commands_that_change_which_tables_names_mean() {
        for sql in [
            "set search_path to x",
            "SET LOCAL SCHEMA 'x'",
            "RESET ALL",
            "reset search_path",
            "select set_config('search_path', $1, true)",
        ] {
            assert!(changes_names_of_tables(sql.as_bytes()), "{sql}");
        }
        for sql in ["", "se", "set timezone to x", "select 'search_path'", "reset timezone"] {
            assert!(!changes_names_of_tables(sql.as_bytes()), "{sql}");
        }
    }
}
