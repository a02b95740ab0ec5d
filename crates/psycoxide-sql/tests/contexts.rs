//! Where the server takes a parameter, and where a constant means something else.
//! `PSYCOXIDE_TEST_DSN` names the server; without it nothing is tested.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the test is the driver: it connects"
)]

#[allow(dead_code)]
mod common;
mod numbers;

use common::{Answer, Session};
use numbers::Numbers;
use psycoxide_sql::lex::Syntax;
use psycoxide_sql::numbered::{Context, Filled, Numbered, Place};
use psycoxide_sql::oid;
use psycoxide_sql::template::Template;

const TABLES: &[&str] = &[
    "SET lc_messages = 'C'",
    "CREATE TEMP TABLE t (a int PRIMARY KEY, b text, c int, d date, n numeric, f float8,
        s timestamp, j jsonb)",
    "INSERT INTO t VALUES (1, 'x', 10, '2020-01-01', 1.5, 2.5, '2020-01-01 12:00', '{\"x\": 1}'),
        (2, 'y', 20, NULL, 2, 1, NULL, '[1, 2]'),
        (3, NULL, 10, '2021-05-05', NULL, 3, '2022-02-02', NULL)",
    "CREATE TEMP TABLE u (a int, b text)",
    "CREATE UNIQUE INDEX ON u (a) WHERE b = 'x'",
    "CREATE UNIQUE INDEX ON u ((a + 5), b)",
    "INSERT INTO u VALUES (1, 'x'), (4, 'z')",
];

fn open() -> Option<Session> {
    let mut session = Session::open()?;
    for sql in TABLES {
        session.query(sql.as_bytes()).unwrap();
    }
    Some(session)
}

/// Runs a statement, and takes back what it did.
fn undone(session: &mut Session, run: impl FnOnce(&mut Session) -> Answer) -> Answer {
    session.query(b"BEGIN").unwrap();
    let answer = run(session);
    session.query(b"ROLLBACK").unwrap();
    answer
}

fn read(query: &str) -> Numbered {
    Numbered::of(&Template::parse(query.as_bytes()), Syntax::default())
}

/// A constant as a parameter: of the type that it has as a constant.
fn parameter(constant: &str) -> (u32, &str) {
    match constant.strip_prefix('\'') {
        Some(text) => (0, text.strip_suffix('\'').unwrap()),
        None if constant.parse::<i32>().is_ok() => (oid::INT4, constant),
        None if constant.parse::<i64>().is_ok() => (oid::INT8, constant),
        None if matches!(constant, "true" | "false") => (oid::BOOL, constant),
        None => panic!("{constant} is no constant of these tests"),
    }
}

/// Writes the query with these values, of which some are bound, and runs it.
fn run(
    session: &mut Session,
    numbered: &Numbered,
    values: &[&str],
    binds: impl Fn(&Place) -> bool,
) -> Answer {
    let (mut text, mut order) = (Vec::new(), Vec::new());
    let write = numbered.write::<()>(&mut text, &mut order, |place, out| {
        if binds(place) {
            return Ok(Filled::Bound);
        }
        out.extend_from_slice(values[place.value].as_bytes());
        Ok(Filled::Merged)
    });
    write.unwrap();
    let parameters: Vec<_> = order.iter().map(|value| parameter(values[*value])).collect();
    undone(session, |session| match parameters.is_empty() {
        true => session.query(&text),
        false => session.bind(&text, &parameters),
    })
}

fn run_merged(session: &mut Session, numbered: &Numbered, values: &[&str]) -> Answer {
    run(session, numbered, values, |_| false)
}

/// Binds what may be bound.
fn run_hybrid(session: &mut Session, numbered: &Numbered, values: &[&str]) -> Answer {
    run(session, numbered, values, |place| {
        let value = values[place.value];
        place.context.is_bindable() && (parameter(value).0 != 0 || !place.context.needs_type())
    })
}

