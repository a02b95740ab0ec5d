"""psycopg2's name for psycoxide: `import psycopg2` imports psycoxide.

It is on the path of programs started by `python -m psycoxide run`, and in site-packages if `python
-m psycoxide shim install` has put it there. `shim remove` takes it out again, and so does pip's
`uninstall psycopg2 psycopg2-binary`. psycopg2 is another package: nothing of it is in here.
"""

import os
import sys
from importlib.machinery import PathFinder


def _give_way() -> None:
    """Import the module once more, as psycoxide: `sys.modules` has that one in the end."""
    del sys.modules[__name__]
    try:
        import psycoxide
    except ModuleNotFoundError as error:
        if error.name != "psycoxide":
            raise
    else:
        psycoxide.install_as_psycopg2()
        __import__(__name__)
        return
    _import_the_next()


def _import_the_next() -> None:
    """Without psycoxide, as in another environment, import the next psycopg2 on the path."""
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    others = [entry for entry in sys.path if os.path.abspath(entry or ".") != here]
    spec = PathFinder.find_spec(__name__, others)
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(
            f"No module named {__name__!r}: {__file__} "
            "stands for psycoxide, which is not installed",
            name=__name__,
        )
    from importlib.util import module_from_spec

    module = sys.modules[__name__] = module_from_spec(spec)
    spec.loader.exec_module(module)


_give_way()
