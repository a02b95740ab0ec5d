"""Settings for Django's tests: the throwaway server, and a runner that reports."""

import os
import unittest

import psycoxide_recorder
from django.test.runner import DiscoverRunner

_SERVER = {
    "ENGINE": "django.db.backends.postgresql",
    "HOST": os.environ["PGHOST"],
    "PORT": os.environ["PGPORT"],
    "USER": os.environ["PGUSER"],
    "PASSWORD": os.environ["PGPASSWORD"],
    "NAME": os.environ["PGDATABASE"],
}
DATABASES = {
    "default": {**_SERVER, "TEST": {"NAME": "test_clients"}},
    "other": {**_SERVER, "TEST": {"NAME": "test_clients_other"}},
}
SECRET_KEY = "only for tests"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
USE_TZ = False
TEST_RUNNER = "psycoxide_django.Runner"


class Result(unittest.TextTestResult):
    def startTest(self, test):
        super().startTest(test)
        psycoxide_recorder.tell("start", id=test.id())

    def addSuccess(self, test):
        super().addSuccess(test)
        self._tell(test, "passed")

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._tell(test, "failed", self.failures[-1][1])

    def addError(self, test, err):
        super().addError(test, err)
        self._tell(test, "error", self.errors[-1][1])

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._tell(test, "skipped", reason)

    def addExpectedFailure(self, test, err):
        super().addExpectedFailure(test, err)
        self._tell(test, "xfailed")

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self._tell(test, "failed", "passed unexpectedly")

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._tell(test, "failed", self._exc_info_to_string(err, test))

    def _tell(self, test, outcome, text=""):
        psycoxide_recorder.tell("stop", id=test.id(), outcome=outcome, text=text[-3000:])


class Runner(DiscoverRunner):
    """Django's own runner, without the tests that are done already."""

    def get_resultclass(self):
        return Result

    def build_suite(self, *args, **kwargs):
        suite = super().build_suite(*args, **kwargs)
        known = psycoxide_recorder.done()
        return self.test_suite(test for test in suite if test.id() not in known)

    def run_suite(self, suite, **kwargs):
        psycoxide_recorder.tell_driver()
        result = super().run_suite(suite, **kwargs)
        psycoxide_recorder.tell("finished")
        return result
