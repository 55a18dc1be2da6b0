#!/usr/bin/env python3
"""The figures of docs/benchmarks.md.

    table.py queries COVOPT DIR MODEL --generate GENERATE      wall clock, CPU, page faults, after the answers are checked
    table.py memory COVOPT DIR MODEL                           anonymous memory
    table.py tree COVOPT DIR MODEL                             checking the tree, per file of the chosen tests
    table.py cold COLD DIR MODEL                               with the model out of the page cache, advised and not
    table.py flat COVOPT DIR MODEL DIR MODEL                   the same diffs on two models, in turns
    table.py peers COVOPT DIR MODEL                            SQLite, and a Python map over a hundredth of the suite
    table.py build COVOPT DIR                                  building and merging

COVOPT, GENERATE and COLD are release binaries, DIR what `generate` wrote, MODEL what `covopt build DIR/coverage.jsonl` made of it.
Commands that are compared take turns, and medians are printed, so that what the machine does besides meets both alike. Linux
only, Python's standard library only.
"""

import argparse
import collections
import ctypes
import json
import mmap
import os
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

KINDS = ("small", "medium", "wide", "hub")
NAMES = [kind + words for kind in KINDS for words in ("", ".words")]
TURNS = {"small": 200, "medium": 100, "wide": 30, "hub": 15}
libc = ctypes.CDLL(None, use_errno=True)


def diff_of(folder, name):
    return os.path.join(folder, name + ".diff")


def expected_of(folder):
    with open(os.path.join(folder, "expected.json"), encoding="utf-8") as file:
        return json.load(file)["diffs"]


def select(covopt, folder, model, name):
    return [covopt, "select", "--diff", diff_of(folder, name), "--model", model, "-t", "10", "--no-tree", "--no-last-failed"]


def answer(command):
    return json.loads(subprocess.check_output(command + ["--format", "json"], stderr=subprocess.DEVNULL))


