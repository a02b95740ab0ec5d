use super::Context::{
    Adjacent, AfterIs, Collation, Compared, ConflictTarget, Elsewhere, Expression, Field, Glued,
    Grouped, InComment, InDollarString, InQuotedName, InString, List, Name, Negated, NullTest,
    SortKey, TypeModifier, TypeName, TypedConstant,
};
use super::*;
use crate::encoding;

fn read(query: &str) -> Numbered {
    Numbered::of(&Template::parse(query.as_bytes()), Syntax::default())
}

fn contexts(query: &str) -> Vec<Context> {
    read(query).places().iter().map(|place| place.context).collect()
}

fn text(numbered: &Numbered) -> &str {
    str::from_utf8(numbered.text()).unwrap()
}

#[test]
fn expressions_are_bound() {
    for query in [
        "select %s",
        "SELECT %s, %s AS x FROM t WHERE a = %s AND b<>%s OR NOT %s",
        "select a from t where a in (%s, %s) and b = any(%s)",
        "select a from t where a like %s escape %s and b ilike %s and c similar to %s",
        "select a from t where a between %s and %s and b not between symmetric %s and %s",
        "select case %s when %s then %s else %s end",
        "select case when a = %s then b end from t",
        "select f(%s, x => %s, variadic %s)",
        "select array[%s, %s], a[%s:%s], (%s), row(%s)",
        "select %s::int, cast(%s as int)",
        "select a - %s, a -%s, a*%s, a||%s, a->>%s, %s-a, (1)-%s, 'x' - %s",
        "select a from t limit %s offset %s",
        "select a from t offset %s rows fetch first %s rows only",
        "select substring(a from %s for %s), trim(both %s from a), overlay(a placing %s from %s)",
        "select extract(year from %s), position(%s in %s)",
        "select a at time zone %s from t",
        "select a from t where a is distinct from %s or a is not distinct from %s",
        "select a from t join u on t.a = u.a and u.b = %s where t.c > %s having count(*) > %s",
        "select a from t join u on %s",
        "select a from f(%s, %s) as x(a) where b = %s",
        "select distinct %s, count(distinct %s)",
        "select count(*) filter (where a = %s) over (partition by b order by c + %s) from t",
        "select a from t order by a <-> %s, b",
        "insert into t values (%s, %s), (%s, default)",
        "insert into t (a, b) values (%s, f(%s)) on conflict (a) do update set b = %s where t.c = %s returning %s",
        "insert into t (a) select %s from u where b = %s",
        "update t set a = %s, b = f(%s), (c, d) = (%s, %s) from u where t.a = %s",
        "delete from t using u where a = %s returning a + %s",
        "with q as (select %s), r(x) as materialized (select f(%s)), s as not materialized (select f(%s)) select f(%s) from q",
        "merge into t using u on t.a = %s when matched and u.b = %s then update set b = %s when not matched then insert (a) values (%s)",
        "values (%s, %s)",
        "(select %s) union all (select %s)",
        "((select %s))",
        "select a from t tablesample bernoulli(%s) repeatable (%s)",
        "select /* c */ %s -- d\n, %s /* e */;",
        "select a::int and f(%s)",
        "select a::pg_catalog.int4, (%s) from t",
        "select sum(a) over (rows between %s preceding and %s following) from t",
        "select exists (select 1 from t where a = %s) and b = (select max(a) from t where a < %s)",
        "select a from (values (%s, %s), (%s, %s)) as v (a, b) where a = %s",
        "select t.limit, %s, u.order from t",
        "select %s%%%s, %s is true, not %s is not json",
        "select a from t group by b having max(c) = %s order by max(c) + %s limit %s",
        "select a, %s from t group by 1, (2), rollup(3) having max(c) = %s order by 1",
        "select a from t where b = %s group by date_trunc('day', b)",
    ] {
        let found = contexts(query);
        assert!(!found.is_empty());
        assert!(found.iter().all(|context| *context == Expression), "{query}: {found:?}");
        let numbered = read(query);
        assert_eq!(
            (numbered.kind(), numbered.whole(), numbered.fault()),
            (Kind::Bindable, None, None)
        );
        let (text, order) = numbered.all_bound().unwrap();
        assert!(text.ends_with(query.split("%s").last().unwrap().as_bytes()));
        assert!(order.iter().copied().eq(0..found.len()));
    }
}

