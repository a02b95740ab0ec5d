"""The options of a connection: their environment variables, defaults, and which are secret.

The native module has the same table (`config/keywords.rs`), and does not tell it; a test compares
the two.
"""

from __future__ import annotations

from typing import NamedTuple


class Option(NamedTuple):
    """An option: its environment variable and its default, if it has these."""

    variable: str | None = None
    default: str | None = None
    secret: bool = False


OPTIONS: dict[str, Option] = {
    "service": Option("PGSERVICE"),
    "servicefile": Option("PGSERVICEFILE"),
    "user": Option("PGUSER"),
    "password": Option("PGPASSWORD", secret=True),
    "passfile": Option("PGPASSFILE"),
    "channel_binding": Option("PGCHANNELBINDING", "prefer"),
    "connect_timeout": Option("PGCONNECT_TIMEOUT"),
    "dbname": Option("PGDATABASE"),
    "host": Option("PGHOST"),
    "hostaddr": Option("PGHOSTADDR"),
    "port": Option("PGPORT", "5432"),
    "client_encoding": Option("PGCLIENTENCODING"),
    "options": Option("PGOPTIONS", ""),
    "application_name": Option("PGAPPNAME"),
    "fallback_application_name": Option(),
    "keepalives": Option(),
    "keepalives_idle": Option(),
    "keepalives_interval": Option(),
    "keepalives_count": Option(),
    "tcp_user_timeout": Option(),
    "sslmode": Option("PGSSLMODE", "prefer"),
    "sslnegotiation": Option("PGSSLNEGOTIATION", "postgres"),
    "sslcompression": Option("PGSSLCOMPRESSION", "0"),
    "sslcert": Option("PGSSLCERT"),
    "sslkey": Option("PGSSLKEY"),
    "sslcertmode": Option("PGSSLCERTMODE", "allow"),
    "sslpassword": Option(secret=True),
    "sslrootcert": Option("PGSSLROOTCERT"),
    "sslcrl": Option("PGSSLCRL"),
    "sslcrldir": Option("PGSSLCRLDIR"),
    "sslsni": Option("PGSSLSNI", "1"),
    "requirepeer": Option("PGREQUIREPEER"),
    "require_auth": Option("PGREQUIREAUTH"),
    "min_protocol_version": Option("PGMINPROTOCOLVERSION"),
    "max_protocol_version": Option("PGMAXPROTOCOLVERSION"),
    "ssl_min_protocol_version": Option("PGSSLMINPROTOCOLVERSION", "TLSv1.2"),
    "ssl_max_protocol_version": Option("PGSSLMAXPROTOCOLVERSION"),
    "gssencmode": Option("PGGSSENCMODE", "prefer"),
    "krbsrvname": Option("PGKRBSRVNAME", "postgres"),
    "gsslib": Option("PGGSSLIB"),
    "gssdelegation": Option("PGGSSDELEGATION", "0"),
    "replication": Option(),
    "target_session_attrs": Option("PGTARGETSESSIONATTRS", "any"),
    "load_balance_hosts": Option("PGLOADBALANCEHOSTS", "disable"),
    "scram_client_key": Option(secret=True),
    "scram_server_key": Option(secret=True),
    "oauth_issuer": Option(),
    "oauth_client_id": Option(),
    "oauth_client_secret": Option(secret=True),
    "oauth_scope": Option(),
    "oauth_ca_file": Option("PGOAUTHCAFILE"),
    "sslkeylogfile": Option(),
    "operation_timeout": Option(),
    "binding": Option("PSYCOXIDE_BINDING"),
    "prepare_threshold": Option("PSYCOXIDE_PREPARE_THRESHOLD"),
}
# What a session begins with that has a variable and no option.
SESSION_VARIABLES = {"PGDATESTYLE": "datestyle", "PGTZ": "timezone", "PGGEQO": "geqo"}
