"""Settings for the programs of these tests. What differs comes from the environment, as JSON."""

import json
import os
import sys

if os.environ.get("ABSENT"):
    # As if they were not installed: a test's environment may have them.
    sys.modules["psycopg"] = sys.modules["psycopg2"] = None

DATABASES = {
    "default": {
        "ENGINE": "psycoxide.django",
        "HOST": os.environ["PGHOST"],
        "PORT": os.environ["PGPORT"],
        "USER": os.environ["PGUSER"],
        "PASSWORD": os.environ["PGPASSWORD"],
        "NAME": os.environ["PGDATABASE"],
        **json.loads(os.environ.get("DATABASE", "{}")),
    },
    **json.loads(os.environ.get("DATABASES", "{}")),
}
INSTALLED_APPS = json.loads(os.environ.get("APPS", '["warehouse"]'))
SECRET_KEY = "only for tests"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
