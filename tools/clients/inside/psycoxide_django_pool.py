"""Settings for Django's tests with `psycoxide.django` and its pools."""

from psycoxide_django_engine import *  # noqa: F403
from psycoxide_django_engine import DATABASES

for _database in DATABASES.values():
    # Tests that use connections from other threads need more than one.
    _database["OPTIONS"] = {"pool": {"min_size": 1, "max_size": 8}}