#[test]
fn other_places_are_merged() {
    for (query, expected) in [
        ("select %s is null, %s IS NOT NULL, %s isnull, not %s notnull", &[NullTest; 4][..]),
        ("select (%s is null or a = %s) from t", &[NullTest, Expression]),
        ("select a = %s is null, a is %s, a is not %s", &[Expression, AfterIs, AfterIs]),
        ("select %s between a and b, %s not between a and b", &[Compared; 2]),
        (
            "select %s in (a, b), %s not in (1), %s is not distinct from a",
            &[Compared, Compared, Expression],
        ),
        ("select %s in (select a), %s not in (with q as (select 1) table q)", &[Expression; 2]),
        ("select %s not like a, position(%s in a)", &[Expression; 2]),
        ("select %s is %s", &[NullTest, AfterIs]),
        ("select interval %s, date %s, timestamp with time zone %s", &[TypedConstant; 3]),
        ("select double precision %s, foo.bar %s, \"x\" %s", &[TypedConstant; 3]),
        ("select interval(3) %s, time without time zone %s", &[TypedConstant; 2]),
        ("select interval '1' second(%s), numeric(%s, 2) '1'", &[TypeModifier; 2]),
        ("select a::varchar(%s), a::foo.bar(%s), cast(a as x(%s))", &[TypeModifier; 3]),
        ("select cast(a as timestamp(%s)), current_timestamp(%s)", &[TypeModifier; 2]),
        ("select a::%s, cast(a as %s)", &[TypeName; 2]),
        ("select a collate %s", &[Collation]),
        ("select a as %s", &[Name]),
        ("select a from %s", &[Name]),
        ("select a from b, %s", &[Name]),
        ("select a.%s, %s.a, %s(1)", &[Name; 3]),
        ("select a from b join %s using (%s)", &[Name; 2]),
        ("table %s", &[Name]),
        ("update %s set %s = %s", &[Name, Name, Expression]),
        ("update t set a = 1, %s = %s", &[Name, Expression]),
        ("insert into %s (%s) values (%s)", &[Name, Name, Expression]),
        ("insert into t(a, %s) values %s, %s", &[Name, List, List]),
        ("delete from %s", &[Name]),
        ("with %s as (select 1), q(%s) as (select 1) select 1", &[Name; 2]),
        ("select a from t where a in %s or a not in %s", &[List; 2]),
        ("select a from t order by %s, a, %s desc, (%s)", &[SortKey; 3]),
        ("select a from t group by %s, rollup(%s, (%s))", &[SortKey; 3]),
        (
            "select case when a = %s then 1 end from t order by case when a = 1 then 2 end, %s",
            &[Expression, SortKey],
        ),
        (
            "insert into t values (%s) on conflict (a, (b + %s)) where c = %s do nothing",
            &[Expression, ConflictTarget, ConflictTarget],
        ),
        ("select extract(%s from a)", &[Field]),
        ("select -%s, a = -%s, (- %s)", &[Negated; 3]),
        ("select a from json_table(%s, '$' columns (b int path %s))", &[Elsewhere; 2]),
        ("select union %s", &[Elsewhere]),
        (
            "select a + %s, count(*) from t where c = %s group by a + %s having max(b) > %s limit %s",
            &[Grouped, Expression, Grouped, Grouped, Expression],
        ),
        ("select 1 from t group by date_trunc(%s, a), rollup(b + %s)", &[Grouped; 2]),
        ("select 1 from t group by a, case when a = %s then 1 end, (select %s)", &[Grouped; 2]),
        (
            "select a from (select a + %s from t where b = %s group by a + %s) x where a = %s",
            &[Grouped, Expression, Grouped, Expression],
        ),
        (
            "select (select 1 from u where c = %s) from t group by (select 1 from u where c = %s)",
            &[Grouped; 2],
        ),
        ("select distinct a + %s from t order by a + %s", &[Grouped; 2]),
        ("select distinct on (a + %s) a, %s from t where f(%s)", &[Grouped, Grouped, Expression]),
        (
            "select a + %s from t where b = %s group by a + 1 limit %s",
            &[Grouped, Expression, Expression],
        ),
        ("select distinct a || %s from f(%s) order by a || 'x'", &[Grouped, Expression]),
        ("select distinct %s is null from t order by %s is null", &[Grouped, SortKey]),
        ("select %s + a from t group by 1 + a", &[Grouped]),
        ("select %s, max(a) from t group by %s, 3 order by 1", &[Expression, SortKey]),
        ("select a from t group by a, date_trunc('day', b) having c = %s", &[Grouped]),
    ] {
        assert_eq!(contexts(query), expected, "{query}");
        let numbered = read(query);
        assert_eq!((numbered.kind(), numbered.whole()), (Kind::Bindable, None), "{query}");
    }
}

