#!/usr/bin/env python3
"""How well hunks are found in models that are some commits old: the table of docs/mapping.md. Standard library only, run by hand.

    python3 tests/python/drift.py COVOPT REPOSITORY...

Takes the last commits of each git repository that change Python and asks, for models that are 10, 100 and 500 commits old (of the
first parents), where `covopt changes` finds each hunk of their diffs. The truth is what `git blame` says of every changed line: the
commit that it comes from, followed through all commits between, and the line and file that it was there. A line that is younger than
the model has none, and a hunk of such lines alone is not counted. A hunk is right when every line that has a truth lies in the
function or class of its true line. With SHOW in the environment the hunks that are not are printed to standard error.
"""
import ast, collections, itertools, json, os, subprocess, sys, tempfile

AGES = [10, 100, 500]
DIFFS = 60
STEPS = ["exact", "shifted", "near", "symbol", "file"]
CERTAINTIES = [(0, 0.3), (0.3, 0.6), (0.6, 0.8), (0.8, 0.9), (0.9, 1), (1, 2)]


def git(repository, *args):
    return subprocess.run(["git", "-C", repository, *args], check=True, capture_output=True).stdout.decode(errors="replace")


def first_parents(repository, revision):
    """The commit and those before it, newest first."""
    return git(repository, "rev-list", "--first-parent", revision).split()


def export(repository, commit, tree):
    """Lays the files of a commit into a new folder."""
    os.mkdir(tree)
    archive = subprocess.run(["git", "-C", repository, "archive", commit], check=True, capture_output=True).stdout
    subprocess.run(["tar", "x", "-C", tree], input=archive, check=True)


def origins(repository, model, before, path):
    """Of each line of a file before a commit: (path, line) at the model's commit, or nothing for one that is younger."""
    said = git(repository, "blame", "-w", "--line-porcelain", f"{model}..{before}", "--", path)
    origin, commit, line, is_old, name = {}, None, None, False, None
    for row in said.split("\n"):
        if row.startswith("\t"):
            if is_old:
                origin[line[1]] = (name, line[0])
            commit, is_old = None, False
        elif commit is None:
            commit, first, last = row.split(" ")[:3] if row else (None, 0, 0)
            line = (int(first), int(last))
        elif row == "boundary":
            is_old = True
        elif row.startswith("filename "):
            name = row.removeprefix("filename ")
    return origin


def home_of(origin):
    """The file that most lines of a file come from; nothing if all are younger."""
    common = collections.Counter(name for name, _ in origin.values()).most_common(1)
    return common[0][0] if common else None


def symbols(text):
    """The innermost function or class of each line, by its first line; 0 outside of all."""
    inner = collections.defaultdict(int)
    def walk(node):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                for line in range(child.lineno, child.end_lineno + 1):
                    inner[line] = child.lineno
            walk(child)
    walk(ast.parse(text))
    return inner


def diffs_of(repository, commits):
    """(place of the commit, its parent, its diff) of those of the commits that change Python; the last has no parent here."""
    for at, (commit, parent) in enumerate(zip(commits, commits[1:])):
        diff = git(repository, "diff", "--no-ext-diff", "--diff-filter=MRD", "-M", parent, commit, "--", "*.py")
        if diff:
            yield at, parent, diff


