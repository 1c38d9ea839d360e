"""One of several processes that write as fast as they can until a moment: `hammer_writer.py FOLDER NAME UNTIL`."""

import sys
import time

import roost
from roost.errors import RoostError


def main(folder: str, name: str, until: float) -> None:
    hub = roost.open(folder, as_=name)
    print("ready", flush=True)
    sys.stdin.readline()
    done, errors, slowest = 0, [], 0.0
    end = time.monotonic() + until
    while time.monotonic() < end:
        began = time.monotonic()
        try:
            hub.messages.send(to="reader", text=f"{name} {done}")
            done += 1
        except RoostError as error:
            errors.append(error.code)
        slowest = max(slowest, time.monotonic() - began)
    print(done, ",".join(errors) or "-", f"{slowest:.3f}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]))