#[test]
fn some_places_make_the_whole_statement_merged() {
    for (query, expected) in [
        ("select 'a %s', %s", &[InString, Expression][..]),
        (
            "select E'%s', $$%s$$, $a$ %s %s $a$",
            &[InString, InDollarString, InDollarString, InDollarString],
        ),
        ("select \"a%s\", %s", &[InQuotedName, Expression]),
        ("select /* %s */ 1 -- %s\n", &[InComment; 2]),
        ("select E%s, x%s, %sabc", &[Glued; 3]),
        ("select U&%s, u&%s", &[Glued; 2]),
        ("select a.u&%s", &[Glued]),
        ("select au&%s", &[Expression]),
        ("select %s'x', %s1, 1%s, %s\"x\"", &[Glued, Glued, Adjacent, Glued]),
        ("select %s%s", &[Glued, Adjacent]),
        ("select %s %s, %s 'x', 'x' %s, 'x'\n%s, 1 %s", &[Adjacent; 6][..]),
    ] {
        let found = contexts(query);
        assert_eq!(found, *expected, "{query}");
        let first = found.iter().find(|context| context.merges_all());
        assert_eq!(read(query).whole(), first.map(|context| Whole::Place(*context)), "{query}");
    }
    // What opens something that the text does not end.
    for query in ["select $%s", "select $%s$ %s", "select '%s", "select (%s", "select %s)"] {
        assert_eq!(read(query).whole(), Some(Whole::Kind(Kind::Unfinished)), "{query}");
    }
}

#[test]
fn statements_are_of_a_kind() {
    for (query, kind) in [
        ("", Kind::Empty),
        (" -- x\n ; /* ; */ ;", Kind::Empty),
        (";; select 1 ;", Kind::Bindable),
        ("(values (1))", Kind::Bindable),
        ("(((select 1) union select 2))", Kind::Bindable),
        ("with x as (select 1) insert into t select * from x", Kind::Bindable),
        ("TABLE t", Kind::Bindable),
        ("select 1 into t", Kind::Bindable),
        ("selecting", Kind::Utility),
        ("\"select\"", Kind::Utility),
        ("(insert into t values (1))", Kind::Utility),
        ("1", Kind::Utility),
        ("explain select 1", Kind::Utility),
        ("create table t as select 1", Kind::Utility),
        ("create function f() returns int begin atomic select 1; select 2; end", Kind::Utility),
        ("do $$ begin; end $$", Kind::Utility),
        ("set x = 1", Kind::Utility),
        ("call f(1)", Kind::Utility),
        ("select 1; select 2", Kind::Several),
        ("set x = 1; select 2", Kind::Several),
        ("select 1;;1", Kind::Several),
        ("select ';' as \";\"; -- ;", Kind::Bindable),
        ("select (1; 2)", Kind::Unfinished),
        ("select 'a", Kind::Unfinished),
        ("select \\", Kind::Unfinished),
    ] {
        let numbered = read(query);
        assert_eq!(numbered.kind(), kind, "{query}");
        let whole = (kind != Kind::Bindable).then_some(Whole::Kind(kind));
        assert_eq!(numbered.whole(), whole, "{query}");
    }
}

#[test]
fn names_have_a_number_for_each_place() {
    let numbered = read("select %(a)s, %(b)s, x from t where x = %(a)s");
    let sql = "select $1, $2, x from t where x = $3";
    assert_eq!(numbered.all_bound(), Some((sql.as_bytes(), &[0, 1, 0][..])));
    assert_eq!(numbered.parameters(), 3);
}

#[test]
fn a_query_may_have_numbers_itself() {
    let numbered = read("select $2, $1 from t where a = $2 and b is $3");
    assert!(numbered.is_native());
    assert_eq!(numbered.parameters(), 3);
    let found: Vec<_> = numbered.places().iter().map(|p| (p.value, p.context)).collect();
    assert_eq!(found, [(1, Expression), (0, Expression), (1, Expression), (2, AfterIs)]);
    assert_eq!(numbered.all_bound(), None);
    let mut order = Vec::new();
    let mut out = Vec::new();
    let fill = |place: &Place, out: &mut Vec<u8>| match place.context {
        AfterIs => {
            out.extend_from_slice(b"NULL");
            Ok::<_, ()>(Filled::Merged)
        }
        _ => Ok(Filled::Bound),
    };
    numbered.write(&mut out, &mut order, fill).unwrap();
    assert_eq!(out, b"select $1, $2 from t where a = $1 and b is NULL");
    assert_eq!(order, [1, 0]);

    let numbered = Numbered::of_native(b"select 5 % $3, '%s'", Syntax::default());
    assert_eq!(numbered.all_bound(), Some((&b"select 5 % $3, '%s'"[..], &[0, 1, 2][..])));
    assert_eq!(read("select '$1', $$ $2 $$").parameters(), 0);
}

