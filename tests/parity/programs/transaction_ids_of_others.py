"""The id of another's prepared transaction, which only looks like one of a driver's."""

attempt(lambda: str(extensions.Xid.from_string("1_!_!")))
