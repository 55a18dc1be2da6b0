"""pytest plugin (`-p stopwatch`): writes to $STOPWATCH what each test took and whether it failed, {node id: [seconds, failed]}.

The seconds are the wall clock of all that pytest does for a test, fixtures and its own work too: finer than JUnit's milliseconds, and
what a selection really costs.
"""
import json
import os
import time

import pytest

seconds, failed = {}, set()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item):
    start = time.perf_counter()
    yield
    seconds[item.nodeid] = time.perf_counter() - start


def pytest_runtest_logreport(report):
    if report.failed:
        failed.add(report.nodeid)


def pytest_sessionfinish():
    with open(os.environ["STOPWATCH"], "w") as out:
        json.dump({test: [spent, test in failed] for test, spent in seconds.items()}, out)
