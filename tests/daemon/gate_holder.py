"""A process that writes to the file itself and pauses half way: `gate_holder.py FOLDER`; a line of input ends it."""

import sys

from roost.connect import connect


def main(folder: str) -> None:
    project = connect(folder)
    with project.store.write() as tx:
        print("held", flush=True)
        sys.stdin.readline()
        tx.record("project.resumed", tx.project)
    project.system().agents.add("latecomer")
    print("done", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
