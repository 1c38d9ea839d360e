"""Check one file against an integrity of the form `sha512-BASE64`."""

import base64
import hashlib
import hmac
import sys
from pathlib import Path


def main(path: str, integrity: str) -> int:
    """Say on standard error what differs; the exit code is 1 then."""
    with Path(path).open("rb") as file:
        digest = hashlib.file_digest(file, "sha512").digest()
    found = "sha512-" + base64.b64encode(digest).decode()
    if hmac.compare_digest(found, integrity):
        return 0
    print(f"{path}: pinned as {integrity}, but it is {found}; it was not installed", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
