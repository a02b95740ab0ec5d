"""Connection facts."""

conn.notices.clear()

for name in (
    "closed",
    "status",
    "encoding",
    "autocommit",
    "isolation_level",
    "readonly",
    "deferrable",
    "async",
    "async_",
    "protocol_version",
    "server_version",
    "cursor_factory",
    "notices",
    "notifies",
    "string_types",
    "binary_types",
):
    attempt(lambda: getattr(conn, name))
for name in (
    "dbname",
    "user",
    "password",
    "port",
    "options",
    "status",
    "transaction_status",
    "protocol_version",
    "server_version",
    "error_message",
    "needs_password",
    "used_password",
    "ssl_in_use",
    "dsn_parameters",
):
    if name not in ("ssl_in_use", "dsn_parameters"):
        attempt(lambda: getattr(conn.info, name))
show(conn.info.parameter_status("client_encoding"))
show(conn.info.parameter_status("nope"))
attempt(lambda: conn.get_parameter_status("integer_datetimes"))
attempt(lambda: conn.info.parameter_status())
show(conn.get_transaction_status())
show(type(conn.fileno()).__name__)
show(conn.isexecuting())
for error in ("Warning", "Error", "InterfaceError", "DataError", "NotSupportedError"):
    show(getattr(conn, error) is getattr(psycopg2, error))
attempt(lambda: conn.poll())
attempt(lambda: setattr(conn, "closed", 1))
attempt(lambda: setattr(conn, "dsn", "x"))
attempt(lambda: conn.reset())
attempt(lambda: conn.cursor(cursor_factory=1))
attempt(lambda: conn.cursor(cursor_factory=dict))
attempt(lambda: conn.cursor(nonsense=1))
attempt(lambda: conn.cursor("a", None, None, None, 5))
attempt(lambda: conn.cursor(scrollable=True))
