"""Reports the tests of this process, line by line. Also a plugin of pytest.

It runs inside a client's environment, beside the driver, so it needs nothing but Python.
"""

import json
import os

_BAD = {"call": "failed", "setup": "error", "teardown": "error"}


def tell(event, **fields):
    """Append an event. The file is opened each time, so that forked processes do not share it."""
    with open(os.environ["CLIENTS_EVENTS"], "a") as file:
        file.write(json.dumps({"event": event, **fields}) + "\n")


def tell_driver():
    """Which driver has the name that the tests import."""
    import importlib

    module = importlib.import_module(os.environ["CLIENTS_DRIVER"])
    tell("driver", name=os.path.basename(os.path.dirname(module.__file__)),
         version=str(getattr(module, "__psycoxide_version__", module.__version__)))  # fmt: skip


def done():
    """The tests that other processes have finished."""
    with open(os.environ["CLIENTS_DONE"]) as file:
        return set(file.read().split("\n"))


def pytest_sessionstart(session):
    tell_driver()


# pytest gives a hook the arguments that it names.
def pytest_collection_modifyitems(config, items):
    known = done()
    left = [item for item in items if item.nodeid not in known]
    config.hook.pytest_deselected(items=[item for item in items if item.nodeid in known])
    items[:] = left


def pytest_collectreport(report):
    if report.failed:
        tell("stop", id=report.nodeid, outcome="error", text=str(report.longrepr)[-3000:])


def pytest_runtest_logstart(nodeid):
    tell("start", id=nodeid)


def pytest_runtest_logreport(report):
    if report.failed:
        outcome = _BAD[report.when]
    elif report.skipped:
        outcome = "xfailed" if hasattr(report, "wasxfail") else "skipped"
    elif report.when == "call":
        outcome = "passed"
    else:
        return
    text = "" if outcome == "passed" else str(report.longrepr)[-3000:]
    tell("stop", id=report.nodeid, outcome=outcome, text=text)


def pytest_sessionfinish(session, exitstatus):
    # 0: all passed, 1: some failed, 5: none was left. With another one the run did not end.
    if exitstatus in (0, 1, 5):
        tell("finished")