/// Queries all of whose placeholders are expressions, and values for them.
const EXPRESSIONS: &[(&str, &[&str])] = &[
    ("select %s, %s AS x, pg_typeof(%s), pg_typeof(%s)", &["1", "'x'", "2", "3000000000"]),
    ("select a from t where a = %s and b <> %s or not %s", &["1", "'y'", "true"]),
    (
        "select a from t where a in (%s, %s) and c = any(%s) and b not in (%s)",
        &["1", "'2'", "'{10,20}'", "'q'"],
    ),
    (
        "select b like %s escape %s, b ilike %s, b similar to %s from t",
        &["'!x'", "'!'", "'X'", "'(x|y)'"],
    ),
    (
        "select a between %s and %s, c not between symmetric %s and %s from t",
        &["1", "2", "'30'", "'5'"],
    ),
    ("select case %s when %s then %s else %s end", &["1", "'1'", "'x'", "'y'"]),
    (
        "select lower(%s), make_interval(days => %s), json_extract_path('{\"a\": 1}', variadic %s)::text from t",
        &["'x'", "3", "'{a}'"],
    ),
    (
        "select array[%s, %s], (array[1, 2, 3])[%s:%s], (%s), row(%s)",
        &["'a'", "'b'", "1", "'2'", "'x'", "1"],
    ),
    ("select %s::int, cast(%s as date), %s::text || 'x'", &["'5'", "'2020-01-01'", "7"]),
    (
        "select a - %s, a -%s, a*%s, b||%s, (%s)-a, %s-a, %s%%%s from t",
        &["1", "'2'", "3", "'x'", "5", "'6'", "7", "4"],
    ),
    ("select a from t order by a limit %s offset %s", &["'1'", "1"]),
    ("select a from t order by a offset %s rows fetch first %s rows only", &["1", "'1'"]),
    (
        "select substring(b from %s for %s), trim(both %s from b), overlay(b placing %s from %s) from t",
        &["1", "'1'", "'x'", "'q'", "1"],
    ),
    (
        "select extract(year from %s::date), position(%s in b), position('y' in %s) from t",
        &["'2020-02-02'", "'x'", "'xy'"],
    ),
    ("select d at time zone %s from t", &["'UTC'"]),
    ("select a is distinct from %s, b is not distinct from %s from t", &["1", "'x'"]),
    ("select t.a from t join u on t.a = u.a and u.b = %s where t.c > %s", &["'x'", "5"]),
    ("select c, count(*) from t group by c having count(*) > %s order by c + %s", &["1", "1"]),
    ("select n from generate_series(%s, %s) as x(n) where n > %s", &["1", "5", "'2'"]),
    ("select distinct %s, %s from t", &["'a'", "1"]),
    ("select count(distinct a + %s) filter (where a > %s) from t", &["1", "'1'"]),
    (
        "select sum(a) over (order by a rows between %s preceding and %s following) from t",
        &["1", "'1'"],
    ),
    ("select a from t order by a + %s desc", &["1"]),
    ("insert into u values (%s, %s), (%s, default) returning *", &["'7'", "'q'", "8"]),
    (
        "insert into u (a, b) values (%s, lower(%s)) on conflict (a) where b = 'x' do update set b = %s where u.a = %s returning a, b, %s",
        &["1", "'X'", "'w'", "'1'", "5"],
    ),
    (
        "insert into t (a, d) select %s, %s from u where b = %s returning *",
        &["'9'", "'2022-02-02'", "'x'"],
    ),
    (
        "update t set a = %s, b = upper(%s), (c, d) = (%s, %s) from u where t.a = u.a and t.a = %s returning t.*",
        &["'11'", "'q'", "5", "'2023-03-03'", "1"],
    ),
    ("delete from t using u where t.a = u.a and t.b = %s returning t.a + %s", &["'x'", "1"]),
    (
        "with q as (select %s::int as a), r(x) as materialized (select abs(%s)), s as not materialized (select %s as b) select * from q, r, s",
        &["'1'", "2", "'x'"],
    ),
    (
        "merge into u using t on u.a = t.a + %s when matched and u.b = %s then update set b = %s when not matched then insert (a, b) values (t.a + %s, %s)",
        &["0", "'x'", "'m'", "100", "'n'"],
    ),
    ("values (%s, %s), (%s, 'x')", &["1", "'a'", "2"]),
    ("(select %s) union all (select %s)", &["'a'", "'b'"]),
    ("((select %s))", &["1"]),
    ("select 1 union select %s order by 1", &["'5'"]),
    ("select /* c */ %s -- d\n, %s /* e */;", &["1", "'x'"]),
    (";; select %s ;", &["1"]),
    ("select a::pg_catalog.bool and (%s) from (select true) v(a)", &["true"]),
    (
        "select a from t where exists (select 1 from u where u.a = t.a and b = %s) and a < (select max(a) from u where a <> %s)",
        &["'x'", "'1'"],
    ),
    (
        "select v.a from (values (%s, %s), (%s, %s)) as v (a, b) where b = %s",
        &["1", "'a'", "2", "'b'", "'b'"],
    ),
    ("select not %s, %s is true, a > %s is null from t", &["true", "false", "'1'"]),
    ("select row_to_json(v) from (select %s as a, %s as \"limit %%s\") v", &["1", "'x'"]),
    ("select '%%s', $$%%s$$, E'\\'%%s', %s", &["1"]),
    ("select count(*) from t tablesample bernoulli(%s) repeatable (%s)", &["100", "'1'"]),
    ("table t limit %s", &["'1'"]),
    ("select %s into temp made", &["1"]),
    ("select -a - %s, @ -a, |/ %s from t", &["1", "'4'"]),
    ("select b collate \"C\" > %s from t", &["'x'"]),
    (
        "select coalesce(b, %s), nullif(a, %s), greatest(a, %s), a >= all(%s) from t",
        &["'q'", "'1'", "2", "'{1,2}'"],
    ),
    (
        "select count(*) from t where (a, b) = (%s, %s) or (a, c) in ((%s, %s))",
        &["1", "'x'", "'2'", "20"],
    ),
    ("select t.*, %s from t where a = %s for update of t", &["'x'", "'1'"]),
    ("select string_agg(b, %s order by a) from t", &["','"]),
    ("select percentile_cont(%s) within group (order by a) from t", &["'0.5'"]),
];