#[test]
fn faults_are_told() {
    assert_eq!(read("select %s, $1").fault(), Some(Fault::Mixed));
    assert_eq!(read("select %(a)s + $1").fault(), Some(Fault::Mixed));
    assert_eq!(read("select %s, '$1'").fault(), None);
    assert_eq!(read("prepare p as select %s, $1").fault(), None);
    assert_eq!(read("select $0").fault(), Some(Fault::Number));
    assert_eq!(read("select $65536").fault(), Some(Fault::Number));
    assert_eq!(read("select $99999999999999999999999").fault(), Some(Fault::Number));
    assert_eq!(read("select $65535").fault(), None);
    let many = |count| format!("values ({})", vec!["%s"; count].join(","));
    assert_eq!(read(&many(65_535)).fault(), None);
    assert_eq!(read(&many(65_536)).fault(), Some(Fault::TooMany(65_536)));
    assert_eq!(read(&many(65_536)).all_bound(), None);
    assert_eq!(
        Fault::TooMany(70_000).to_string(),
        "the query has 70000 parameters, the server takes up to 65535"
    );
}

#[test]
fn the_final_text_has_numbers_and_constants() {
    let numbered = read("select %(a)s from t where b in %(b)s and c = %(a)s and d = %(c)s");
    let (mut out, mut order) = (b"x".to_vec(), Vec::new());
    let fill = |place: &Place, out: &mut Vec<u8>| {
        if place.value == 1 {
            out.extend_from_slice(b"(1, 2)");
            return Ok(Filled::Merged);
        }
        Ok(Filled::Bound)
    };
    numbered.write::<()>(&mut out, &mut order, fill).unwrap();
    assert_eq!(out, b"xselect $1 from t where b in (1, 2) and c = $2 and d = $3");
    assert_eq!(order, [0, 0, 2]);
    let failed = numbered.write(&mut out, &mut order, |_, _| Err(5));
    assert_eq!(failed, Err(5));
}

#[test]
fn parts_may_be_raw_sql() {
    let parts =
        [Part::Text(b"select %s, "), Part::Text(b"interval"), Part::Text(b" "), Part::Value(7)];
    let numbered = Numbered::of_parts(parts, Syntax::default());
    assert_eq!(text(&numbered), "select %s, interval $1");
    assert_eq!(numbered.places()[0].context, TypedConstant);
    assert_eq!(numbered.places()[0].value, 7);
    assert_eq!(numbered.places()[0].range(), 20..22);
}

#[test]
fn the_session_decides_how_backslashes_are_read() {
    let template = Template::parse(br"select '\', %s --'");
    let standard = Numbered::of(&template, Syntax::default());
    assert_eq!(standard.places()[0].context, Expression);
    assert!(standard.suits(StringStyle::Standard) && !standard.suits(StringStyle::Escape));
    let escape = Syntax { strings: StringStyle::Escape, ..Syntax::default() };
    let escaped = Numbered::of(&template, escape);
    assert_eq!(escaped.places()[0].context, InString);
    assert!(escaped.suits(StringStyle::Escape) && !escaped.suits(StringStyle::Standard));
    assert!(read(r"select E'\'', %s").suits(StringStyle::Escape));
}

#[test]
fn invalid_text_is_merged() {
    let sjis = Syntax { encoding: encoding::by_name("SJIS").unwrap(), ..Syntax::default() };
    let kind = |text: &[u8]| Numbered::of(&Template::parse(text), sjis).kind();
    assert_eq!(kind(b"select \x83\x5b, %s"), Kind::Bindable);
    assert_eq!(kind(b"select \x83, %s"), Kind::Unfinished);
}

#[test]
fn a_null_fits_where_it_is_assigned_or_compared_by_itself() {
    for (query, fits) in [
        ("update t set a = %s, b=%s , c = (%s), d = d + %s where e = %s", "xx..x"),
        ("update t set a = %s\nFROM u WHERE b = %s AND c = %s Or d = %s RETURNING a", "xxxx"),
        ("update t set a = %s from_ where b <= %s and c != %s and d += %s and e := %s", "....."),
        ("update t set a = %s::int, b = %s || c, e = %s * 2, f = coalesce(a = %s, %s)", "...x."),
        ("select f(a => %s), a = %s is true, a = %s;", "..x"),
        ("insert into t values (%s) on conflict (a) do update set b = %s", ".x"),
        ("select a --=\n%s, b /*=*/ = %s", ".."),
    ] {
        let numbered = read(query);
        let found = numbered.places().iter().map(|place| numbered.null_fits(place));
        let found: String = found.map(|fits| if fits { 'x' } else { '.' }).collect();
        assert_eq!(found, fits, "{query}");
    }
}
