#!/bin/sh
# Prints the bin directory of a Python environment that holds what `requirements.txt` lists, and makes it first if it is
# not there yet. stdout carries that one path, stderr everything else.
#
#     PATH="$(sh tests/python/env.sh):$PATH" pytest
#
# An environment lives in target/python-env/<key>, the key taken from the list, the interpreter and the place, so one
# that is in use never changes under its user. Two processes may run this at once: the second waits on a lock that the
# system releases with its holder, and a half-made environment has no `complete` file and is made anew.
# PYTHON names another interpreter than python3.
set -eu
LC_ALL=C
export LC_ALL
unset PYTHONHOME PYTHONPATH CDPATH

here=$(cd -- "$(dirname -- "$0")" && pwd -P)
root=$(cd -- "$here/../.." && pwd -P)
list=$here/requirements.txt
envs=$root/target/python-env
python=${PYTHON:-python3}

say() { printf '%s\n' "env.sh: $*" >&2; }
fail() { say "$*"; exit 1; }

# make ENVIRONMENT: called under the lock.
make() {
    [ ! -e "$1/complete" ] || return 0
    say "making a Python environment in ${1#"$root"/} (about ten seconds, needs the package index)"
    rm -rf -- "$1"
    "$python" -m venv -- "$1" >&2 || fail "\`$python -m venv\` failed; on Debian and Ubuntu install python3-venv"
    PIP_USER=0 "$1/bin/python" -m pip install --quiet --disable-pip-version-check --no-input --no-deps \
        --requirement "$list" >&2 || fail "pip could not install tests/python/requirements.txt; is the package index in reach?"
    "$1/bin/python" -m pip --disable-pip-version-check check >&2 || fail "tests/python/requirements.txt does not fit together"
    : > "$1/complete"
}

if [ "${1-}" = --make ]; then
    make "$2"
    exit 0
fi
[ $# -eq 0 ] || fail "expected no arguments, found \`$*\`"

command -v "$python" > /dev/null 2>&1 || fail "no \`$python\` on the PATH; install Python 3.9 or newer, or name one: PYTHON=/path/to/python3"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 9))' ||
    fail "\`$python\` is $("$python" --version 2>&1), expected Python 3.9 or newer; name another: PYTHON=/path/to/python3"
"$python" -c 'import ensurepip, venv' 2> /dev/null ||
    fail "\`$python\` has no venv module; on Debian and Ubuntu install python3-venv"

key=$("$python" -c '
import hashlib, sys
key = hashlib.sha256(open(sys.argv[1], "rb").read())
for part in (sys.version, sys.base_prefix, sys.argv[2]):
    key.update(b"\0" + part.encode("utf-8", "surrogateescape"))
print(key.hexdigest()[:16])' "$list" "$envs")
environment=$envs/$key

if [ ! -e "$environment/complete" ]; then
    mkdir -p -- "$envs"
    "$python" -c '
import fcntl, subprocess, sys
with open(sys.argv[1], "w") as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    sys.exit(subprocess.call(sys.argv[2:]))' "$envs/lock" sh "$here/env.sh" --make "$environment"
fi
printf '%s\n' "$environment/bin"
