"""How the test suites that come with SQLAlchemy set up databases: as for its own dialects."""

from sqlalchemy.dialects.postgresql import provision as provision
