"""The scenarios of the agents' tests, each in a process of its own: `agents_program.py SCENARIO`.

The last line that a scenario prints is JSON: the statements that the agent has seen, for instance.
"""

import importlib
import json
import sys


def queries():
    """Three statements, by a plain cursor, a dictionary's and a named one."""
    import psycopg2
    import psycopg2.extras
    from psycopg2 import sql

    conn = psycopg2.connect("")
    curs = conn.cursor()
    curs.execute("select 1 as first")
    curs.executemany("select %s as many", [(1,), (2,)])
    conn.rollback()
    conn.close()
    with psycopg2.connect("", cursor_factory=psycopg2.extras.DictCursor) as conn:
        curs = conn.cursor()
        curs.execute(sql.SQL("select {} as composed").format(sql.Literal(2)))
        assert curs.fetchone()["composed"] == 2
        named = conn.cursor("named")
        named.execute("select 3 as named")
        assert named.fetchone()[0] == 3
    conn.close()


def opentelemetry():
    """OpenTelemetry's instrumentation, started by the program."""
    from opentelemetry.instrumentation.psycopg2 import Psycopg2Instrumentor
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    spans, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    instrumentor = Psycopg2Instrumentor()
    instrumentor.instrument(tracer_provider=provider)
    queries()
    instrumentor.uninstrument()
    queries()
    return [[span.name, span.attributes["db.statement"]] for span in spans.get_finished_spans()]


def started_by_opentelemetry():
    """`opentelemetry-instrument`, which has it export to the console."""
    queries()
    return []


def ddtrace():
    """Its tracer, in the program or started by `ddtrace-run`."""
    import ddtrace.auto  # noqa: F401
    from ddtrace.trace import TraceFilter, tracer

    seen = []

    class Seen(TraceFilter):
        def process_trace(self, trace):
            seen.extend([span.name, span.resource] for span in trace)
            return None

    tracer.configure(trace_processors=[Seen()])
    queries()
    return sorted(seen)


def sentry():
    """Its spans of SQLAlchemy's statements: it has no integration of psycopg2 itself."""
    import sentry_sdk
    import sqlalchemy
    from sentry_sdk.transport import Transport

    sent = []

    class Kept(Transport):
        def capture_envelope(self, envelope):
            sent.append(envelope.get_transaction_event())

    sentry_sdk.init(dsn="http://key@localhost/1", transport=Kept, traces_sample_rate=1.0)
    with sentry_sdk.start_transaction(name="agents"):
        engine = sqlalchemy.create_engine("postgresql+psycopg2://")
        with engine.connect() as conn:
            conn.execute(sqlalchemy.text("select :one as first"), {"one": 1})
        engine.dispose()
    sentry_sdk.flush()
    spans = [[span["op"], span["description"]] for event in filter(None, sent)
             for span in event["spans"]]  # fmt: skip
    return [span for span in spans if "first" in str(span[1])]


def newrelic():
    """The functions that New Relic's hooks wrap, each after its module's import."""
    import newrelic.agent

    newrelic.agent.initialize()
    import psycopg2
    from psycopg2 import _json, _range, extensions, sql

    curs = psycopg2.connect("").cursor()
    curs.execute(sql.SQL("select {}").format(sql.Literal(1)))
    assert sql.Literal(1).as_string(curs) == "1" and curs.fetchone() == (1,)
    functions = (psycopg2.connect, extensions.register_type, _json.register_type,
                 _range.register_type, sql.SQL.as_string)  # fmt: skip
    return [[type(curs).__module__], [hasattr(function, "__wrapped__") for function in functions]]


def wrapt():
    """wrapt's hooks on every module, and the module's state when they run."""
    import wrapt

    names = "extensions _range _json errors sql extras tz pool errorcodes _ipaddress".split()
    seen = []
    for name in ["psycopg2", *(f"psycopg2.{name}" for name in names)]:
        wrapt.register_post_import_hook(
            lambda module, name=name: seen.append(
                [name, module.__name__, module is sys.modules[name]]
            ),
            name,
        )
    importlib.import_module("psycopg2")
    first = sorted(seen)
    for name in names:
        importlib.import_module(f"psycopg2.{name}")

    return [first, sorted(seen)]


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]]()), flush=True)
