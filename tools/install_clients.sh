#!/bin/sh
# Install the pinned coding clients that `make test-clients` drives, into .clients/ (ignored by git).
# Needs npm; as root it also installs tmux, iproute2, util-linux and npm from Debian when they are missing.
set -eu
cd "$(dirname "$0")/.."

readonly target=.clients/claude

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
pin=$(awk -v platform="$platform" '$3 == platform' tools/clients.txt)
[ -n "$pin" ] || stop "tools/clients.txt has no claude for $platform"
if [ "$(cat "$target/pin" 2>/dev/null)" = "$pin" ] && [ -x "$target/claude" ]; then
    exit 0
fi

# shellcheck disable=SC2086 -- package, version, platform, integrity
set -- $pin
say "installing $1 $2 (about 170 MB)"
rm -rf "$target"
mkdir -p "$target"
# `npm pack` only fetches: nothing of the package runs before its integrity has been seen.
(cd "$target" && npm pack --silent --pack-destination . "$1@$2" >/dev/null </dev/null)
tarball=$(find "$target" -name '*.tgz')
.venv/bin/python tools/verify_integrity.py "$tarball" "$4"
tar -xzf "$tarball" -C "$target" --strip-components=1
rm -f "$tarball"
"$target/claude" --version >/dev/null </dev/null || stop "$target/claude does not start"
echo "$pin" >"$target/pin"
