"""Functions of the standard library whose work native typecasters do: what a program puts in their
places is used, as psycopg2 does by calling them.

Each patch runs in a process of its own, since it is for the whole process.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import decimal, functools, json, sys, uuid
{before}
import psycoxide.extras as extras
ext = extras._ext
{after}
def kinds(*values):
    print(*(type(value).__name__ for value in values))
{show}
"""

JSON = """
one, two = ext.JSON('{"a": 1.5}', None), ext.JSONB('[1.5]', None)
three, four = ext.JSONARRAY('{"[1.5]"}', None), ext.JSON('[1.5, "\\\\ud800"]', None)
kinds(one["a"], two[0], three[0][0], four[0])
"""
LOADS = "json.loads = functools.partial(json.loads, parse_float=decimal.Decimal)"
WRAPPED = """
def own(original=json.loads):
    @functools.wraps(original)
    def loads(s, **kwargs):
        return original(s, parse_float=decimal.Decimal, **kwargs)
    return loads
json.loads = own()
"""
DECODER = "json._default_decoder = json.JSONDecoder(parse_float=decimal.Decimal)"
SUBCLASS = """
class Decoder(json.JSONDecoder):
    def decode(self, s):
        return json.JSONDecoder(parse_float=decimal.Decimal).decode(s)
json._default_decoder = Decoder()
"""
METHOD = """
other, original = json.JSONDecoder(parse_float=decimal.Decimal), json.JSONDecoder.decode
def decode(self, s):
    return original(other, s)
json.JSONDecoder.decode = decode
"""
RAW = """
other = json.JSONDecoder(parse_float=decimal.Decimal)
json._default_decoder.raw_decode = other.raw_decode
"""
SCAN = """
json._default_decoder.scan_once = json.JSONDecoder(parse_float=decimal.Decimal).scan_once
"""
AGAIN = "json._default_decoder.__init__(parse_float=decimal.Decimal)"
RESTORED = DECODER + "; ext.JSON('1', None); json._default_decoder = json.JSONDecoder()"
FLOATS, DECIMALS = "float float float float", "Decimal Decimal Decimal Decimal"

REGISTERED = """
caster, array = extras.register_default_json(globally=True)
value, many = caster('{"a": 1.5}', None), array('{"[1.5]"}', None)
kinds(value["a"], many[0][0])
"""

UUID = "class Mine(uuid.UUID): pass\nuuid.UUID = Mine"
UUIDS = """
caster = extras.register_uuid()
text = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"
kinds(caster(text, None), caster(text.upper(), None), ext.UUIDARRAY("{%s}" % text, None)[0])
kinds(caster("", None))
"""
HSTORES = """
register = lambda: extras.register_hstore(None, globally=True, oid=54321, array_oid=54322)
extras.HstoreAdapter.parse = classmethod(lambda cls, s, cur: s)
register()
kinds(ext.string_types[54321]('"a"=>"b"', None), ext.string_types[54322]('{x}', None)[0])
"""
LOGGERS = """
import logging
lines = []
class Handler(logging.Handler):
    def emit(self, record):
        lines.append(record.getMessage())
logger = logging.getLogger("test")
logger.setLevel(logging.DEBUG)
logger.addHandler(Handler())
conn = extras.LoggingConnection.__new__(extras.LoggingConnection)
conn.initialize(logging.LoggerAdapter(logger, {}))
conn.log("select 1", None)
print(lines)
"""

# The patch before the driver is imported, the one after that, what to show, and what is expected.
CASES = {
    "nothing replaced": ("", "", JSON, FLOATS),
    "json.loads": (LOADS, "", JSON, DECIMALS),
    "json.loads wrapped": (WRAPPED, "", JSON, DECIMALS),
    "json.loads, too late": ("", LOADS, JSON, FLOATS),
    "the default decoder": (DECODER, "", JSON, DECIMALS),
    "the default decoder, later": ("", DECODER, JSON, DECIMALS),
    "the default decoder, used before": ("", f"ext.JSON('1', None); {DECODER}", JSON, DECIMALS),
    "the default decoder, restored": ("", RESTORED, JSON, FLOATS),
    "a derived decoder": ("", SUBCLASS, JSON, DECIMALS),
    "the decoder's method": ("", METHOD, JSON, DECIMALS),
    "the decoder's raw_decode": ("", RAW, JSON, DECIMALS),
    "the decoder's scanner": ("", SCAN, JSON, DECIMALS),
    "the decoder made again": ("", AGAIN, JSON, DECIMALS),
    "json.loads, registered later": ("", LOADS, REGISTERED, "Decimal Decimal"),
    "nothing, registered later": ("", "", REGISTERED, "float float"),
    "nothing replaced, of uuid": ("", "", UUIDS, "UUID UUID UUID NoneType"),
    "uuid.UUID": (UUID, "", UUIDS, "Mine Mine Mine NoneType"),
    "uuid.UUID, later": ("", UUID, UUIDS, "Mine Mine Mine NoneType"),
    "HstoreAdapter.parse": ("", "", HSTORES, "str str"),
    "a LoggerAdapter": ("", "", LOGGERS, "['select 1']"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_replacement_is_used(name: str) -> None:
    before, after, show, expected = CASES[name]
    program = PROGRAM.format(before=before, after=after, show=show)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout.split(), done.stderr) == (expected.split(), "")
