#!/usr/bin/env python3
"""How well selections catch faults when the model is some commits old: a table of docs/mapping.md. Standard library only, run by hand.

    python3 tests/python/stale.py COVOPT EVAL TREES [PROJECT...]

EVAL holds `score.py` and a folder of recorded data a project, as for detection.py; TREES a git clone of each project that has the
revision of its `meta.json`. The faults are made on that revision, and the models are to be 10, 100 and 500 commits older (of the first
parents). So the recording is taken back to the older commit: every line goes where `git blame` says that it came from, and lines and
tests that are younger are left out. Three models are asked for the same tests by the same diffs:

- fresh: of the revision itself, as it was recorded.
- old: of the older commit, with its source, whose lines tell where a hunk of the diff stood.
- same numbers: as old, without that source: a hunk is taken to stand at the line numbers that it names.

A fault is kept when a test that the older commit has fails by it, and caught when such a test is chosen. Budgets are shares of the
time of the whole suite of the revision. The kinds are those of score.py: `mutant` is every mutant, `mutant-hard` one whose kept failing
tests are at most a quarter of the tests that run it. So the faults differ between ages, and the three models of an age are what can be
compared; a few faults are noise. A true old recording would differ in what the tests said and ran then: here it is what they do at the
revision, as far as that was there.
"""
import ast, collections, contextlib, functools, json, os, re, shlex, shutil, sqlite3, subprocess, sys, tempfile

from drift import AGES, export, first_parents, home_of, origins

FRESH, OLD, SAME_NUMBERS = MODELS = ["fresh", "old", "same numbers"]
KINDS = ["bugfix", "mutant-hard", "mutant"]
# Those of score.py; at half of the suite nearly all is caught, so the pooled table does without.
BUDGETS = [".2 %", ".5 %", "1 %", "2 %", "5 %", "10 %", "20 %", "50 %"]
POOLED_BUDGETS = BUDGETS[:-1]
# The trees of the faults are not here, nor is there a runner whose cost would count.
SELECT_FLAGS = ["--no-tree", "--no-last-failed", "--fill", "--startup", "0", "--per-file", "0"]

Measured = collections.namedtuple("Measured", "tests known_tests faults kept_faults caught")


class Past:
    """A project's revision and the commit `age` first parents before it, each with its tree in the scratch folder."""

    def __init__(self, repository, revision, age, scratch):
        self.repository, self.revision = repository, revision
        self.commit = first_parents(repository, revision)[age]
        self.revision_tree, self.tree = f"{scratch}/revision", f"{scratch}/commit"
        export(repository, self.revision, self.revision_tree)
        export(repository, self.commit, self.tree)

    @functools.cache
    def place(self, path):
        """Where a file of the revision was: (path, {line: line then}); no path for a younger file."""
        origin = origins(self.repository, self.commit, self.revision, path)
        home = home_of(origin)
        return home, {line: old for line, (name, old) in origin.items() if name == home}

    def has_test(self, test):
        """Whether the file of a test had a function of its name; its parameters may hold `::`, too."""
        path, *_, name = test.split("[")[0].split("::")
        home, _ = self.place(path)
        return bool(home and re.search(rf"\bdef {re.escape(name)}\b", read(f"{self.tree}/{home}")))


