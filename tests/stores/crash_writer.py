"""A writer to be killed: sends numbered messages and says which were answered: `crash_writer.py FOLDER NAME FIRST`."""

import sys

import roost


def main(folder: str, name: str, first: int) -> None:
    hub = roost.open(folder, as_=name, takeover=True)
    for number in range(first, first + 10_000):
        sent = hub.messages.send(to="reader", text=f"{name} {number}", idempotency_key=f"{name}-{number:08d}")
        print(number, sent.ref, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
