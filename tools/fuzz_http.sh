#!/bin/sh
# Let schemathesis call every route of a real daemon with what its OpenAPI document allows and what it does not.
# schemathesis lives in .fuzz/, an environment of its own (ignored by git). Further arguments go to it, after its own.
set -eu
cd "$(dirname "$0")/.."

if ! cmp -s requirements/fuzz.txt .fuzz/installed; then
    echo "fuzz: installing schemathesis" >&2
    .venv/bin/python -m venv --clear .fuzz
    .fuzz/bin/python -m pip install -qq --no-input --disable-pip-version-check --require-hashes -r requirements/fuzz.txt </dev/null
    cp requirements/fuzz.txt .fuzz/installed
fi
exec .venv/bin/python tools/fuzz_http.py "$@"
