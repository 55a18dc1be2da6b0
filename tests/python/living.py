#!/usr/bin/env python3
"""How well selections catch faults in living source: the tables of docs/source.md. Standard library only, run by hand.

    python3 tests/python/living.py COVOPT [PACKAGE...]

Takes small packages with their tests from the registry's source archives, runs each suite with and without coverage, and breaks
each package in forty ways that its tests notice (`mutants.py`), drawn by a fixed seed. Then every selector is asked about each
fault, in the tree as its user has it, and its order is cut at shares of the suite's time. What was recorded and the faults are kept
in `target/living`; delete it to start again. The first run takes about half an hour, later ones a quarter of that.

All selectors are held to one arithmetic. A test costs the wall clock that pytest spends on it (`stopwatch.py`), the least of three
runs; a selector gives an order of tests; from the front, whatever still fits into the budget is taken. Who chooses a set gets it
cheapest first, and then all other tests cheapest first. Who names a function pays for all variants of it. covopt gives its order of
all tests, as if its user stopped by the clock; in the rows with `-t` it is asked for each share and has no more than it answers.
"""
import ast, collections, contextlib, json, os, random, re, resource, shutil, sqlite3, statistics, subprocess, sys

sys.dont_write_bytecode = True
from mutants import mutants

HERE = os.path.dirname(os.path.abspath(__file__))
HOME = os.path.realpath(os.path.join(HERE, "..", "..", "target", "living"))
ENV = os.path.join(HOME, "env")
PYTHON = os.path.join(ENV, "bin", "python")

#            version   package               tests          not run
PACKAGES = {
    "boltons": ("26.2.0", "boltons", "tests", []),
    "cachetools": ("8.0.2", "src/cachetools", "tests", []),
    "humanize": ("4.17.0", "src/humanize", "tests", ["tests/test_benchmarks.py"]),  # needs another plugin
    "itsdangerous": ("2.2.0", "src/itsdangerous", "tests", []),
    "more-itertools": ("11.2.1", "more_itertools", "tests", []),
    "toolz": ("1.2.0", "toolz", "toolz/tests", []),
}
SHARES = [0.01, 0.05, 0.10, 0.20]
RUNS = 3
FAULTS = 40            # of a package; beyond these only hard ones are kept,
TRIED = 150            # of so many mutants that are tried at most
OF_A_FUNCTION = 2      # at most
CHECK_EVERY = 10       # of the mutants that are noticed, for which the whole suite is run too
HARD = 0.25            # of the tests that run the statement, at most so many fail
HANGS_AFTER = (5, 4)   # seconds of the processor, and times what its tests cost
MEMORY_BYTES = 2 << 30
RANDOM_ORDERS = 20
RESAMPLES = 2000
SHARES_ROW = " | ".join(f"{share * 100:.0f} %" for share in SHARES)

BASE = "importers, nearest first, then by chance"


# The trees.

