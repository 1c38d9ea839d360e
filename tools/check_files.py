"""Refuse, in every file of the repository, what no reader of it should meet.

That is: the address of a host off a short list (so of any package index), an option that names a package index,
and a mark of unfinished work or of a test that does not run.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

HOSTS = frozenset(
    {
        "127.0.0.1",
        "[::1]",
        "localhost",
        "example.com",
        "example.org",
        "example.net",
        "json.schemastore.org",
        "keepachangelog.com",
        "semver.org",
        "www.apache.org",
    }
)

# Put together from parts, so that this file passes its own check.
WORDS = {
    "unfinished work": ("TO" + "DO", "FIX" + "ME", "X" * 3),
    "a test that does not run": (
        "pytest.s" + "kip",
        "mark.s" + "kip",
        "s" + "kipif",
        "importors" + "kip",
        "x" + "fail",
    ),
    "a package index": ("--index" + "-url", "--extra-index" + "-url", "--find" + "-links", "index_" + "url"),
}
ADDRESS = re.compile(r"\bhttps?://(\[[0-9a-f:]+\]|[\w.-]+)")
SIZE_MAX = 1_000_000  # bytes; a larger file is data, not text to read


def main() -> int:
    """Print each finding as `path:line: what`; the exit code says whether there was one."""
    findings = [finding for path in files() for finding in inspect(path)]
    print(*findings, sep="\n", end="\n" if findings else "")
    return bool(findings)


def files() -> list[Path]:
    """List what is committed and what would be."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], capture_output=True, check=True
    )
    paths = (Path(name.decode()) for name in listed.stdout.split(b"\0") if name)
    return [path for path in paths if path.is_file() and not path.is_symlink()]


def inspect(path: Path) -> Iterator[str]:
    """Find what must not be in one file; a binary or very large file has nothing to read."""
    data = path.read_bytes()
    if b"\0" in data or len(data) > SIZE_MAX:
        return
    for number, line in enumerate(data.decode(errors="replace").splitlines(), start=1):
        for what in inspect_line(line):
            yield f"{path}:{number}: {what}"


def inspect_line(line: str) -> Iterator[str]:
    """Find what must not be in one line."""
    for kind, words in WORDS.items():
        yield from (f"{kind}: {word}" for word in words if re.search(rf"(?<!\w){re.escape(word)}(?!\w)", line))
    yield from (f"an address off the list: {host}" for host in ADDRESS.findall(line) if not is_known(host))


def is_known(host: str) -> bool:
    """Accept a listed host, a name under it, and the reserved names that no registry can have."""
    return host in HOSTS or host.endswith((".example", ".invalid", ".test", ".localhost"))


if __name__ == "__main__":
    sys.exit(main())
