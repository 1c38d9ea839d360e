"""Serve a scratch project by a real daemon and let schemathesis loose on it; the exit code is schemathesis's own, or 1
where the daemon wrote down an error.

It fails on a 5xx, on a status, content type or body that the OpenAPI document does not tell of, on wrong input that is
taken and on a method that is not refused. That each route asks for its token is tested elsewhere: wrong tokens are soon
answered with 429, which schemathesis does not expect.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from roost import reach
from roost.connect import connect
from roost.daemon.places import stop, told

SETTINGS = "[daemon]\nport = 0\nidle_seconds = 3600\n[limits]\nrate_agent = 10000\nrate_human = 10000\n"
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "missing_required_header",
    "unsupported_method",
)
STOP_SECONDS_MAX = 30.0
CONFIG = Path(__file__).with_name("schemathesis.toml").resolve()
ARGUMENTS = ("--checks", ",".join(CHECKS), "--max-examples", "30", "--seed", "7", "--continue-on-failure", "--no-color")


def main(arguments: list[str]) -> int:
    """Run schemathesis with further arguments."""
    os.environ.pop("ROOST_DAEMON", None)
    with tempfile.TemporaryDirectory(prefix="roost-fuzz-") as folder:
        place = Path(folder) / ".roost"
        place.mkdir(mode=0o700)
        (place / "roost.toml").write_text(SETTINGS)
        key = peopled(place)
        reach.start(str(place))
        run = told(str(place))
        assert run is not None
        try:
            status = fuzz(f"http://127.0.0.1:{run.port}", key, arguments)
        finally:
            stop(str(place), seconds=STOP_SECONDS_MAX)  # it writes into the folder that is removed next
        log = (place / reach.LOG).read_text().splitlines()
        troubles = [line for line in log if "Traceback" in line or " ERROR " in line]
        print(*troubles, sep="\n")
        return status or min(1, len(troubles))


def peopled(place: Path) -> str:
    """Put a person, two agents, a channel and a message into a project; return the person's key."""
    project = connect(place)
    person = project.as_session(project.system().turns.person("ada").id)
    for name in ("alice", "bob"):
        project.system().agents.add(name)
    person.channels.create("build")
    person.messages.send(to=["alice", "bob"], text="hello")
    key = person.tokens.create("ada", scopes=["send", "read", "lease", "admin"]).key
    project.close()
    return key


def fuzz(url: str, key: str, arguments: list[str]) -> int:
    """Call what is served at a URL."""
    shown = f"Authorization: Bearer {key}"
    command = ["bin/schemathesis", "--config-file", str(CONFIG), "run", f"{url}/openapi.json", "-H", shown]
    # It leaves files where it runs.
    return subprocess.run([*command, *ARGUMENTS, *arguments], cwd=".fuzz", check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
