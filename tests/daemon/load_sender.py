"""Sends numbered messages and says which were answered, until a file `stop` is there: `load_sender.py FOLDER NAME`."""

import sys
from pathlib import Path

import roost


def main(folder: str, name: str) -> None:
    hub, number = roost.open(folder, as_=name), 0
    print("ready", flush=True)
    while not (Path(folder) / "stop").exists():
        number += 1
        sent = hub.messages.send(to="reader", text=f"{name} {number}")
        print(number, sent.number, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