def read(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def read_json(path):
    with open(path) as file:
        return json.load(file)


def read_json_lines(path):
    with open(path) as file:
        return [json.loads(line) for line in file]


def write_json_lines(path, values):
    with open(path, "w") as file:
        file.writelines(json.dumps(value) + "\n" for value in values)


def tags_of(tree):
    """The functions and classes of the Python files of a tree, as universal-ctags writes them."""
    for folder, _, names in os.walk(tree):
        for path in (f"{folder}/{name}" for name in names if name.endswith(".py")):
            # Projects hold files that are no Python on purpose.
            with contextlib.suppress(SyntaxError, ValueError):
                yield from tags_below(ast.parse(read(path)), os.path.relpath(path, tree), [])


def tags_below(node, path, scope):
    for child in ast.iter_child_nodes(node):
        inner = scope
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            kind = "class" if isinstance(child, ast.ClassDef) else "function"
            tag = {"_type": "tag", "name": child.name, "path": path, "line": child.lineno, "end": child.end_lineno, "kind": kind}
            yield tag | ({"scope": ".".join(scope), "scopeKind": "class"} if scope else {})
            inner = scope + [child.name]
        yield from tags_below(child, path, inner)


def write_coverage(recorded, to, known, past=None):
    """The recorded database with the known tests alone; given a past, taken back to it."""
    shutil.copyfile(recorded, to)
    with contextlib.closing(sqlite3.connect(to)) as database:
        keep_tests(database, known)
        if past:
            take_back(database, past)
        database.commit()


def keep_tests(database, known):
    contexts = database.execute("select id, context from context").fetchall()
    gone = [(context,) for context, name in contexts if name and name.rsplit("|", 1)[0] not in known]
    database.executemany("delete from line_bits where context_id = ?", gone)
    database.executemany("delete from context where id = ?", gone)


def take_back(database, past):
    """Moves files and lines to where they were. Files that one file was split into since are one file again."""
    files, places, lines_then = {}, {}, collections.defaultdict(set)
    for file, path in database.execute("select id, path from file order by id"):
        path_then, line_then = past.place(path)
        if path_then:
            places[file] = files.setdefault(path_then, file), line_then
    for file, context, numbits in database.execute("select file_id, context_id, numbits from line_bits"):
        if file in places:
            file_then, line_then = places[file]
            lines_then[file_then, context].update(line_then[line] for line in lines_of(numbits) if line in line_then)
    database.execute("delete from line_bits")
    database.execute("delete from file")
    database.executemany("insert into file (path, id) values (?, ?)", files.items())
    rows = [(file, context, numbits_of(lines)) for (file, context), lines in lines_then.items() if lines]
    database.executemany("insert into line_bits (file_id, context_id, numbits) values (?, ?, ?)", rows)


def lines_of(numbits):
    """The lines of a set as coverage.py stores it: one bit each, the lowest of a byte first."""
    return [at * 8 + bit for at, byte in enumerate(numbits) for bit in range(8) if byte >> bit & 1]


def numbits_of(lines):
    numbits = bytearray(max(lines) // 8 + 1)
    for line in lines:
        numbits[line // 8] |= 1 << line % 8
    return bytes(numbits)


def build(covopt, model, root, base, inputs):
    flags = ["--no-source", "--root", root, "--base", base, "--model", model]
    subprocess.run([covopt, "build", "-q", *inputs, *flags], check=True, stdout=subprocess.DEVNULL)


def build_all(covopt, recorded, past, known, scratch):
    """{name: path} of the three models."""
    durations, texts, no_source = f"{scratch}/durations.json", f"{scratch}/texts.jsonl", f"{scratch}/no-source"
    write_json_lines(durations, [{test: s for test, s in read_json(f"{recorded}/durations.json").items() if test in known}])
    write_json_lines(texts, [text for text in read_json_lines(f"{recorded}/texts.jsonl") if text["test"] in known])
    os.mkdir(no_source)
    states = [("revision", past.revision_tree, None), ("commit", past.tree, past)]
    inputs = {}
    for state, tree, back_to in states:
        tags, coverage = f"{scratch}/{state}-tags.jsonl", f"{scratch}/{state}-coverage.sqlite"
        write_json_lines(tags, tags_of(tree))
        write_coverage(f"{recorded}/coverage.sqlite", coverage, known, back_to)
        inputs[state] = [durations, tags, coverage, texts]
    models = {name: f"{scratch}/{name.replace(' ', '-')}.covopt" for name in MODELS}
    build(covopt, models[FRESH], past.revision_tree, past.revision, inputs["revision"])
    build(covopt, models[OLD], past.tree, past.commit, inputs["commit"])
    build(covopt, models[SAME_NUMBERS], no_source, past.commit, inputs["commit"])
    return models


def restore(diff, tree):
    """A recorded diff, whose lines are sorted words, with the lines of the tree and git's headings; added lines stay masked."""
    rows, source, line, old_left, new_left = [], [], 0, 0, 0
    for row in diff.split("\n"):
        if old_left or new_left:
            sign = row[:1] or " "
            if sign != "+":
                row = sign + (source[line - 1] if line <= len(source) else row[1:])
                line, old_left = line + 1, old_left - 1
            new_left -= sign != "-"
        elif hunk := re.match(r"@@ -(\d+)(?:,(\d+))? \+\d+(?:,(\d+))? @@", row):
            old_left, new_left = (1 if count is None else int(count) for count in hunk.groups()[1:])
            line = int(hunk[1]) + (old_left == 0)
            row = f"{hunk[0]} {heading(source[:line - 1])}".rstrip()
        elif row.startswith("--- "):
            path = f"{tree}/{row.removeprefix('--- a/')}"
            source = read(path).split("\n") if os.path.isfile(path) else []
        rows.append(row)
    return "\n".join(rows)


def heading(lines):
    """What git writes behind the numbers of a hunk: the last line before it that begins with a word."""
    return next((line for line in reversed(lines) if re.match(r"\w", line)), "")


def faults_of(recorded, known):
    """(all faults, those that known tests fail by with these tests)."""
    excluded = set(read_json(f"{recorded}/meta.json")["excluded"])
    faults = read_json_lines(f"{recorded}/faults.jsonl")
    failing = lambda fault: [test for test in fault["failing"] if test in known and test not in excluded]
    return faults, [fault | {"failing": failing(fault)} for fault in faults if failing(fault)]


def kinds_of(fault):
    is_hard = len(fault["failing"]) <= 0.25 * fault.get("n_covering", 0)
    return [fault["kind"]] + ["mutant-hard"] * (fault["kind"] == "mutant" and is_hard)


def write_scored(recorded, scored, faults, tree):
    """A folder for score.py: the recorded data, but for the faults."""
    os.mkdir(scored)
    for name in os.listdir(recorded):
        if name != "faults.jsonl":
            os.symlink(f"{recorded}/{name}", f"{scored}/{name}")
    write_json_lines(f"{scored}/faults.jsonl", [fault | {"diff": restore(fault["diff"], tree)} for fault in faults])


def score(eval_dir, scored, covopt, model):
    """{fault: caught at each budget} of a model."""
    select = shlex.join([covopt, "select", "--model", model, *SELECT_FLAGS])
    with tempfile.NamedTemporaryFile() as to:
        asked = ["--cmd", f"{select} --diff {{diff}} -t {{budget_s}}", "--json", to.name]
        subprocess.run([sys.executable, f"{eval_dir}/score.py", scored, *asked], check=True, stdout=subprocess.DEVNULL)
        return {result["fault"]: result["det"] for result in read_json(to.name)}


def measure(covopt, eval_dir, repository, project, age, scratch):
    recorded = f"{eval_dir}/{project}"
    past = Past(repository, read_json(f"{recorded}/meta.json")["revision"], age, scratch)
    tests = list(read_json(f"{recorded}/durations.json"))
    known = {test for test in tests if past.has_test(test)}
    models = build_all(covopt, recorded, past, known, scratch)
    faults, kept = faults_of(recorded, known)
    scored = f"{scratch}/{project}"
    write_scored(recorded, scored, kept, past.revision_tree)
    caught = collections.defaultdict(list)
    for name, model in models.items():
        results = score(eval_dir, scored, covopt, model)
        for fault in kept:
            for kind in kinds_of(fault):
                caught[kind, name].append(results[fault["id"]])
    return Measured(len(tests), len(known), len(faults), len(kept), caught)


def means(rows):
    return [sum(column) / len(rows) for column in zip(*rows)]


def row(*cells):
    print("|", " | ".join(f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in cells), "|", flush=True)


def head(*names):
    row(*names)
    row(*["---"] * len(names))


def project_rows(project, age, measured):
    for kind in KINDS:
        for model in MODELS:
            rows = measured.caught[kind, model]
            if rows:
                row(project, age, kind, model, *means(rows), len(rows))


def pooled_table(by_project):
    """Means over the projects."""
    print()
    head("age", "kind", "model", *POOLED_BUDGETS, "projects", "faults")
    for age in AGES:
        for kind in KINDS:
            for model in MODELS:
                pools = [of_age[age].caught[kind, model] for of_age in by_project.values()]
                pools = [pool for pool in pools if pool]
                if pools:
                    rates = means([means(pool) for pool in pools])[:len(POOLED_BUDGETS)]
                    row(age, kind, model, *rates, len(pools), sum(map(len, pools)))


def kept_table(by_project):
    print()
    head("project", "tests", *[f"known at {age}" for age in AGES], "faults", *[f"kept at {age}" for age in AGES])
    for project, of_age in by_project.items():
        all_of = list(of_age.values())
        row(project, all_of[0].tests, *[of.known_tests for of in all_of], all_of[0].faults, *[of.kept_faults for of in all_of])


def main():
    covopt, eval_dir, trees = map(os.path.abspath, sys.argv[1:4])
    projects = sys.argv[4:] or sorted(p for p in os.listdir(eval_dir) if os.path.exists(f"{eval_dir}/{p}/meta.json"))
    by_project = {project: {} for project in projects}
    head("project", "age", "kind", "model", *BUDGETS, "faults")
    for project in projects:
        for age in AGES:
            with tempfile.TemporaryDirectory() as scratch:
                measured = measure(covopt, eval_dir, f"{trees}/{project}", project, age, scratch)
            project_rows(project, age, measured)
            by_project[project][age] = measured
    pooled_table(by_project)
    kept_table(by_project)


if __name__ == "__main__":
    main()
