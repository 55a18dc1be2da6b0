#!/bin/sh
# The main job on real input: a Python suite is recorded, a function is broken, and covopt picks from the diff the tests
# to run in two seconds. Exit 0 means that they caught the defect. Everything it makes is under target/ or in a directory
# that is gone at the end. Needs cargo, git, Python 3.9 or newer and, the first time, the package indexes.
set -eu

root=$(cd -- "$(dirname -- "$0")/.." && pwd -P)
say() { printf '\n%s\n' "$*"; }
fail() { printf '\ndemo: %s\n' "$*" >&2; exit 1; }
for tool in cargo git xargs; do
    command -v $tool > /dev/null 2>&1 || fail "no \`$tool\` on the PATH; install it and start again"
done

# --- set-up: the binary and a Python environment -------------------------------------------------------------------

say "# Building covopt (the first time this compiles SQLite and takes two to five minutes, later a second) ..."
built=$(cd -- "$root" && cargo build --release --locked --bin covopt --message-format json-render-diagnostics |
    sed -n 's/.*"executable":"\([^"]*\/covopt\)".*/\1/p')
[ -n "$built" ] || fail "cargo built no covopt; its messages are above"
covopt=$root/target/release/covopt
if [ "$built" != "$covopt" ]; then
    mkdir -p -- "$root/target/release"
    cp -- "$built" "$covopt.new.$$" && mv -f -- "$covopt.new.$$" "$covopt"
fi

say "# Making sure of pytest and pytest-cov ..."
python_bin=$(sh "$root/tests/python/env.sh")

# --- a repository of its own, away from the user's settings ----------------------------------------------------------

tmp=$(mktemp -d "${TMPDIR:-/tmp}/covopt-demo.XXXXXX")
trap 'cd /; rm -rf -- "$tmp"' EXIT
trap 'exit 130' INT
trap 'exit 143' HUP TERM

# shellcheck disable=SC2046  # one name a word
unset $(git rev-parse --local-env-vars)
unset COVOPT_MODEL COVOPT_NO_BUILD COVERAGE_CORE COVERAGE_FILE COVERAGE_RCFILE PYTHONPATH PYTHONHOME
export HOME="$tmp" GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL="$tmp/.gitconfig" GIT_PAGER=cat
export PATH="$root/target/release:$python_bin:$PATH"
# Python takes a compiled file for current when a source changes within a second without changing size.
export PYTHONDONTWRITEBYTECODE=1 PYTHONUTF8=1
git config --file "$tmp/.gitconfig" user.name demo
git config --file "$tmp/.gitconfig" user.email demo@localhost
git config --file "$tmp/.gitconfig" init.defaultBranch main

# Prints a command as a terminal shows it, runs it, leaves its output in $tmp/log and its exit code in $status.
run() {
    printf '\n$ %s\n' "$1"
    status=0
    (eval "$1") > "$tmp/log" 2>&1 || status=$?
    cat "$tmp/log"
}
must() {
    run "$1"
    [ "$status" -eq 0 ] || fail "\`$1\` ended with $status, expected 0"
}
# The seconds and the failures that pytest's last line states.
seconds() { sed -n 's/.* in \([0-9.]*\)s.*/\1/p' "$tmp/log" | tail -n 1; }
failures() { sed -n 's/^FAILED \(.*\)/\1/p' "$tmp/log" | wc -l | tr -d ' '; }

# --- the session -----------------------------------------------------------------------------------------------------

say "# A small shop in Python, with its test suite, as a git repository."
cp -R -- "$root/tests/python/shop" "$tmp/shop"
cd -- "$tmp/shop"
must 'git init -q && git add . && git commit -q -m "The shop" && git log --oneline'

say "# Record once which test runs which lines, and how long each takes."
must 'export PYTEST_ADDOPTS="-q --no-header --tb=line"'
export PYTEST_ADDOPTS="-q --no-header --tb=line"
must 'pytest --cov --cov-context=test --cov-report= --junitxml=junit.xml -o junit_family=xunit1'

say "# Build the model. covopt finds .coverage and junit.xml by itself."
must 'covopt build'
must 'covopt inspect'

say "# Break a function: a discount that starts at ten pieces now starts at eleven."
must "sed -i.orig 's/quantity >= pieces/quantity > pieces/' shop/discounts.py && rm shop/discounts.py.orig"
must 'git diff'
[ -s "$tmp/log" ] || fail "the function is not broken: git diff is empty"

say "# Which tests are worth two seconds?"
must 'git diff | covopt select -t 2 --verbose'

say "# Why these, and what remains?"
must 'git diff | covopt explain -t 2'
must 'git diff | covopt explain -t 2 test_bulk_order'

say "# Run them."
run 'git diff | covopt select -t 2 -0 | xargs -0 -r pytest'
selected_status=$status selected_failures=$(failures) selected_seconds=$(seconds)

say "# The whole suite, for comparison."
run 'pytest'
suite_failures=$(failures) suite_seconds=$(seconds)

[ "$suite_failures" -gt 0 ] || fail "the whole suite passes: the demo broke nothing that a test checks"
if [ "$selected_status" -eq 0 ] || [ "$selected_failures" -eq 0 ]; then
    fail "NOT caught: the whole suite has $suite_failures failing tests, the selected tests none"
fi
say "# Caught: $selected_failures of the selected tests fail, after ${selected_seconds} s.
# The whole suite takes ${suite_seconds} s and has $suite_failures failing tests."
