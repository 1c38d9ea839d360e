#!/usr/bin/env bash
# Regenerate requirements/*.txt, every pin with its hashes, from requirements/*.in and pyproject.toml.
# No package index is named: uv asks the one that UV_DEFAULT_INDEX or its own settings say.
#
#   tools/pin.sh                   resolve anew, keeping the pins that still fit
#   tools/pin.sh --upgrade         take the newest versions
#   tools/pin.sh -P click          take the newest click
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly uv_venv=.venv/pin
if [ ! -x "$uv_venv/bin/uv" ]; then
    .venv/bin/python -m venv "$uv_venv"
    "$uv_venv/bin/python" -m pip install -qq --require-hashes -r requirements/pin.txt
fi

compile() {  # compile OUTPUT SOURCE... [OPTION...]
    # --universal: one file for each Python from 3.11 on and for each platform.
    # --no-header: the header would show the options of whoever ran this last.
    local output=$1
    shift
    echo "pin: $output"
    "$uv_venv/bin/uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-header --no-emit-index-url --no-emit-find-links --output-file "$output" "$@"
}

compile requirements/dev.txt pyproject.toml requirements/dev.in --extra server --extra otel "$@"
compile requirements/fuzz.txt requirements/fuzz.in "$@"
compile requirements/pin.txt requirements/pin.in "$@"
