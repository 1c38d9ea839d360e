#!/bin/sh
# Install the pinned MCP inspector, which `make test-clients` lets call every tool, into .clients/inspector (ignored by git).
# For a new version: write it into tools/inspector/package.json, then in that folder
#     npm install --package-lock-only --ignore-scripts --omit-lockfile-registry-resolved
# and take the "funding" entries out of package-lock.json.
set -eu
cd "$(dirname "$0")/.."

readonly target=.clients/inspector

command -v npm >/dev/null || { echo "clients: please install npm" >&2; exit 1; }
if cmp -s tools/inspector/package-lock.json "$target/installed"; then
    exit 0
fi
echo "clients: installing the MCP inspector (about 110 MB)" >&2
rm -rf "$target"
mkdir -p "$target"
cp tools/inspector/package.json tools/inspector/package-lock.json "$target"
# `npm ci` holds each package to its integrity, and nothing of a package runs.
(cd "$target" && npm ci --silent --ignore-scripts --no-audit --no-fund </dev/null)
cp "$target/package-lock.json" "$target/installed"
