"""`Generic` for type checkers, without the module `typing`, which takes long to import.

A class that derives from `Generic["T"]` derives from `object` when the program runs, as psycopg2's
do. With `__class_getitem__ = classmethod(subscript)`, `Range[int]` works in annotations.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import GenericAlias
    from typing import Generic as Generic
else:

    class Generic:
        """`Generic["T"]` is `object`."""

        def __class_getitem__(cls, parameters):
            return object


def subscript(cls: "type[object]", parameters: object) -> "GenericAlias":
    """The value of `cls[parameters]`."""
    from types import GenericAlias

    return GenericAlias(cls, parameters)
