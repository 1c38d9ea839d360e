#!/bin/sh
# Create .venv with the pinned dependencies and the project itself. `make` calls this when it has to.
# PYTHON=/path/to/python3.12 chooses the interpreter. pip asks the index that this machine has configured.
set -eu
cd "$(dirname "$0")/.."

say() { echo "setup: $*" >&2; }
stop() { say "$@"; exit 1; }

is_new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

find_python() {
    for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 python}; do
        if is_new_enough "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    stop "Python 3.11 or newer is needed and ${PYTHON:-none} was found; install it, or say PYTHON=/path/to/python3.12"
}

# Debian splits the standard library: there `python3 -m venv` needs one more package, named after the version.
ensure_venv_module() {
    if "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        return
    fi
    package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    if ! command -v apt-get >/dev/null; then
        stop "$python has no venv or ensurepip module; install your system's package for it and repeat"
    fi
    if [ "$(id -u)" -ne 0 ]; then
        stop "$python has no venv module; run: sudo apt-get update && sudo apt-get install $package, then repeat"
    fi
    say "installing Debian's $package"
    apt-get update -qq >/dev/null
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$package" >/dev/null </dev/null
}

# A .venv from another interpreter, or one that a stopped set-up left half done, is made anew.
ensure_venv() {
    if is_new_enough .venv/bin/python && .venv/bin/python -m pip --version >/dev/null 2>&1; then
        return
    fi
    say "creating .venv with $("$python" --version)"
    "$python" -m venv --clear .venv
}

install() {
    # Errors only: pip warns about each part of a machine's configuration that has no use here.
    .venv/bin/python -m pip install -qq --no-input --disable-pip-version-check "$@" </dev/null
}

command -v git >/dev/null || stop "git is needed; install it and repeat"
python=$(find_python)
ensure_venv_module
ensure_venv
say "installing the pinned dependencies (about half a minute the first time)"
install --require-hashes -r requirements/dev.txt
say "installing roost"
install --no-deps --no-build-isolation --editable .
say "done"
