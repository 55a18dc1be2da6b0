"""Prints what a pytest report of the xunit1 family says, as JSON: {node id: {"seconds": 0.1, "failed": false}}.

The tests' own reading of the report, independent of covopt's.
"""

import json
import sys
import xml.etree.ElementTree as ElementTree


def node_id(case):
    """The node id that pytest takes: file, classes, name."""
    file = case.get("file")
    module = file[: -len(".py")].replace("/", ".")
    classes = case.get("classname")[len(module):].strip(".").split(".")
    return "::".join([file, *filter(None, classes), case.get("name")])


cases = {}
for case in ElementTree.parse(sys.argv[1]).iter("testcase"):
    failed = case.find("failure") is not None or case.find("error") is not None
    cases[node_id(case)] = {"seconds": float(case.get("time")), "failed": failed}
json.dump(cases, sys.stdout)
