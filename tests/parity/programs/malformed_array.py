"""A text that is no array, given to an array's typecaster."""

attempt(lambda: extensions.STRINGARRAY("{a", conn.cursor()))