#[test]
fn what_is_called_an_expression_is_the_same_when_bound() {
    let Some(mut session) = open() else { return };
    let has_merge = session.query(b"merge into t using u on false when matched then do nothing");
    let mut wrong = Vec::new();
    for (query, values) in EXPRESSIONS {
        if query.starts_with("merge") && has_merge.is_err() {
            continue;
        }
        let numbered = read(query);
        let (text, order) = numbered.all_bound().unwrap_or_else(|| panic!("{query}: {numbered:?}"));
        let merged = run_merged(&mut session, &numbered, values);
        let parameters: Vec<_> = order.iter().map(|value| parameter(values[*value])).collect();
        let bound = undone(&mut session, |session| session.bind(text, &parameters));
        if merged.is_err() || merged != bound {
            wrong.push(format!("{query}: {merged:?}, bound {bound:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Queries with a placeholder that has to be merged, why, and values.
const MERGED: &[(&str, Context, &[&str])] = {
    use Context::*;
    &[
        ("select %s is null", NullTest, &["'x'"]),
        ("select %s is not null", NullTest, &["'x'"]),
        ("select %s between a and b from t", Compared, &["'1'"]),
        ("select %s not in (a, b) from t", Compared, &["'1'"]),
        ("select (%s notnull)", NullTest, &["'x'"]),
        ("select a is not %s from t", AfterIs, &["null"]),
        ("select interval %s", TypedConstant, &["'1 day'"]),
        ("select timestamp with time zone %s", TypedConstant, &["'2020-01-01'"]),
        ("select double precision %s", TypedConstant, &["'1'"]),
        ("select pg_catalog.int4 %s", TypedConstant, &["'1'"]),
        ("select \"date\" %s", TypedConstant, &["'2020-01-01'"]),
        ("select interval(3) %s", TypedConstant, &["'1.23456'"]),
        ("select 'x'::varchar(%s)", TypeModifier, &["5"]),
        ("select 'x'::pg_catalog.varchar(%s)", TypeModifier, &["5"]),
        ("select cast('1' as numeric(%s, 2))", TypeModifier, &["5"]),
        ("select current_timestamp(%s) is null", TypeModifier, &["5"]),
        ("select interval '1.234' second(%s)", TypeModifier, &["2"]),
        ("select '1'::%s", TypeName, &["int"]),
        ("select cast('1' as %s)", TypeName, &["int"]),
        ("select b collate %s from t", Collation, &["\"C\""]),
        ("select a as %s from t", Name, &["x"]),
        ("select a from %s", Name, &["t"]),
        ("select t.%s from t", Name, &["a"]),
        ("select %s.a from t", Name, &["t"]),
        ("select %s(1)", Name, &["abs"]),
        ("table %s", Name, &["t"]),
        ("update t set %s = 1 where false", Name, &["c"]),
        ("insert into u (a, %s) values (1, 'q')", Name, &["b"]),
        ("select * from t join u using (%s)", Name, &["a"]),
        ("select a from t where a in %s", List, &["(1, 2)"]),
        ("insert into u values %s", List, &["(77, 'q')"]),
        ("select c, a from t order by %s, a", SortKey, &["1"]),
        ("select c from t group by %s", SortKey, &["1"]),
        ("select c from t group by rollup(%s) order by 1", SortKey, &["1"]),
        ("select c, a from t order by (%s), a", SortKey, &["1"]),
        (
            "insert into u values (1, 'x') on conflict (a) where b = %s do nothing",
            ConflictTarget,
            &["'x'"],
        ),
        (
            "insert into u values (1, 'x') on conflict ((a + %s), b) do nothing",
            ConflictTarget,
            &["5"],
        ),
        ("select extract(%s from d) from t", Field, &["'year'"]),
        ("select pg_typeof(-%s)", Negated, &["2147483648"]),
        ("select a from t order by -%s", Negated, &["1"]),
        ("select E%s", Glued, &["'a'"]),
        ("select U&%s", Glued, &["'\\0041'"]),
        ("select %sfoo", Glued, &["'a'"]),
        ("select 'x'\n%s", Adjacent, &["'y'"]),
        ("select %s\n'x'", Adjacent, &["'y'"]),
        ("select %s %s", Adjacent, &["date", "'2020-01-01'"]),
        ("select a + %s from t group by a + %s", Grouped, &["1", "1"]),
        ("select distinct a + %s from t order by a + %s", Grouped, &["1", "1"]),
        ("select a + %s from t group by a + 1", Grouped, &["1"]),
        ("select distinct b || %s from t order by b || 'x'", Grouped, &["'x'"]),
        ("select distinct on (a + %s) a from t order by a + %s", Grouped, &["1", "1"]),
        ("select 'a%s' is null", InString, &[""]),
        ("select $$a%s$$ is null", InDollarString, &[""]),
        ("select \"a%s\" from (select 1) x(a)", InQuotedName, &[""]),
    ]
};

/// Those of them that the server takes with a parameter as well: it means something else.
const ELSE: [Context; 8] = {
    use Context::*;
    [SortKey, Negated, InString, InDollarString, ConflictTarget, Adjacent, Glued, Grouped]
};

#[test]
fn what_is_merged_cannot_be_bound() {
    let Some(mut session) = open() else { return };
    // Plans that are made for any value show what is known before there are values.
    session.query(b"SET plan_cache_mode = force_generic_plan").unwrap();
    for (query, context, values) in MERGED {
        let numbered = read(query);
        let found: Vec<_> = numbered.places().iter().map(|place| place.context).collect();
        assert!(found.contains(context), "{query}: {found:?}");
        let merged = run_merged(&mut session, &numbered, values);
        let parameters: Vec<_> = numbered
            .places()
            .iter()
            .map(|place| match values[place.value].as_bytes().first() {
                Some(b'\'' | b'0'..=b'9') => parameter(values[place.value]),
                _ => (0, values[place.value]),
            })
            .collect();
        let bound = undone(&mut session, |session| session.bind(numbered.text(), &parameters));
        match (&merged, &bound) {
            (_, Err(_)) if merged.is_ok() => {}
            (Ok(merged), Ok(bound)) if ELSE.contains(context) => {
                assert_ne!(merged, bound, "{query}");
            }
            (Err(_), Ok(_)) if *context == Context::Negated => {}
            _ => panic!("{query}: {merged:?}, {bound:?}"),
        }
    }
}

/// Makes statements that may mean something, with placeholders in any place.
struct Maker {
    numbers: Numbers,
    text: String,
    values: Vec<&'static str>,
}

impl Maker {
    fn any(&mut self, choices: &[fn(&mut Maker)]) {
        choices[self.numbers.below(choices.len())](self);
    }

    fn put(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn one_of(&mut self, texts: &[&str]) {
        let text = self.numbers.choose(texts);
        self.text.push_str(text);
    }

    fn value(&mut self) {
        let values = ["1", "2", "10", "'1'", "'1.5'", "'x'", "true", "'2020-01-01'", "2147483648"];
        let value = values[self.numbers.below(values.len())];
        self.values.push(value);
        self.one_of(&["%s", "%s", "%s", "%s ", " %s", "%s/* */"]);
    }

    fn word(&mut self, word: &'static str) {
        self.values.push(word);
        self.put("%s");
    }

    fn atom(&mut self) {
        self.any(&[
            |m| m.one_of(&["a", "b", "c", "t.a", "1", "'x'", "null", "\"a\""]),
            |m| m.one_of(&["n", "f", "d", "s", "1.5", "t.n"]),
            Self::value,
            Self::value,
            Self::value,
        ]);
    }

    fn around(&mut self, before: &str, after: &str) {
        self.put(before);
        self.expression();
        self.put(after);
    }

    fn expression(&mut self) {
        if self.text.len() > 120 {
            return self.atom();
        }
        self.any(&[
            Self::atom,
            Self::atom,
            Self::atom,
            |m| {
                m.atom();
                m.one_of(&["+", " - ", "-", "=", " < ", "||", " and ", " or ", " like ", " * "]);
                m.expression();
            },
            |m| {
                m.atom();
                m.one_of(&[" is distinct from ", " is not distinct from ", " between 1 and "]);
                m.atom();
            },
            |m| m.around("-", ""),
            |m| m.around("not ", ""),
            |m| m.around("(", ")"),
            |m| m.around("", "::int"),
            |m| m.around("", "::varchar(3)"),
            |m| m.around("cast(", " as text)"),
            |m| m.around("abs(", ")"),
            |m| m.around("coalesce(a, ", ")"),
            |m| m.around("a in (", ", 1)"),
            |m| m.around("(array[1, 2])[", "]"),
            |m| m.around("case when ", " then 1 else 2 end"),
            |m| m.around("case ", " when 1 then 2 end"),
            |m| m.around("substring(b from ", ")"),
            |m| m.around("(select max(u.a) from u where ", ")"),
            |m| m.around("exists (select 1 from u where u.a = ", ")"),
            |m| m.around("sum(a) over (order by ", ")"),
            |m| m.around("", " is null"),
            |m| m.around("", " is not true"),
            |m| m.around("a is null or ", ""),
            |m| {
                m.atom();
                m.one_of(&[" between ", " not between "]);
                m.atom();
                m.put(" and ");
                m.atom();
            },
            |m| {
                m.atom();
                m.one_of(&[" in (", " not in ("]);
                m.atom();
                m.around(", ", ")");
            },
            |m| {
                m.one_of(&["greatest(", "nullif(", "coalesce(", "array_append(array[1], "]);
                m.atom();
                m.around(", ", ")");
            },
            |m| {
                m.around("case ", " when ");
                m.atom();
                m.put(" then ");
                m.atom();
                m.put(" when ");
                m.atom();
                m.around(" then ", " end");
            },
            |m| {
                m.put("array[");
                m.atom();
                m.around(", ", "]");
            },
            |m| {
                m.put("(");
                m.atom();
                m.around(", ", ") = (");
                m.atom();
                m.around(", ", ")");
            },
            |m| {
                m.one_of(&["j -> ", "j ->> ", "j #> array[", "j ? "]);
                m.atom();
                m.one_of(&["", "]"]);
            },
            |m| m.around("", " in (select a from u)"),
            |m| m.around("any(select c) = ", ""),
            |m| m.around("a = any(", ")"),
            |m| {
                m.put("a is ");
                m.word("null");
            },
            |m| {
                m.one_of(&["date ", "interval ", "int4 ", "varchar(2) ", "pg_catalog.text "]);
                m.value();
            },
            |m| {
                m.put("extract(");
                m.word("'year'");
                m.around(" from ", "::date)");
            },
            |m| {
                m.put("'1'::");
                m.word("int");
            },
            |m| {
                m.put("a in ");
                m.word("(1, 2)");
            },
        ]);
    }

    fn clause(&mut self, words: &str) {
        self.put(words);
        self.expression();
    }

    fn select(&mut self) {
        self.one_of(&[
            "select ",
            "select ",
            "select distinct ",
            "select all ",
            "select count(*), ",
        ]);
        let (text, values) = (self.text.len(), self.values.len());
        self.expression();
        let repeated = (self.text[text..].to_owned(), self.values[values..].to_vec());
        if self.numbers.below(3) == 0 {
            self.clause(", ");
            self.one_of(&["", " as x", " y"]);
        }
        self.put(" from t");
        if self.numbers.below(2) == 0 {
            self.clause(" where ");
        }
        if self.numbers.below(8) == 0 {
            self.one_of(&[" group by ", " order by "]);
            self.text.push_str(&repeated.0);
            self.values.extend(repeated.1);
        } else if self.numbers.below(3) == 0 {
            self.clause(" group by ");
            self.any(&[|_| {}, |m| m.clause(", "), |m| m.put(", a, b, c")]);
        }
        if !self.text.contains(" order by ") && self.numbers.below(2) == 0 {
            self.clause(" order by ");
            self.any(&[|_| {}, |m| m.clause(", ")]);
            self.one_of(&["", " desc", " nulls first"]);
        }
        if self.numbers.below(4) == 0 {
            self.one_of(&[" limit ", " offset ", " fetch first "]);
            self.value();
            if self.text.contains("fetch") {
                self.put(" rows only");
            }
        }
    }

    fn statement(&mut self) {
        self.any(&[
            Self::select,
            Self::select,
            Self::select,
            |m| {
                m.put("insert into u values (");
                m.expression_without_columns();
                m.put(", ");
                m.expression_without_columns();
                m.put(")");
                m.one_of(&[" on conflict do nothing", " returning a", " returning *", ""]);
            },
            |m| {
                m.clause("update t set c = ");
                m.clause(", b = ");
                m.clause(" where ");
                m.clause(" returning a, ");
            },
            |m| {
                m.clause("select ");
                m.one_of(&[" from t", ""]);
                m.one_of(&[" union all ", " union ", " except "]);
                m.clause("select ");
            },
            |m| {
                m.put("select * from (values (");
                m.atom();
                m.around("), (", ")) as v(a) where ");
                m.expression();
            },
            |m| {
                m.put("with q as (");
                m.select();
                m.clause(") select * from q, t where ");
            },
        ]);
    }

    fn expression_without_columns(&mut self) {
        self.any(&[
            Self::value,
            Self::value,
            |m| m.put("default"),
            |m| {
                m.put("1 + ");
                m.value();
            },
        ]);
    }
}

/// Statements that look random, each merged as a whole, and with what can be bound bound. The bound
/// form does the same wherever the merged one does something.
#[test]
fn random_statements_are_the_same_when_bound() {
    let Some(mut session) = open() else { return };
    let numbers = Numbers(0x0da7_a5e7);
    let mut maker = Maker { numbers, text: String::new(), values: Vec::new() };
    let (mut compared, mut unknown) = (0, 0);
    let mut wrong = Vec::new();
    for _ in 0..STATEMENTS {
        maker.text.clear();
        maker.values.clear();
        maker.statement();
        let numbered = read(&maker.text);
        if numbered.whole().is_some() || numbered.places().is_empty() {
            continue;
        }
        let merged = run_merged(&mut session, &numbered, &maker.values);
        if merged.is_err() {
            continue;
        }
        // Constants of unknown type are bound only where their type is found.
        let bound = run_hybrid(&mut session, &numbered, &maker.values);
        compared += 1;
        if bound.as_ref().is_err_and(|report| report.sqlstate() == Some("42P18")) {
            // Only the server knows the type of this constant, so it cannot be bound as it is.
            unknown += 1;
        } else if merged != bound {
            let (text, values) = (&maker.text, &maker.values);
            wrong.push(format!("{text} {values:?}: {merged:?}, bound {bound:?}"));
        }
    }
    println!("{compared} compared, of which {unknown} have a value of unknown type");
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(compared > STATEMENTS / 20 && unknown < compared / 20, "{compared}, {unknown}");
}

const STATEMENTS: usize = 10_000;
