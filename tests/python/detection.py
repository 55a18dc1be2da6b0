#!/usr/bin/env python3
"""How well selections catch the faults of an evaluation set: the tables of docs/selection.md. Standard library only.

    python3 tests/python/detection.py COVOPT EVAL_DIR [PROJECT...]

EVAL_DIR holds a folder a project: `durations.json`, `tags.jsonl`, `coverage.sqlite`, `texts.jsonl`, `faults.jsonl`, `meta.json`, and
`score.py` beside them with the reference strategies. For each project and kind of model (all, nothing recorded, no texts) a model is built and
`covopt replay` asked; then again with constants that `covopt calibrate` fitted to the other projects alone, from constants of zero.
"""
import json, os, random, subprocess, sys, tempfile

BUDGETS = ["0.2%", "1%", "2%", "5%", "10%"]
RECORDED, UNRECORDED, TEXTLESS = "all evidence", "nothing recorded", "no texts"
INPUTS = {
    RECORDED: ["durations.json", "tags.jsonl", "coverage.sqlite", "texts.jsonl"],
    UNRECORDED: ["durations.json", "tags.jsonl", "texts.jsonl"],
    TEXTLESS: ["durations.json", "tags.jsonl", "coverage.sqlite"],
}
KINDS = {"bugfix": "bug fixes", "hard": "hard mutants"}
NAMES = ["words", "words_alone", "name", "mirror", "rarity", "fellows", "variants"]
RESAMPLES = 2000


def run(covopt, *args):
    done = subprocess.run([covopt, *args], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"covopt {' '.join(args)}: exit {done.returncode}\n{done.stderr}")
    return done.stdout


def runs_of(folder):
    """The faults as past runs; a mutant that fails at most a quarter of the tests that run it is hard, others are left out."""
    durations = json.load(open(f"{folder}/durations.json"))
    excluded = set(json.load(open(f"{folder}/meta.json"))["excluded"])
    for line in open(f"{folder}/faults.jsonl"):
        fault = json.loads(line)
        failed = [test for test in fault["failing"] if test in durations and test not in excluded]
        hard = len(failed) <= 0.25 * fault.get("n_covering", 0)
        kind = fault["kind"] if fault["kind"] == "bugfix" else "hard" if hard else "mutant"
        if failed and kind in KINDS:
            yield {"id": fault["id"], "kind": kind, "patch": fault["diff"], "failed": failed}


def build(covopt, folder, inputs, model, constants, scratch):
    """A model whose constants are the shipped ones, or those given."""
    paths = [f"{folder}/{name}" for name in inputs]
    if constants is not None:
        stated = f"{scratch}/constants.json"
        json.dump({"calibration": constants}, open(stated, "w"))
        paths.append(stated)
    run(covopt, "build", "-q", *paths, "--model", model, "--force")


def replay(covopt, model, runs):
    budgets = [flag for budget in BUDGETS for flag in ("-t", budget)]
    text = run(covopt, "replay", runs, "--model", model, *budgets, "--fill", "--startup", "0", "--per-file", "0",
               "--format", "json")
    return [result for result in json.loads(text)["results"] if result["standing"] == "failing"]


def rates(results, kind):
    """Share of the faults that each budget caught."""
    chosen = [[at["caught"] for at in result["budgets"]] for result in results if result["kind"] == kind]
    return [sum(column) / len(chosen) for column in zip(*chosen)] if chosen else None


def mean(values):
    values = list(values)
    return sum(values) / len(values)


def over_projects(by_project, kind):
    return [mean(column) for column in zip(*filter(None, (rates(results, kind) for results in by_project.values())))]


def interval(by_project, kind, other=None):
    """95 % of the mean over budgets and projects when faults are drawn again; of the difference to `other`, paired."""
    draw, means = random.Random(1), []
    pools = [[r for r in results if r["kind"] == kind] for results in by_project.values()]
    score = lambda r: mean(at["caught"] for at in r["budgets"]) - (mean(other[r["id"]]) if other else 0)
    scores = [[score(r) for r in pool] for pool in pools if pool]
    for _ in range(RESAMPLES):
        means.append(mean(mean(draw.choices(pool, k=len(pool))) for pool in scores))
    means.sort()
    return means[int(0.025 * RESAMPLES)], means[int(0.975 * RESAMPLES)]


def row(name, by_project, kind, others):
    of = over_projects(by_project, kind)
    low, high = interval(by_project, kind)
    cells = " | ".join(f"{rate:.3f}".lstrip("0") if rate < 1 else "1.0" for rate in of)
    text = f"| {name} | {cells} | **{mean(of):.3f}** | {low:.3f} to {high:.3f} |"
    for other in others:
        low, high = interval(by_project, kind, other)
        text += f" {low:+.3f} to {high:+.3f} |"
    print(text)


def reference(eval_dir, project, strategy):
    """{fault: caught at each budget} of a reference strategy, from score.py."""
    with tempfile.NamedTemporaryFile() as to:
        script = [sys.executable, f"{eval_dir}/score.py", f"{eval_dir}/{project}", "--strategy", strategy, "--json", to.name]
        subprocess.run(script, check=True, capture_output=True)
        # score.py's budgets are .2, .5, 1, 2, 5, 10, 20 and 50 %.
        return {r["fault"]: [r["det"][at] for at in (0, 2, 3, 4, 5)] for r in json.load(open(to.name))}