def run(command):
    """Wall clock and CPU in milliseconds, and page faults, of a whole process."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    if status != 0:
        sys.exit(f"{command}: ended with {status}")
    return wall * 1e3, (used.ru_utime + used.ru_stime) * 1e3, used.ru_minflt + used.ru_majflt


def medians(turns):
    return [statistics.median(column) for column in zip(*turns)]


def check(covopt, generate, folder, model):
    """Every test that each diff reaches is one that the generator says, by the checksum of all ids."""
    with tempfile.NamedTemporaryFile() as ids:
        for name, expected in expected_of(folder).items():
            command = [covopt, "impacted", "--diff", diff_of(folder, name), "--model", model, "--threshold", "1"]
            subprocess.check_call(command + ["--no-tree", "--no-last-failed", "-q", "-o", ids.name])
            found = subprocess.check_output([generate, "--sum", ids.name], text=True).strip()
            if found != expected["xxh3"]:
                sys.exit(f"{name}: the ids have the checksum {found}, expected {expected['xxh3']}")


def queries(args):
    check(args.covopt, args.generate, args.folder, args.model)
    print("| diff | candidates | wall, ms | x `/bin/true` | in process, ms | CPU, ms | page faults |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name in NAMES:
        command = select(args.covopt, args.folder, args.model, name)
        candidates = answer(command)["candidates"]
        ours, floor, inside = [], [], []
        for _ in range(TURNS[name.split(".")[0]]):
            ours.append(run(command + ["-q"]))
            floor.append(run(["/bin/true"])[0])
            inside.append(answer(command)["elapsed_ms"])
        wall, cpu, faults = medians(ours)
        ratio = wall / statistics.median(floor)
        print(
            f"| {name} | {candidates:,} | {wall:.2f} | {ratio:.2f} | {statistics.median(inside):.2f} | {cpu:.1f} | {faults:,.0f} |",
            flush=True,
        )


def anonymous_mb(command):
    """The anonymous memory of a process: the most of what is seen every half millisecond, and as it ends."""
    traceme, cont, setoptions, exit_event = 0, 7, 0x4200, 6
    child = os.fork()
    if child == 0:
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 1)
        os.dup2(null, 2)
        libc.ptrace(traceme, 0, None, None)
        os.execv(command[0], command)
    os.waitpid(child, 0)
    libc.ptrace(setoptions, child, None, ctypes.c_void_p(1 << exit_event))
    libc.ptrace(cont, child, None, None)
    most = 0
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        with open(f"/proc/{child}/status", encoding="ascii") as file:
            seen = [line.split()[1] for line in file if line.startswith("RssAnon")]
        most = max([most] + [int(kilobytes) for kilobytes in seen])
        if ended and os.WIFSTOPPED(status) and status >> 16 == exit_event:
            libc.ptrace(cont, child, None, None)
            os.waitpid(child, 0)
            return most / 1024
        if ended and os.WIFSTOPPED(status):
            number = os.WSTOPSIG(status)
            libc.ptrace(cont, child, None, ctypes.c_void_p(0 if number == signal.SIGTRAP else number))
        time.sleep(0.0005)


def memory(args):
    print("| diff | anonymous memory, MB |\n| --- | --- |")
    for name in NAMES:
        command = select(os.path.abspath(args.covopt), args.folder, args.model, name) + ["-q"]
        print(f"| {name} | {max(anonymous_mb(command) for _ in range(5)):.2f} |")


def tree(args):
    """The files of the chosen tests are made in a tree of their own, each with the names of its tests."""
    command = select(args.covopt, args.folder, args.model, "hub")
    command[command.index("-t") + 1] = "100"
    chosen = [test["id"] for test in answer(command)["tests"]]
    with tempfile.TemporaryDirectory() as root:
        names = collections.defaultdict(list)
        for test in chosen:
            path, *rest = test.split("::")
            names[path] += rest
        for path, words in names.items():
            os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
            with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                file.write("def x():\n    pass\n" * 200 + "\n".join(words))
        checked = [word for word in command if word != "--no-tree"] + ["--root", root]
        turns = [[answer(each)["elapsed_ms"] for each in (checked, command)] for _ in range(15)]
    with_tree, without = medians(turns)
    files = len(names)
    print(f"{files} files of {len(chosen)} chosen tests: {(with_tree - without) / files * 1e3:.1f} us a file")


def resident_pages(path):
    """How many pages of a file are in the page cache."""
    size = os.path.getsize(path)
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, mmap.MAP_SHARED, mmap.PROT_READ) as pages:
        address = libc.mmap
        address.restype = ctypes.c_void_p
        at = libc.mmap(None, ctypes.c_size_t(size), 1, 1, file.fileno(), ctypes.c_long(0))
        count = (size + 4095) // 4096
        flags = (ctypes.c_ubyte * count)()
        libc.mincore(ctypes.c_void_p(at), ctypes.c_size_t(size), flags)
        libc.munmap(ctypes.c_void_p(at), ctypes.c_size_t(size))
        del pages
        return sum(flag & 1 for flag in flags)


def evict(path):
    file = os.open(path, os.O_RDONLY)
    os.fsync(file)
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(file)
    left = resident_pages(path)
    if left > 16:
        sys.exit(f"{left} pages of {path} stay in the page cache")


def cold(args):
    print("| diff | advised, ms | not advised, ms | in the page cache, ms |\n| --- | --- | --- | --- |")
    for name in ("small", "medium"):
        command = [args.covopt, args.model, diff_of(args.folder, name)]
        turns = []
        for _ in range(15):
            turn = []
            for variant in (command, command + ["--unadvised"]):
                evict(args.model)
                turn.append(float(subprocess.check_output(variant, text=True).split()[0]))
            turn.append(float(subprocess.check_output(command, text=True).split()[0]))
            turns.append(turn)
        print(f"| {name} | " + " | ".join(f"{figure:.1f}" for figure in medians(turns)) + " |")


def flat(args):
    print("| diff | the first, ms | the second, ms | ratio |\n| --- | --- | --- | --- |")
    for name in NAMES:
        commands = [select(args.covopt, *of, name) + ["-q"] for of in ((args.folder, args.model), (args.folder2, args.model2))]
        turns = [[run(command)[0] for command in commands] for _ in range(TURNS[name.split(".")[0]])]
        first, second = medians(turns)
        print(f"| {name} | {first:.2f} | {second:.2f} | {second / first:.2f} |", flush=True)


def recorded(folder):
    with open(os.path.join(folder, "coverage.jsonl"), encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def changed_lines(diff):
    """The old lines that a diff removes, by path."""
    lines = collections.defaultdict(list)
    with open(diff, encoding="utf-8") as file:
        for text in file:
            if text.startswith("--- a/"):
                path = text[6:].rstrip("\n")
            elif text.startswith("@@"):
                at = int(text.split()[1].split(",")[0][1:])
            elif text.startswith("-"):
                lines[path].append(at)
                at += 1
            elif text.startswith(" "):
                at += 1
    return lines


def cheapest_best(scores, costs, budget_s):
    """By score over cost, as long as the budget lasts: what a script over a table would do."""
    chosen, left = [], budget_s
    for test in sorted(scores, key=lambda test: -scores[test] / max(costs[test], 1e-3)):
        if costs[test] <= left:
            left -= costs[test]
            chosen.append(test)
    return chosen


def sqlite(path, folder):
    """A table of runs of lines, clustered by file and line, and one of tests: the best layout for this question."""
    base = sqlite3.connect(path)
    base.executescript(
        "pragma journal_mode = off; pragma synchronous = off;"
        "create table test (id integer primary key, name text, cost real);"
        "create table file (id integer primary key, path text unique);"
        "create table ran (file integer, last integer, first integer, test integer, primary key (file, last, first, test)) without rowid;"
    )
    files, rows = {}, []
    for number, test in enumerate(recorded(folder)):
        base.execute("insert into test values (?, ?, ?)", (number, test["test"], test["cost"]))
        for path_, ranges in test["lines"].items():
            file = files.setdefault(path_, len(files))
            for lines in ranges:
                first, last = lines if isinstance(lines, list) else (lines, lines)
                rows.append((file, last, first, number))
    rows.sort()
    base.executemany("insert into ran values (?, ?, ?, ?)", rows)
    base.executemany("insert into file values (?, ?)", ((number, path_) for path_, number in files.items()))
    base.commit()
    base.close()


def ask_sqlite(path, lines, budget_s):
    base = sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)
    base.execute("pragma mmap_size = 30000000000")
    scores = collections.Counter()
    for path_, numbers in lines.items():
        found = base.execute("select id from file where path = ?", (path_,)).fetchone()
        for number in numbers if found else []:
            # No run of a generated suite is longer than its function, and none of these than 64 lines.
            tests = base.execute(
                "select test from ran where file = ? and last between ? and ? and first <= ?", (found[0], number, number + 64, number)
            ).fetchall()
            for (test,) in tests:
                scores[test] += 1 / len(tests)
    costs = {}
    asked = list(scores)
    for at in range(0, len(asked), 900):
        part = asked[at : at + 900]
        costs.update(base.execute(f"select id, cost from test where id in ({','.join('?' * len(part))})", part))
    chosen = cheapest_best(scores, costs, budget_s)
    names = [base.execute("select name from test where id = ?", (test,)).fetchone()[0] for test in chosen]
    return names, len(scores)


def ask_map(path, lines, budget_s):
    """A map of files and lines to tests in JSON, as scripts of this kind keep it."""
    with open(path, encoding="utf-8") as file:
        kept = json.load(file)
    scores = collections.Counter()
    for path_, numbers in lines.items():
        for number in numbers:
            tests = kept["lines"].get(path_, {}).get(str(number), [])
            for test in tests:
                scores[test] += 1 / len(tests)
    chosen = cheapest_best(scores, {test: kept["costs"][test] for test in scores}, budget_s)
    return [kept["names"][test] for test in chosen], len(scores)


def json_map(path, folder, every):
    names, costs, by_line = [], [], collections.defaultdict(lambda: collections.defaultdict(list))
    for number, test in enumerate(recorded(folder)):
        if number % every:
            continue
        for path_, ranges in test["lines"].items():
            for lines in ranges:
                first, last = lines if isinstance(lines, list) else (lines, lines)
                for line in range(first, last + 1):
                    by_line[path_][line].append(len(names))
        names.append(test["test"])
        costs.append(test["cost"])
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"names": names, "costs": costs, "lines": by_line}, file)


def timed(ask, *question):
    began = time.perf_counter()
    _, candidates = ask(*question)
    return (time.perf_counter() - began) * 1e3, candidates


def peers(args):
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        table, small_map = os.path.join(folder, "table.db"), os.path.join(folder, "map.json")
        sqlite(table, args.folder)
        json_map(small_map, args.folder, 100)
        sizes = [os.path.getsize(path) / 1e6 for path in (args.model, table, small_map)]
        print("model {:.0f} MB, SQLite {:.0f} MB, JSON map of a hundredth of the tests {:.0f} MB".format(*sizes))
        print("| diff | candidates | covopt in process, ms | SQLite, ms | x | JSON map, ms | x |\n" + "| --- " * 7 + "|")
        for name in KINDS:
            command = select(args.covopt, args.folder, args.model, name)
            lines = changed_lines(diff_of(args.folder, name))
            turns = []
            for _ in range({"small": 30, "medium": 15}.get(name, 3)):
                said = answer(command)
                other, candidates = timed(ask_sqlite, table, lines, 10)
                if candidates != said["candidates"]:
                    sys.exit(f"{name}: SQLite has {candidates} candidates, covopt {said['candidates']}")
                turns.append((said["elapsed_ms"], other, timed(ask_map, small_map, lines, 10)[0] if len(turns) < 3 else None))
            ours, table_ms = (statistics.median(turn[at] for turn in turns) for at in (0, 1))
            map_ms = statistics.median(turn[2] for turn in turns if turn[2] is not None)
            print(
                f"| {name} | {said['candidates']:,} | {ours:.2f} | {table_ms:.1f} | {table_ms / ours:.1f} | {map_ms:.0f} | {map_ms / ours:.0f} |",
                flush=True,
            )


def measured(command):
    """Wall clock and CPU in seconds, and the most memory in MB."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"{command}: ended with {status}")
    return time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def build(args):
    print("| what | wall, s | CPU, s | most memory, MB |\n| --- | --- | --- | --- |")
    source = os.path.join(args.folder, "coverage.jsonl")
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        whole, shards = os.path.join(folder, "whole"), [os.path.join(folder, f"shard{half}") for half in (0, 1)]
        halves = [open(shard + ".jsonl", "wb") for shard in shards]
        with open(source, "rb") as file:
            for number, line in enumerate(file):
                halves[number % 2].write(line)
        for half in halves:
            half.close()
        def row(what, command):
            print(f"| {what} | {{:.1f}} | {{:.1f}} | {{:.0f}} |".format(*measured(command)), flush=True)
        row("build", [args.covopt, "build", source, "--model", whole, "--memory", args.memory, "-q"])
        for shard in shards:
            subprocess.check_call([args.covopt, "build", shard + ".jsonl", "--model", shard, "--memory", args.memory, "-q"])
        merged = os.path.join(folder, "merged")
        row("merge of two halves", [args.covopt, "merge", *shards, "--model", merged, "--memory", args.memory, "-q"])
        if subprocess.call(["cmp", "-s", whole, merged]) != 0:
            sys.exit("the merged model is not the one that is built from everything")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    for function, others in (
        (queries, ("model",)), (memory, ("model",)), (tree, ("model",)), (cold, ("model",)),
        (flat, ("model", "folder2", "model2")), (peers, ("model",)), (build, ()),
    ):
        command = commands.add_parser(function.__name__)
        for name in ("covopt", "folder") + others:
            command.add_argument(name)
        command.set_defaults(function=function)
        if function is queries:
            command.add_argument("--generate", required=True)
        if function is build:
            command.add_argument("--memory", default="1500M")
    args = parser.parse_args()
    args.function(args)


if __name__ == "__main__":
    main()
