"""A plugin of pytest: pandas' tests find the throwaway server where they expect theirs."""

import os

import sqlalchemy

_EXPECTED = "postgresql+psycopg2://postgres:postgres@localhost:5432/pandas"
_create_engine = sqlalchemy.create_engine


def _create_engine_here(url, *args, **kwargs):
    if url == _EXPECTED:
        url = os.environ["CLIENTS_URL"]
    return _create_engine(url, *args, **kwargs)


sqlalchemy.create_engine = _create_engine_here
# Without this they are skipped when the server cannot be reached, and nobody would notice.
os.environ["CI"] = "1"