def place_of_model(at, age):
    """One model serves a run of commits: it is as old as asked for the first of them, and up to a tenth more."""
    run = max(1, age // 10)
    return (at + age + run - 1) // run * run


def build(covopt, repository, commit, tree):
    export(repository, commit, tree)
    subprocess.run([covopt, "build", "-q", "--root", tree, "--model", f"{tree}/.covopt"], check=True, capture_output=True)


def changes(covopt, tree, diff):
    """The files of a diff, as `covopt changes` finds them in the model of a tree."""
    asked = [covopt, "changes", "--format", "json", "--model", f"{tree}/.covopt", "--root", tree]
    return json.loads(subprocess.run(asked, input=diff.encode(), check=True, capture_output=True).stdout)["files"]


def measure(covopt, repository, age):
    """What became of the hunks of the last diffs: (counts, (certainty, whether right) of each that was placed)."""
    commits = first_parents(repository, "HEAD")
    if len(commits) < age + 2:
        return None
    counts, sure = collections.Counter(), []
    with tempfile.TemporaryDirectory() as scratch:
        for at, parent, diff in itertools.islice(diffs_of(repository, commits[:-age]), DIFFS):
            model = commits[min(place_of_model(at, age), len(commits) - 1)]
            tree = f"{scratch}/{model}"
            if not os.path.exists(tree):
                build(covopt, repository, model, tree)
            for file in changes(covopt, tree, diff):
                score_file(repository, model, parent, file, counts, sure)
    return counts, sure


def score_file(repository, model, parent, file, counts, sure):
    path = file["old_path"]
    if not path or not path.endswith(".py"):
        return
    origin = origins(repository, model, parent, path)
    home = home_of(origin)
    if not home:
        return
    try:
        inner = symbols(git(repository, "show", f"{model}:{home}"))
    except SyntaxError:
        return
    true_lines = {line: old for line, (name, old) in origin.items() if name == home}
    is_known = home == (file["known_as"] or path)
    for hunk in file["hunks"]:
        is_right = score_hunk(hunk, hunk["place"] if is_known else None, true_lines, inner, counts, sure)
        if is_right is False and os.environ.get("SHOW"):
            print(path, home, hunk["old_start"], hunk["place"], file=sys.stderr)


def score_hunk(hunk, place, true_lines, inner, counts, sure):
    """Whether it was found; nothing for one without a truth."""
    lines = dict(map(tuple, place["lines"])) if place else {}
    truth = {line: true_lines[line] for line in changed_lines(hunk, lines) if line in true_lines}
    if not truth:
        counts["young"] += 1
        return None
    step = place["step"] if place else "unknown"
    # Where only a symbol is known, all lines are in it.
    first = place["symbol"][0] if place and place["symbol"] else None
    is_right = (lines or first) and all(inner[lines.get(line, first)] == inner[true] for line, true in truth.items())
    # Outside of all functions and classes the file is the region.
    is_right = bool(is_right or step == "file" and not any(inner[true] for true in truth.values()))
    counts["hunks"] += 1
    counts["right"] += is_right
    counts["same lines"] += bool(lines) and all(lines[line] == true for line, true in truth.items())
    # What ignores that the tree moved: the same numbers.
    counts["same"] += all(inner[line] == inner[true] for line, true in truth.items())
    counts[step] += 1
    if hunk["place"]:
        sure.append((hunk["place"]["certainty"], is_right))
    return is_right


def changed_lines(hunk, lines):
    """The changed lines of the old side; where covopt does not say them, all lines of the hunk but its context."""
    if lines:
        return list(lines)
    around = 3 if hunk["old_lines"] > 6 else 0
    return list(range(hunk["old_start"] + around, hunk["old_start"] + hunk["old_lines"] - around))


def row(name, age, counts):
    hunks = max(1, counts["hunks"])
    shares = " | ".join(f"{counts[key] / hunks:.3f}" for key in ["same", "right", "same lines"])
    steps = ", ".join(f"{counts[step]}" for step in STEPS)
    print(f"| {name} | {age} | {counts['hunks']} | {counts['young']} | {shares} | {steps} |", flush=True)


def reliability(sure):
    """What was said (certainty) against what was right, in bins."""
    print("\n| sure | hunks | right |\n| --- | --- | --- |")
    for low, high in CERTAINTIES:
        within = [is_right for certainty, is_right in sure if low <= certainty < high]
        if within:
            print(f"| {low:.1f} to {min(high, 1):.1f} | {len(within)} | {sum(within) / len(within):.3f} |")


def main():
    covopt, repositories = os.path.abspath(sys.argv[1]), sys.argv[2:]
    print(f"| project | age | hunks | younger | same numbers | right | exact lines | {', '.join(STEPS)} |")
    print(f"|{' --- |' * 8}")
    totals, all_sure = collections.defaultdict(collections.Counter), []
    for repository in repositories:
        for age in AGES:
            measured = measure(covopt, repository, age)
            if measured:
                counts, sure = measured
                row(os.path.basename(os.path.abspath(repository)), age, counts)
                totals[age].update(counts)
                all_sure.extend(sure)
    for age, counts in totals.items():
        row("all", age, counts)
    reliability(all_sure)


if __name__ == "__main__":
    main()
