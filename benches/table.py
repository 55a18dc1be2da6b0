#!/usr/bin/env python3
"""The query figures of docs/benchmarks.md: table.py COVOPT DIR MODEL

COVOPT is a release binary, DIR what `generate` wrote, MODEL what `covopt build DIR/coverage.jsonl` made of it. Each answer
is held against DIR/expected.json before it is timed. Every command and /bin/true take turns; medians are printed, so that
what the machine does besides meets both alike.
"""

import json
import os
import statistics
import subprocess
import sys
import time

KINDS = [(kind, words) for kind in ("small", "medium", "wide", "hub") for words in ("", ".words")]
TURNS = {"small": 200, "medium": 100, "wide": 30, "hub": 15}


def run(command):
    """Wall clock and CPU in milliseconds, and page faults, of a whole process."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    if status != 0:
        sys.exit(f"{command}: ended with {status}")
    return wall * 1e3, (used.ru_utime + used.ru_stime) * 1e3, used.ru_minflt + used.ru_majflt


def main():
    covopt, folder, model = sys.argv[1:4]
    with open(os.path.join(folder, "expected.json"), encoding="utf-8") as file:
        expected = json.load(file)["diffs"]
    print("| diff | candidates | wall, ms | x `/bin/true` | in process, ms | CPU, ms | page faults |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for kind, words in KINDS:
        name = kind + words
        diff = os.path.join(folder, name + ".diff")
        select = [covopt, "select", "--diff", diff, "--model", model, "-t", "10", "--no-tree", "--no-last-failed"]
        answer = json.loads(subprocess.check_output(select + ["--format", "json"], stderr=subprocess.DEVNULL))
        if answer["candidates"] != expected[name]["candidates"]:
            sys.exit(f"{name}: {answer['candidates']} candidates, expected {expected[name]['candidates']}")
        ours, floor, inside = [], [], []
        for _ in range(TURNS[kind]):
            ours.append(run(select + ["-q"]))
            floor.append(run(["/bin/true"])[0])
            said = subprocess.check_output(select + ["--format", "json"], stderr=subprocess.DEVNULL)
            inside.append(json.loads(said)["elapsed_ms"])
        wall, cpu, faults = (statistics.median(column) for column in zip(*ours))
        ratio = wall / statistics.median(floor)
        print(
            f"| {name} | {answer['candidates']:,} | {wall:.2f} | {ratio:.2f} | {statistics.median(inside):.2f} "
            f"| {cpu:.1f} | {faults:,.0f} |"
        )


if __name__ == "__main__":
    main()
