-- The tables of the benches. Unlogged, and the same at every run (setseed before each).
-- table t_int1m
create unlogged table t_int1m as
  select (random() * 2000000000)::int4 - 1000000000 as a from generate_series(1, 1000000) i;
-- table t_mixed
create unlogged table t_mixed as
  select i::int4 as c_int4, (random() * 1e15)::int8 as c_int8, random() * 1000 as c_float8,
    substr(md5(i::text), 1, 20)::text as c_text, ('name ' || i)::varchar(40) as c_varchar,
    (i % 2 = 0) as c_bool,
    timestamp '2020-01-01' + (random() * 1e8) * interval '1 second' as c_ts,
    timestamptz '2020-01-01+00' + (random() * 1e8) * interval '1 second' as c_tstz,
    date '2000-01-01' + (random() * 9000)::int as c_date,
    round((random() * 1000000)::numeric, 2) as c_num
  from generate_series(1, 200000) i;
-- table t_text5
create unlogged table t_text5 as
  select substr(md5('a' || i), 1, 20) a, substr(md5('b' || i), 1, 20) b,
    substr(md5('c' || i), 1, 20) c, substr(md5('d' || i), 1, 20) d, substr(md5('e' || i), 1, 20) e
  from generate_series(1, 300000) i;
-- table t_text1k
create unlogged table t_text1k as
  select repeat(md5(i::text), 32) a from generate_series(1, 100000) i;
-- table t_numeric
create unlogged table t_numeric as
  select round((random() * 10000000)::numeric, 4) a from generate_series(1, 300000) i;
-- table t_tstz
create unlogged table t_tstz as
  select timestamptz '2020-01-01+00' + (random() * 1e8) * interval '1 second' a
  from generate_series(1, 300000) i;
-- table t_uuid
create unlogged table t_uuid as
  select md5(i::text)::uuid a from generate_series(1, 300000) i;
-- table t_jsonb
create unlogged table t_jsonb as
  select jsonb_build_object('id', i, 'name', 'user number ' || i, 'active', i % 2 = 0,
    'score', random() * 100, 'tags', jsonb_build_array('alpha', 'beta', 'gamma', i),
    'address', jsonb_build_object('street', i || ' Main street', 'city', 'Springfield',
      'zip', lpad((i % 99999)::text, 5, '0'),
      'geo', jsonb_build_array(random() * 90, random() * 180)),
    'note', md5(i::text)) a
  from generate_series(1, 50000) i;
-- table t_intarr
create unlogged table t_intarr as
  select array[i, i + 1, i + 2, i * 3, i * 5, i * 7, -i, i % 100, i % 10, 1000000]::int4[] a
  from generate_series(1, 100000) i;
-- table t_bytea
create unlogged table t_bytea (a bytea);
alter table t_bytea alter a set storage external;
insert into t_bytea
  select decode(repeat(md5(i::text) || md5('x' || i), 311), 'hex') from generate_series(1, 10000) i;
-- table t_float8
create unlogged table t_float8 as
  select random() * 1000 - 500 a from generate_series(1, 1000000) i;
-- table t_hstore
create unlogged table t_hstore as
  select hstore(array['id', i::text, 'name', 'user ' || i, 'city', 'Springfield',
    'note', substr(md5(i::text), 1, 16), 'none', null]) a
  from generate_series(1, 50000) i;
-- table t_wide
do $$ declare columns text; begin
  select string_agg(format('case when random() < 0.2 then null else (random() * 1000000)::int4 end as c%s', n), ',')
    into columns from generate_series(1, 100) n;
  execute 'create unlogged table t_wide as select ' || columns || ' from generate_series(1, 10000)';
end $$;
-- table t_mem
create unlogged table t_mem as
  select i::int4 a, (i * 1000003::int8) b, substr(md5(i::text), 1, 20) c, random() d,
    timestamp '2020-01-01' + i * interval '1 second' e
  from generate_series(1, 1000000) i;
-- table t_copy
create unlogged table t_copy as
  select i a, substr(md5(i::text), 1, 20) b, (i % 1000) / 8.0::float8 c
  from generate_series(1, 2000000) i;
-- table t_ins
create unlogged table t_ins (a int4, b text, c float8, d timestamp, e bool);
-- table t_alchemy
create unlogged table t_alchemy as
  select i as id, 'name ' || i as name, round((random() * 1000)::numeric, 2) as price,
    timestamptz '2020-01-01+00' + (random() * 1e8) * interval '1 second' as at
  from generate_series(0, 9999) i;
create index on t_alchemy (id);
-- table t_copyin
create unlogged table t_copyin (a int4, b text, c text);

-- table roles
create table roles (name text);
do $$
begin
    for number in 0..99 loop
        if to_regrole('bench_' || number) is null then
            execute format('create role bench_%s login', number);
        end if;
        execute format('alter role bench_%s password %L', number, 'secret ' || number);
    end loop;
end
$$
