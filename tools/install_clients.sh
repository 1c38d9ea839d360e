#!/bin/sh
# Install the pinned coding clients that `make test-clients` drives, into .clients/ (ignored by git); Linux only.
# Needs npm; as root it also installs tmux, iproute2, util-linux and npm from Debian when they are missing.
set -eu
cd "$(dirname "$0")/.."

say() { echo "clients: $*" >&2; }
stop() { say "$@"; exit 1; }

missing=
need() { command -v "$1" >/dev/null || missing="$missing $2"; }  # need COMMAND DEBIAN_PACKAGE
need tmux tmux
need ip iproute2
need unshare util-linux
need npm npm
if [ -n "$missing" ]; then
    if ! command -v apt-get >/dev/null || [ "$(id -u)" -ne 0 ]; then
        stop "please install:$missing"
    fi
    say "installing Debian's$missing"
    apt-get update -qq >/dev/null  # a fresh machine has no package lists yet
    # shellcheck disable=SC2086 -- a list of words
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $missing >/dev/null </dev/null
fi

platform="$(uname -s)-$(uname -m)"

fetch() {  # fetch NAME PACKAGE VERSION PLATFORM INTEGRITY: unpack the package into .clients/NAME
    folder=.clients/$1
    say "installing $1 $3"
    rm -rf "$folder"
    mkdir -p "$folder"
    # `npm pack` only fetches: nothing of the package runs before its integrity has been seen, and no script of it ever.
    (cd "$folder" && npm pack --silent --pack-destination . "$2@$3" >/dev/null </dev/null)
    tarball=$(find "$folder" -maxdepth 1 -name '*.tgz')
    .venv/bin/python tools/verify_integrity.py "$tarball" "$5"
    tar -xzf "$tarball" -C "$folder" --strip-components=1
    rm -f "$tarball"
}

install() {  # install NAME SIZE PROGRAM...: the pinned package, and how it is started from .clients/
    pin=$(awk -v name="$1" -v platform="$platform" '$1 == name && ($4 == platform || $4 == "any")' tools/clients.txt)
    [ -n "$pin" ] || stop "tools/clients.txt has no $1 for $platform"
    [ "$(cat ".clients/$1/pin" 2>/dev/null)" = "$pin" ] && return
    name=$1
    say "$name takes about $2 MB"
    shift 2
    # shellcheck disable=SC2086 -- the words of a line
    fetch $pin
    mkdir -p ".clients/$name/home"
    # In a home of its own: some leave files there, and nothing of the person's is to be touched.
    (cd .clients && env -i PATH="$PATH" HOME="$PWD/$name/home" "$@" --version >/dev/null </dev/null) || stop "$name does not start"
    rm -rf ".clients/$name/home"
    echo "$pin" >".clients/$name/pin"
}

install claude 360 claude/claude
install codex 410 sh -c 'exec codex/vendor/*/bin/codex "$@"' codex
install node 140 node/bin/node
install gemini 110 node/bin/node gemini/bundle/gemini.js
install qwen 130 node/bin/node qwen/cli-entry.js
