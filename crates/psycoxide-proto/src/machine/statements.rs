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

/// The statements of a session.
#[derive(Debug, Default)]
pub(crate) struct Statements {
    pub(crate) settings: StatementSettings,
    /// Those that have a name, or are getting one.
    entries: BTreeMap<Key, Entry>,
    runs: Runs,
    clock: u64,
    names: Names,
    /// The transaction that is open may have changed results.
    changed: bool,
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
    /// for the number of its process.
    pub(crate) fn plan(&mut self, key: &Key, prepare: PrepareWhen, may_ask: bool) -> Plan {
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
        if runs < threshold {
            return Plan::UNNAMED;
        }
        match self.names {
            Names::Unknown if may_ask => {
                self.names = Names::Asked;
                Plan { probe: true, ..Plan::UNNAMED }
            }
            Names::Last => self.begin_naming(key),
            Names::Unknown | Names::Asked | Names::DoNotLast => Plan::UNNAMED,
        }
    }

    fn begin_naming(&mut self, key: &Key) -> Plan {
        let closing = if self.entries.len() < self.settings.max { None } else { self.evict() };
        if self.entries.len() >= self.settings.max {
            // All are still getting their names.
            return Plan::UNNAMED;
        }
        let name = name(key);
        let entry = Entry { stage: Stage::Naming, name: Arc::clone(&name), used: self.clock };
        self.entries.insert(key.clone(), entry);
        Plan { way: Way::Name(name), closing: closing.into_iter().collect(), probe: false }
    }

    /// Forgets the named statement that was not used for longest. Returns its name.
    fn evict(&mut self) -> Option<Name> {
        let named = self.entries.iter().filter(|(_, entry)| entry.stage != Stage::Naming);
        let (oldest, _) = named.min_by_key(|(_, entry)| entry.used)?;
        let oldest = oldest.clone();
        self.entries.remove(&oldest).map(|entry| entry.name)
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

    /// A statement was not sent, or was skipped.
    pub(crate) fn note_not_run(&mut self, key: &Key) {
        if self.names == Names::Asked {
            self.names = Names::Unknown;
        }
        if matches!(self.entries.get(key), Some(Entry { stage: Stage::Naming, .. })) {
            self.forget_name(key);
        }
    }

    /// The server has parsed a statement under its name.
    pub(crate) fn note_parsed(&mut self, key: &Key) {
        if let Some(entry) = self.entries.get_mut(key)
            && entry.stage == Stage::Naming
        {
            entry.stage = Stage::Named(None);
        }
    }

    /// A statement under its name has this result.
    pub(crate) fn note_described(&mut self, key: &Key, described: Described) {
        if let Some(Entry { stage: Stage::Named(known @ None), .. }) = self.entries.get_mut(key) {
            *known = Some(described);
        }
    }

    /// A statement has failed that ran under a name, or was to get one. Returns whether that was the
    /// name's fault: nothing has run, and the same statement may succeed now.
    pub(crate) fn note_failed(&mut self, key: &Key, report: &Report) -> bool {
        let Some(entry) = self.entries.get_mut(key) else { return false };
        match (&entry.stage, report.sqlstate()) {
            // duplicate_prepared_statement: the same name is the same statement.
            (Stage::Naming, Some("42P05")) => {
                entry.stage = Stage::Named(None);
                true
            }
            (Stage::Naming, _) => {
                self.forget_name(key);
                false
            }
            // invalid_sql_statement_name: somebody has deallocated it.
            (Stage::Named(_) | Stage::Outdated, Some("26000")) => {
                self.forget_name(key);
                true
            }
            // "cached plan must not change result type"
            (Stage::Named(_) | Stage::Outdated, Some("0A000"))
                if report.field(b'R') == Some(b"RevalidateCachedQuery") =>
            {
                entry.stage = Stage::Outdated;
                true
            }
            _ => false,
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
        match tag {
            b"DISCARD ALL" | b"DEALLOCATE ALL" => {
                for key in std::mem::take(&mut self.entries).into_keys() {
                    self.runs.set(&key, self.settings.threshold.unwrap_or_default());
                }
            }
            b"ROLLBACK" if self.changed => self.outdate(),
            b"COMMIT" => self.changed = false,
            _ if [&b"ALTER "[..], b"CREATE ", b"DROP ", b"DISCARD "]
                .iter()
                .any(|word| tag.starts_with(word)) =>
            {
                self.changed = true;
                self.outdate();
            }
            _ => {}
        }
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

/// Whether a command changes which tables the names in statements mean. It may err on the side of yes.
pub(crate) fn changes_names_of_tables(sql: &[u8]) -> bool {
    let begins =
        |word: &[u8]| sql.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    (begins(b"set") || begins(b"reset"))
        && [&b"search_path"[..], b"schema", b"reset all"]
            .iter()
            .any(|word| sql.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word)))
}
