"""Cursors with other rows, logging, replication, more types, and statements run in batches.

The names are those of psycopg2's `extras` module.
"""

from __future__ import annotations

import json as json  # Programs replace `extras.json.loads`.

from psycoxide import (
    extensions as _ext,  # noqa: F401 (programs know these three under private names)
)
from psycoxide._catalog import (
    _solve_conn_curs as _solve_conn_curs,
)
from psycoxide._ipaddress import (
    register_ipaddress as register_ipaddress,
)
from psycoxide._json import (
    Json as Json,
    register_default_json as register_default_json,
    register_default_jsonb as register_default_jsonb,
    register_json as register_json,
)
from psycoxide._multirange import (
    DateMultirange as DateMultirange,
    DateTimeMultirange as DateTimeMultirange,
    DateTimeTZMultirange as DateTimeTZMultirange,
    Multirange as Multirange,
    MultirangeAdapter as MultirangeAdapter,
    MultirangeCaster as MultirangeCaster,
    NumericMultirange as NumericMultirange,
    register_default_multiranges as register_default_multiranges,
    register_multirange as register_multirange,
)
from psycoxide._range import (
    DateRange as DateRange,
    DateTimeRange as DateTimeRange,
    DateTimeTZRange as DateTimeTZRange,
    NumericRange as NumericRange,
    Range as Range,
    RangeAdapter as RangeAdapter,
    RangeCaster as RangeCaster,
    register_range as register_range,
)
from psycoxide.extensions import (
    connection as _connection,  # noqa: F401
    cursor as _cursor,  # noqa: F401
    quote_ident as quote_ident,
)
from psycoxide.extras.batch import (
    _paginate as _paginate,
    _split_sql as _split_sql,
    execute_batch as execute_batch,
    execute_values as execute_values,
)
from psycoxide.extras.composite import (
    CompositeCaster as CompositeCaster,
    register_composite as register_composite,
)
from psycoxide.extras.dict_rows import (
    DictConnection as DictConnection,
    DictCursor as DictCursor,
    DictCursorBase as DictCursorBase,
    DictRow as DictRow,
    RealDictConnection as RealDictConnection,
    RealDictCursor as RealDictCursor,
    RealDictRow as RealDictRow,
)
from psycoxide.extras.hstore import (
    HstoreAdapter as HstoreAdapter,
    register_hstore as register_hstore,
)
from psycoxide.extras.inet import (
    Inet as Inet,
    register_inet as register_inet,
)
from psycoxide.extras.logged import (
    LoggingConnection as LoggingConnection,
    LoggingCursor as LoggingCursor,
    MinTimeLoggingConnection as MinTimeLoggingConnection,
    MinTimeLoggingCursor as MinTimeLoggingCursor,
)
from psycoxide.extras.named_tuple import (
    NamedTupleConnection as NamedTupleConnection,
    NamedTupleCursor as NamedTupleCursor,
    _cached_make_nt as _cached_make_nt,
    _re_clean as _re_clean,
)
from psycoxide.extras.replication import (
    REPLICATION_LOGICAL as REPLICATION_LOGICAL,
    REPLICATION_PHYSICAL as REPLICATION_PHYSICAL,
    LogicalReplicationConnection as LogicalReplicationConnection,
    PhysicalReplicationConnection as PhysicalReplicationConnection,
    ReplicationCursor as ReplicationCursor,
    ReplicationMessage as ReplicationMessage,
    StopReplication as StopReplication,
)
from psycoxide.extras.uuid_type import (
    UUID_adapter as UUID_adapter,
    register_uuid as register_uuid,
)
from psycoxide.extras.wait import (
    wait_select as wait_select,
)

# The rooms are this package's own affair: pickles and messages name the package.
for _object in list(globals().values()):
    if str(getattr(_object, "__module__", None)).startswith(f"{__name__}."):
        _object.__module__ = __name__
del _object