def run(args, cwd, env=None, check=True, input=None, cpu_seconds=None):
    def limit():
        resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    done = subprocess.run(args, cwd=cwd, env=env, input=input, capture_output=True, text=True, preexec_fn=limit if cpu_seconds else None)
    if check and done.returncode:
        sys.exit(f"{' '.join(args)}: exit {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done


def git(tree, *args, input=None):
    return run(["git", "-c", "user.name=x", "-c", "user.email=x@example.com", *args], tree, input=input).stdout


def pytest_env(tree, **more):
    """The package is found in its tree, nothing is written beside the source, hashes do not vary, and no plugin is there unasked."""
    path = os.pathsep.join(filter(os.path.isdir, [HERE, f"{tree}/src", tree]))  # snob refuses a folder that is not there
    return {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **more}


def pytest(tree, *args, stopwatch=None, check=True, cpu_seconds=None):
    env = pytest_env(tree, STOPWATCH=stopwatch or os.devnull)
    return run([PYTHON, "-m", "pytest", "-q", "-p", "stopwatch", *args], tree, env=env, check=check, cpu_seconds=cpu_seconds)


def make_env():
    if os.path.exists(f"{ENV}/complete"):
        return
    run([sys.executable, "-m", "venv", "--clear", ENV], HERE)
    run([PYTHON, "-m", "pip", "install", "-q", "--no-deps", "-r", f"{HERE}/living.txt"], HERE)
    open(f"{ENV}/complete", "w").close()


class Package:
    """A package, its tree without a fault, and what is known of its tests."""

    def __init__(self, name):
        self.name = name
        self.version, self.source, self.tests, self.not_run = PACKAGES[name]
        self.home = f"{HOME}/{name}"
        self.tree, self.recorded = f"{self.home}/tree", f"{self.home}/recorded"
        if not os.path.exists(f"{self.home}/complete"):
            self.unpack()
            self.record()
            open(f"{self.home}/complete", "w").close()
        runs = [json.load(open(f"{self.home}/run{at}.json")) for at in range(RUNS)]
        # A test that ever failed without a fault says nothing.
        self.stable = {test for test in runs[0] if not any(run.get(test, [0, True])[1] for run in runs)}
        self.cost = {test: min(run[test][0] for run in runs if test in run) for test in runs[0]}
        self.total = sum(self.cost.values())
        self.cheapest = sorted(self.cost, key=lambda test: (self.cost[test], test))
        self.variants = collections.defaultdict(list)
        for test in self.cost:
            self.variants[test.split("[")[0]].append(test)
        self.covering = covering(self.recorded)

    def unpack(self):
        shutil.rmtree(self.home, ignore_errors=True)
        os.makedirs(self.home)
        download = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:", "-d", self.home]
        run([*download, f"{self.name}=={self.version}"], HERE)
        archive = next(name for name in os.listdir(self.home) if name.endswith(".tar.gz"))
        run(["tar", "xzf", archive, "--no-same-owner"], self.home)
        os.rename(f"{self.home}/{archive.removesuffix('.tar.gz')}", self.tree)
        for path in self.not_run:
            os.remove(f"{self.tree}/{path}")
        git(self.tree, "init", "-q")
        git(self.tree, "add", "-A", "-f")
        git(self.tree, "commit", "-q", "-m", self.version)

    def record(self):
        """What a user has: a report of a run without coverage, and coverage with contexts in a tree that holds both."""
        for at in range(RUNS):
            report = ["--junitxml=junit.xml", "-o", "junit_family=xunit1"]
            pytest(self.tree, *report, stopwatch=f"{self.home}/run{at}.json")
        copy(self, "recorded", "junit.xml")
        coverage = [f"--cov={os.path.basename(self.source)}", "--cov-context=test", "--cov-report="]
        pytest(self.recorded, "-p", "pytest_cov", *coverage)


def copy(package, name, *recorded):
    """A tree with nothing in it but the source and what was recorded."""
    tree = f"{package.home}/{name}"
    shutil.rmtree(tree, ignore_errors=True)
    git(package.home, "clone", "-q", "tree", name)
    for file in recorded:
        shutil.copy(f"{package.tree}/{file}", tree)
    return tree


def covering(tree):
    """{path: {line: tests that run it}}; the tests of a line that runs at import alone are none."""
    with sqlite3.connect(f"{tree}/.coverage") as db:
        name = dict(db.execute("select id, path from file"))
        test = {key: context.rsplit("|", 1)[0] for key, context in db.execute("select id, context from context")}
        ran = [(file, context, line) for file, context, *arc in db.execute("select * from arc") for line in arc if line > 0]
        for file, context, bits in db.execute("select file_id, context_id, numbits from line_bits"):
            ran.extend((file, context, at * 8 + bit) for at, byte in enumerate(bits) for bit in range(8) if byte >> bit & 1)
    lines = collections.defaultdict(lambda: collections.defaultdict(set))
    for file, context, line in ran:
        lines[os.path.relpath(name[file], tree)][line] |= {test[context]} - {""}
    return lines


# The faults.

def source_files(package):
    """The files of the package itself."""
    listed = git(package.tree, "ls-files", package.source).split("\n")
    return [path for path in listed if path.endswith(".py") and not re.search(r"(^|/)(tests?/|test_|conftest)", path)]


def failing(package, tests):
    """Those of the tests that fail on the tree as it is; None where it hangs or the suite is not what it was."""
    result, names = f"{package.home}/mutant.json", f"{package.home}/tests.txt"
    if os.path.exists(result):
        os.remove(result)
    with open(names, "w") as out:
        out.write("\n".join(sorted(tests)))
    least, times = HANGS_AFTER
    cpu_seconds = least + int(times * sum(package.cost[test] for test in tests))
    done = pytest(package.tree, "--tb=no", f"@{names}", stopwatch=result, check=False, cpu_seconds=cpu_seconds)
    if done.returncode not in (0, 1) or not os.path.exists(result):
        return None
    return {test for test, (_, failed) in json.load(open(result)).items() if failed} & package.stable


def inject(package):
    """Draws faults until there are enough that the suite notices, each a real diff from the good tree."""
    kept_at = f"{package.home}/faults.jsonl"
    if os.path.exists(kept_at):
        return [json.loads(line) for line in open(kept_at)]
    git(package.tree, "checkout", "-q", "--", ".")  # of a run that was stopped
    faults, of_function, said = [], collections.Counter(), collections.Counter()
    for path, mutant, tests in draw(package):
        if said.total() == TRIED:
            break
        # What stands in a function only the tests that run it can see; what runs at import, all.
        is_hard_wanted = len(faults) >= FAULTS
        if of_function[path, mutant.function] == OF_A_FUNCTION or is_hard_wanted and HARD * len(tests) < 1:
            continue
        diff, failed = try_out(package, path, mutant, tests or set(package.cost))
        said["hang or change the suite" if failed is None else "noticed" if failed else "unnoticed"] += 1
        is_hard = bool(failed) and len(failed) <= HARD * len(tests)
        if failed and (is_hard or not is_hard_wanted):
            of_function[path, mutant.function] += 1
            faults.append({"path": path, "kind": mutant.kind, "drawn": not is_hard_wanted, "hard": is_hard, "diff": diff,
                           "failing": sorted(failed), "covering": len(tests), "id": f"{package.name}-{len(faults)}"})
        if failed and tests and said["noticed"] % CHECK_EVERY == 0:
            agrees = try_out(package, path, mutant, set(package.cost))[1] == failed
            print(f"{package.name}: the whole suite {'agrees' if agrees else 'does not agree'} on {path}:{mutant.first}", file=sys.stderr)
    print(f"{package.name}: mutants {dict(said)}", file=sys.stderr)
    with open(kept_at, "w") as out:
        out.writelines(json.dumps(fault) + "\n" for fault in faults)
    return faults


def draw(package):
    """(path, mutant, tests that run its statement) in an order by chance, one of a statement, of what runs at all."""
    drawn = [(path, mutant) for path in source_files(package) for mutant in mutants(open(f"{package.tree}/{path}", "rb").read())]
    random.Random(package.name).shuffle(drawn)
    seen = set()
    for path, mutant in drawn:
        lines = package.covering.get(path, {})
        statement = [line for line in range(mutant.first, mutant.last + 1) if line in lines]
        if statement and (path, mutant.first) not in seen:
            seen.add((path, mutant.first))
            yield path, mutant, set().union(*(lines[line] for line in statement)) & package.cost.keys()


def try_out(package, path, mutant, tests):
    """The diff that the mutant is, and those of the tests that fail."""
    with open(f"{package.tree}/{path}", "r+b") as file:
        broken = mutant.apply(file.read())
        file.seek(0)
        file.write(broken)
        file.truncate()
    try:
        return git(package.tree, "diff"), failing(package, tests)
    finally:
        git(package.tree, "checkout", "-q", "--", path)


# The selectors: each is asked about a fault, in a tree of its own that holds it.

@contextlib.contextmanager
def faulty(tree, fault):
    """The tree with the fault in it, and then without; gives what a user pipes into covopt."""
    git(tree, "checkout", "-q", "--", ".")  # of a run that was stopped
    git(tree, "apply", "--whitespace=nowarn", input=fault["diff"])
    try:
        yield git(tree, "diff")
    finally:
        git(tree, "checkout", "-q", "--", fault["path"])


class Covopt:
    """covopt in a tree with what it knows; where its seconds are wrong or guessed, its order and its budgets part."""

    def __init__(self, binary, tree):
        self.binary, self.tree = binary, tree
        run([binary, "build", "-q", "--force"], tree)

    def orders(self, package, fault):
        """Of all tests, and for each share."""
        with faulty(self.tree, fault) as diff:
            whole, *asked = [self.select(share, diff) for share in (1, *SHARES)]
        if unknown := set(whole) - package.cost.keys() - package.variants.keys():
            print(f"{package.name}: covopt names tests that pytest does not know: {unknown}", file=sys.stderr)
        return whole, asked

    def select(self, share, diff):
        flags = ["-t", f"{share:.0%}", "--startup", "0", "--per-file", "0", "--fill", "--no-last-failed", "-q"]
        return run([self.binary, "select", *flags], self.tree, input=diff).stdout.splitlines()


class Importers:
    """The files that import the changed one, at any distance, as far as import statements tell."""

    def __init__(self, package):
        files = [path for path in git(package.tree, "ls-files").split("\n") if path.endswith(".py")]
        modules = {module_name(path): path for path in files}
        self.importers = collections.defaultdict(set)
        for path in files:
            for name in imported(package.tree, path):
                # Importing a module runs the packages that it is in.
                for at in range(len(parts := name.split("."))):
                    self.importers[modules.get(".".join(parts[:at + 1]))].add(path)

    def steps(self, changed):
        """{file: by how many imports it reaches the changed one}."""
        steps, pending = {changed: 0}, [changed]
        for path in pending:
            further = self.importers[path] - steps.keys()
            steps.update(dict.fromkeys(further, steps[path] + 1))
            pending.extend(sorted(further))
        return steps


def module_name(path):
    return path.removeprefix("src/").removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def imported(tree, path):
    package = module_name(path) if path.endswith("/__init__.py") else module_name(path).rpartition(".")[0]
    for node in ast.walk(ast.parse(open(f"{tree}/{path}", "rb").read())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            base = ".".join(parts[:len(parts) - node.level + 1]) if node.level else ""
            module = ".".join(filter(None, [base, node.module]))
            yield module
            yield from (f"{module}.{name.name}" for name in node.names)


class FileSelector:
    """A peer that looks at which files changed alone, and so is asked once a file. It answers with absolute paths of files of tests."""

    def __init__(self, package, name, ask):
        self.tree, self.ask, self.known = copy(package, name), ask, {}

    def chosen(self, package, fault):
        path = fault["path"]
        if path not in self.known:
            with faulty(self.tree, fault):
                answer = self.ask(package, self.tree, path).split("\n")
            files = {os.path.relpath(file, self.tree) for file in answer if file}
            self.known[path] = {test for test in package.cost if file_of(test) in files}
            if not self.known[path]:
                print(f"{package.name}: {os.path.basename(self.tree)} chooses no test for {path}", file=sys.stderr)
        return self.known[path]


def ask_snob(package, tree, path):
    """What its pytest plugin asks: the files of tests for the absolute paths that `git diff --name-only` names."""
    script = "import os, snob_lib, sys; print(*snob_lib.get_tests([os.path.abspath(sys.argv[1])]), sep='\\n')"
    return run([PYTHON, "-c", script, path], tree, env=pytest_env(tree)).stdout


def ask_impacted(package, tree, path):
    args = [f"{ENV}/bin/impacted-tests", f"--module={package.source}", f"--tests-dir={package.tests}"]
    return run(args, tree, env=pytest_env(tree)).stdout


class Testmon:
    """pytest-testmon, with what it recorded on the good tree."""

    ARGS = ["-p", "testmon.pytest_testmon", "--testmon"]

    def __init__(self, package):
        self.tree = copy(package, "testmon")
        self.good = f"{package.home}/testmondata"
        pytest(self.tree, *self.ARGS)
        shutil.copy(f"{self.tree}/.testmondata", self.good)

    def chosen(self, package, fault):
        for suffix in ("-wal", "-shm"):
            if os.path.exists(f"{self.tree}/.testmondata{suffix}"):
                os.remove(f"{self.tree}/.testmondata{suffix}")
        shutil.copy(self.good, f"{self.tree}/.testmondata")
        with faulty(self.tree, fault):
            listed = pytest(self.tree, *self.ARGS, "--collect-only", check=False).stdout.split("\n")
        return set(listed) & package.cost.keys()


# The score.

def file_of(test):
    return test.split("::")[0]


def by_chance(package, fault):
    """Orders of all tests."""
    draw = random.Random(fault["id"])
    return [draw.sample(package.cheapest, len(package.cheapest)) for _ in range(RANDOM_ORDERS)]


def always(orders):
    """The same order whatever the share."""
    return [[order] * len(SHARES) for order in orders]


def tests_of(package, name):
    return [name] if name in package.cost else package.variants.get(name, [])


def spent(package, names):
    """Which share of the suite's time all of them take."""
    return sum(package.cost[test] for name in names for test in tests_of(package, name)) / package.total


def caught(package, fault, orders):
    """Whether each share of the suite's time holds a failing test."""
    found = []
    for share, order in zip(SHARES, orders):
        left, ran = share * package.total, set()
        for name in order:
            tests = tests_of(package, name)
            if (cost := sum(package.cost[test] for test in tests)) <= left:
                left -= cost
                ran.update(tests)
        found.append(float(not ran.isdisjoint(fault["failing"])))
    return found


def mean(values):
    return statistics.fmean(values)


def ask_all(covopt, package, faults):
    """{selector: {fault: what each share catches}}, {selector of sets: {fault: [share of the time, whether all of it catches]}} and
    {covopt: {fault: what of the suite's time it takes where each share is asked for}}."""
    importers = Importers(package)
    peers = {
        "snob 0.1.0": FileSelector(package, "snob", ask_snob),
        "pytest-impacted 0.36.0": FileSelector(package, "impacted", ask_impacted),
        "pytest-testmon 2.2.0 (recorded)": Testmon(package),
    }
    models = {
        "source alone": Covopt(covopt, copy(package, "bare")),
        "source, durations": Covopt(covopt, copy(package, "timed", "junit.xml")),
        "source, durations, coverage": Covopt(covopt, package.recorded),
    }
    results, sets, taken = (collections.defaultdict(dict) for _ in range(3))
    for fault in faults:
        steps = importers.steps(fault["path"])

        def first(tests):
            return sorted(package.cheapest, key=lambda test: test not in tests)

        def nearest(order):
            return sorted(order, key=lambda test: steps.get(file_of(test), len(steps)))

        chosen = {"importers of the changed file": {test for test in package.cost if file_of(test) in steps}}
        chosen |= {name: peer.chosen(package, fault) for name, peer in peers.items()}
        asked = {name: model.orders(package, fault) for name, model in models.items()}
        # An answer is an order for each share; a selector with several counts by their mean.
        answers = {
            "random": always(by_chance(package, fault)),
            "cheapest first": always([package.cheapest]),
            BASE: always(map(nearest, by_chance(package, fault))),
            "importers, nearest first, then cheapest": always([nearest(package.cheapest)]),
            **{f"{name}, cheapest first": always([first(tests)]) for name, tests in chosen.items()},
            **{f"**covopt, {name}**": always([whole]) for name, (whole, _) in asked.items()},
            **{f"covopt, {name}, `-t`": [each] for name, (_, each) in asked.items()},
            "oracle": always([first(fault["failing"])]),
        }
        for name, orders in answers.items():
            results[name][fault["id"]] = [mean(column) for column in zip(*(caught(package, fault, each) for each in orders))]
        for name, tests in chosen.items():
            sets[name][fault["id"]] = [spent(package, tests), float(not tests.isdisjoint(fault["failing"]))]
        for name, (_, each) in asked.items():
            taken[f"covopt, {name}, `-t`"][fault["id"]] = [spent(package, names) for names in each]
    return results, sets, taken


def resampled(pools):
    """95 % of the mean over packages when the faults of each are drawn again."""
    draw = random.Random(1)
    means = sorted(mean(mean(draw.choices(pool, k=len(pool))) for pool in pools) for _ in range(RESAMPLES))
    return means[int(0.025 * RESAMPLES)], means[int(0.975 * RESAMPLES)]


def pools(results, selector, wanted):
    """What a selector found of each wanted fault, package by package."""
    return [[found for fault, found in of[selector].items() if fault in wanted] for of in results.values()]


def table(results, title, wanted):
    """A row a selector: mean over packages at each share, over all shares, its interval, and that of the difference to importers."""
    print(f"\n| {title} | {SHARES_ROW} | mean | 95 % | to importers by chance |\n|{' --- |' * (len(SHARES) + 4)}")
    results = {name: of for name, of in results.items() if wanted & of[BASE].keys()}
    for selector in next(iter(results.values())):
        found, base = pools(results, selector, wanted), pools(results, BASE, wanted)
        cells = column_means(found)
        low, high = resampled([list(map(mean, pool)) for pool in found])
        gains = [[mean(ours) - mean(theirs) for ours, theirs in zip(*pair)] for pair in zip(found, base)]
        to = "" if selector == BASE else " to ".join(shown(gain, "+") for gain in resampled(gains))
        print(f"| {selector} | {' | '.join(map(shown, cells))} | {shown(mean(cells))} | {shown(low)} to {shown(high)} | {to} |")


def column_means(pools):
    return [mean(map(mean, columns)) for columns in zip(*(zip(*pool) for pool in pools))]


def packages_table(results, wanted):
    print(f"\n| mean over shares | {' | '.join(results)} |\n|{' --- |' * (len(results) + 1)}")
    for selector in next(iter(results.values())):
        cells = [shown(mean(map(mean, pool))) for pool in pools(results, selector, wanted)]
        print(f"| {selector} | {' | '.join(cells)} |")


def sets_table(sets, wanted):
    print(f"\n| all of the set: of the time / of the faults | {' | '.join(sets)} |\n|{' --- |' * (len(sets) + 1)}")
    for selector in next(iter(sets.values())):
        cells = [" / ".join(f"{mean(column) * 100:.0f} %" for column in zip(*pool)) for pool in pools(sets, selector, wanted)]
        print(f"| {selector} | {' | '.join(cells)} |")


def taken_table(taken, wanted):
    print(f"\n| of the suite's time is taken | {SHARES_ROW} |\n|{' --- |' * (len(SHARES) + 1)}")
    for selector in next(iter(taken.values())):
        print(f"| {selector} | {' | '.join(f'{cell * 100:.1f} %' for cell in column_means(pools(taken, selector, wanted)))} |")


def shown(share, sign="-"):
    return f"{share:{sign}.3f}".replace("0.", ".", 1)


def main():
    covopt, *names = sys.argv[1:]
    os.makedirs(HOME, exist_ok=True)
    make_env()
    drawn, hard, results, sets, taken = set(), set(), {}, {}, {}
    packages = ["| package | tests | suite | faults | hard |", "| --- | --- | --- | --- | --- |"]
    for name in names or PACKAGES:
        package = Package(name)
        faults = inject(package)
        results[name], sets[name], taken[name] = ask_all(os.path.abspath(covopt), package, faults)
        drawn.update(fault["id"] for fault in faults if fault["drawn"])
        hard.update(fault["id"] for fault in faults if fault["hard"])
        counts = [sum(fault[kind] for fault in faults) for kind in ("drawn", "hard")]
        packages.append(f"| {name} {package.version} | {len(package.cost)} | {package.total:.2f} s | {counts[0]} | {counts[1]} |")
    print("\n".join(packages))
    table(results, "faults as drawn", drawn)
    table(results, "hard faults", hard)
    packages_table(results, drawn)
    sets_table(sets, drawn)
    taken_table(taken, drawn)


if __name__ == "__main__":
    main()