WORDS = """
import json, sys
script, out, *sys.argv = sys.argv[1:3] + [sys.argv[1]] + sys.argv[3:]
sys.argv[0] = script
space = {"__file__": script, "__name__": "words"}
exec(open(script).read().rsplit("table(dirs)", 1)[0], space)
caught = {}
for folder in space["dirs"]:
    project = space["S"].Project(folder)
    space["prep"](project)
    for fault in project.faults:
        fault["bm"] = space["bm"](project, fault)
    for fault, at, *_ in space["run"](project, "best_x_words"):
        caught[fault["id"]] = [at[i] for i in (0, 2, 3, 4, 5)]
json.dump(caught, open(out, "w"))
"""


def words_reference(eval_dir, projects):
    """The same of the reference that uses words, `best` times words in words.py."""
    with tempfile.NamedTemporaryFile() as to:
        folders = [f"{eval_dir}/{project}" for project in projects]
        subprocess.run([sys.executable, "-c", WORDS, f"{eval_dir}/words.py", to.name, *folders], check=True)
        return json.load(open(to.name))


def reliability(results):
    """What was said (confidence) against what was caught, in bins."""
    said = sorted((at["confidence"], at["caught"]) for r in results for at in r["budgets"])
    print("\n| said | mean said | caught | of |\n| --- | --- | --- | --- |")
    for low, high in [(0, 0.3), (0.3, 0.5), (0.5, 0.7), (0.7, 0.9), (0.9, 0.98), (0.98, 1.01)]:
        within = [(s, c) for s, c in said if low <= s < high]
        if within:
            print(f"| {low:.2f} to {min(high, 1):.2f} | {mean(s for s, _ in within):.2f} | {mean(c for _, c in within):.2f} | {len(within)} |")
    print(f"\nBrier score {mean((s - c) ** 2 for s, c in said):.3f}")


def main():
    covopt, eval_dir, *projects = sys.argv[1:]
    projects = projects or sorted(p for p in os.listdir(eval_dir) if os.path.exists(f"{eval_dir}/{p}/meta.json"))
    with tempfile.TemporaryDirectory() as scratch:
        runs, lessons = {}, {}
        for project in projects:
            runs[project], lessons[project] = f"{scratch}/{project}.jsonl", f"{scratch}/{project}-lessons.jsonl"
            faults = list(runs_of(f"{eval_dir}/{project}"))
            # Mutants are easier than what people break: a bug fix counts twice where constants are fitted.
            twice = faults + [fault for fault in faults if fault["kind"] == "bugfix"]
            for path, lines in ((runs[project], faults), (lessons[project], twice)):
                with open(path, "w") as out:
                    out.writelines(json.dumps(fault) + "\n" for fault in lines)
        zero = dict.fromkeys(NAMES, 0.0)
        pairs = {project: [] for project in projects}
        for project in projects:
            for kind, inputs in INPUTS.items():
                model = f"{scratch}/{project}-{kind.replace(' ', '-')}-zero.covopt"
                build(covopt, f"{eval_dir}/{project}", inputs, model, zero, scratch)
                pairs[project].append(f"{model}={lessons[project]}")
        fit = lambda names: json.loads(run(covopt, "calibrate", *[pair for name in names for pair in pairs[name]], "--format", "json"))
        everything = fit(projects)["calibration"]
        held_out = {project: fit([other for other in projects if other != project])["calibration"] for project in projects}
        print("constants fitted to all:", json.dumps(everything))
        for project, constants in held_out.items():
            print(f"without {project}:", json.dumps(constants))
        found = {}
        for fitted in (False, True):
            for kind, inputs in INPUTS.items():
                for project in projects:
                    model = f"{scratch}/{project}.covopt"
                    constants = held_out[project] if fitted else None
                    build(covopt, f"{eval_dir}/{project}", inputs, model, constants, scratch)
                    found.setdefault((fitted, kind), {})[project] = replay(covopt, model, runs[project])
        best = {}
        for project in projects:
            best |= reference(eval_dir, project, "best")
        references = [best, words_reference(eval_dir, projects)]
        for kind, title in KINDS.items():
            print(f"\n| {title} | {' | '.join(BUDGETS)} | mean | 95 % | to `best` | to `best` times words |\n| {'--- | ' * 10}")
            for model in INPUTS:
                for fitted, how in ((False, "as shipped"), (True, "fitted to the other projects")):
                    row(f"{model}, {how}", found[fitted, model], kind, references)
        for model in INPUTS:
            print(f"\nSaid against caught, bug fixes, {model}, constants fitted to the other projects:")
            reliability([r for results in found[True, model].values() for r in results if r["kind"] == "bugfix"])
        print("\nNot caught at 1 % of the suite, all evidence, as shipped:")
        for results in found[False, RECORDED].values():
            for r in results:
                if not r["budgets"][1]["caught"]:
                    caught = [b for b, at in zip(BUDGETS, r["budgets"]) if at["caught"]]
                    print(f"- {r['id']}: first caught at {caught[0] if caught else 'none of them'}, said {r['budgets'][1]['confidence']:.2f} at 1 %")


if __name__ == "__main__":
    main()
