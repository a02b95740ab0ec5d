"""`Generic` as type checkers know it, without the module `typing`, which takes long to import.

A class derives from `Generic["T"]`, and may be subscribed then: `Range[int]` in an annotation.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Generic as Generic
else:

    class Generic:
        """The base of what is generic: `Generic["T"]` is this class itself."""

        __slots__ = ()

        def __class_getitem__(cls, parameters):
            from types import GenericAlias

            return cls if cls is Generic else GenericAlias(cls, parameters)
