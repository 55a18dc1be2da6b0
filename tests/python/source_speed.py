#!/usr/bin/env python3
"""What reading source costs: the speed table of docs/source.md. Standard library only, Linux, run by hand.

    python3 tests/python/source_speed.py COVOPT [TREE]

Copies the Python of TREE (the standard library with its tests if none is named) and builds a model of the copy: with its files
dropped from the page cache, again with nothing changed, and with 100 files changed. Then selects for a change of one line of its
largest file. Each is the least of several runs in time and the most in memory: the machine adds to time and never takes from it.
"""
import os, shutil, subprocess, sys, sysconfig, tempfile, time

ROUNDS = 5
SELECTIONS = 50
CHANGED = 100
DEPENDENCIES = {"site-packages", "__pycache__", ".git"}


def copy(tree, root):
    """The paths of the copied files; all are on the disk, for what is not there cannot leave the cache."""
    paths = []
    for folder, folders, names in os.walk(tree):
        folders[:] = sorted(set(folders) - DEPENDENCIES)
        for name in sorted(name for name in names if name.endswith(".py")):
            path = os.path.join(root, os.path.relpath(os.path.join(folder, name), tree))
            os.makedirs(os.path.dirname(path), exist_ok=True)
            shutil.copyfile(os.path.join(folder, name), path)
            paths.append(path)
    os.sync()
    return paths


def forget(root, paths):
    """Leaves neither a model nor a file in the page cache."""
    for kept in (".covopt", ".covopt.outlines"):
        if os.path.exists(f"{root}/{kept}"):
            os.remove(f"{root}/{kept}")
    for path in paths:
        with open(path, "rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def change(paths):
    for path in paths[::max(1, len(paths) // CHANGED)][:CHANGED]:
        with open(path, "a") as out:
            out.write("# changed\n")


def measure(args, cwd, input=None):
    """Wall clock, time of the processor and peak memory of a process; Linux counts what this script holds as the least of the memory."""
    start = time.perf_counter()
    process = subprocess.Popen(args, cwd=cwd, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    process.stdin.write((input or "").encode())
    process.stdin.close()
    error = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(args)}: exit {process.returncode}\n{error.decode()}")
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def row(what, runs):
    wall, processor, memory = zip(*runs)
    print(f"| {what} | {min(wall) * 1e3:,.1f} ms | {min(processor) * 1e3:,.1f} ms | {max(memory):.0f} MB |", flush=True)


def diff_of(root, path):
    """A change of one line in the middle of a file."""
    lines = open(path, errors="replace").read().split("\n")
    at, path = len(lines) // 2, os.path.relpath(path, root)
    return f"--- a/{path}\n+++ b/{path}\n@@ -{at + 1},1 +{at + 1},1 @@\n-{lines[at]}\n+{lines[at]} + 1\n"


def main():
    covopt, *tree = sys.argv[1:]
    build, select = [os.path.abspath(covopt), "build", "--force"], [os.path.abspath(covopt), "select", "-t", "10", "-q"]
    with tempfile.TemporaryDirectory() as root:
        paths = copy(*tree or [sysconfig.get_path("stdlib")], root)
        lines = sum(open(path, "rb").read().count(b"\n") for path in paths)
        print(f"| {lines:,} lines, {len(paths):,} files | wall clock | processor | peak memory |\n| --- | --- | --- | --- |")
        row("the first time, cold", [(forget(root, paths), measure(build, root))[1] for _ in range(ROUNDS)])
        time.sleep(2.1)  # A file as new as what was kept of it is read again.
        measure(build, root)
        row("nothing changed", [measure(build, root) for _ in range(ROUNDS)])
        row(f"{CHANGED} files changed", [(change(paths), measure(build, root))[1] for _ in range(ROUNDS)])
        largest = max(paths, key=os.path.getsize)
        row("`select`", [measure(select, root, diff_of(root, largest)) for _ in range(SELECTIONS)])


if __name__ == "__main__":
    main()
