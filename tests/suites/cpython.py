# SPDX-License-Identifier: ISC
# Runs tests of CPython's own package `test` and writes one line for each: its name and what came of it.
#
#     cpython.py RESULTS PATTERNS MODULE_OR_TEST ...
#
# PATTERNS: a file of patterns of names that are left out; with LISTED=yes, where there are some, those alone are tried.
# A test that hangs (for PATIENCE seconds, 60), or ends the process, is the last of RESULTS, marked as begun: the next
# run goes on behind it.
import faulthandler
import fnmatch
import os
import sys
import unittest

from test import support

PATIENCE_S = int(os.environ.get("PATIENCE", "60"))


def shorter(name):
    return name.removeprefix("test.")


class Result(unittest.TestResult):
    """Knows of each test only whether it passed."""

    def __init__(self, results):
        super().__init__()
        self.results = results
        self.outcome = {}

    def write(self, name, outcome):
        self.results.write(f"{shorter(name)} {outcome}\n")
        self.results.flush()

    def startTest(self, test):
        super().startTest(test)
        self.outcome[test.id()] = "ok"
        self.write(test.id(), "begun")
        faulthandler.dump_traceback_later(PATIENCE_S, exit=True)

    def stopTest(self, test):
        super().stopTest(test)
        faulthandler.cancel_dump_traceback_later()
        self.write(test.id(), self.outcome[test.id()])

    def addError(self, test, error):
        name = test.id().replace(" ", "")
        sys.stderr.write(f"{name}: {self._exc_info_to_string(error, test)}\n")
        if test.id() in self.outcome:
            self.outcome[test.id()] = "error"
        else:
            self.write(name, "error")

    addFailure = addError

    def addSubTest(self, test, subtest, error):
        if error is not None:
            self.addError(test, error)

    def addSkip(self, test, reason):
        self.outcome[test.id()] = "skipped"

    def addUnexpectedSuccess(self, test):
        self.outcome[test.id()] = "error"


def tests_of(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from tests_of(test)
        else:
            yield test


def main(results, patterns, *names):
    # Those of the network outside, of much memory and the like stay out, as in the suite's own runner.
    support.use_resources = ["network"] if any("test_socketserver" in name for name in names) else []
    done = set()
    if os.path.exists(results):
        with open(results, encoding="utf-8") as stream:
            done = {line.split()[0] for line in stream}
    with open(patterns, encoding="utf-8") as stream:
        patterns = stream.read().split()
    only = bool(patterns) and os.environ.get("LISTED") == "yes"
    try:
        found = unittest.defaultTestLoader.loadTestsFromNames([f"test.{name}" for name in names])
    except unittest.SkipTest:
        # The module is for another system.
        return
    wanted = [
        test
        for test in tests_of(found)
        if shorter(test.id()) not in done
        and any(fnmatch.fnmatchcase(shorter(test.id()), pattern) for pattern in patterns) == only
    ]
    with open(results, "a", encoding="utf-8") as stream:
        unittest.TestSuite(wanted).run(Result(stream))


if __name__ == "__main__":
    main(*sys.argv[1:])
