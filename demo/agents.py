"""What each of the four agents does: `python -m demo.agents NAME REPOSITORY STATE`."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from demo.client import Client, Refused

GREET = '''def greet(name: str, *, loud: bool = False) -> str:
    """Greet somebody."""
    text = f"Hello, {name}!"
    return text.upper() if loud else text
'''
TEST = """from greet import greet

assert greet("Ada") == "Hello, Ada!"
assert greet("Ada", loud=True) == "HELLO, ADA!"
print("2 tests pass")
"""


def say(name: str, text: str) -> None:
    """Show a line of progress."""
    print(f"  {name:<8} {text}", flush=True)


def planner(me: Client) -> None:
    """Open a channel, share out the work, ask, sleep until somebody asks, and close."""
    me.bash('roost channel create greeting --topic "a loud greeting"')
    plan = "we add greet(name, loud). builder: greet.py, tester: test_greet.py, writer: README.md"
    me.bash(f'roost send all "Join #greeting: {plan}"')
    say("planner", "opened #greeting and shared out the work")
    me.wait_for(r"builder is here")
    me.bash('roost send builder "Which arguments will greet take?" --type question --requires-ack')
    say("planner", "asked builder a question and goes idle")
    me.answer("Waiting for the others.")
    while not any("greet(name, loud=False)" in text for text in me.heard):
        me.sleep_until_woken()
        me.answer("Noted.")
    say("planner", "was woken by the answer")
    while not any("all green" in text for text in me.heard):
        me.sleep_until_woken()
        me.answer("Good.")
    say("planner", "was woken by tester: all green")
    me.prompt("Close the feature.")
    me.bash('roost send "#greeting" "Done: the feature is complete. Thank you."')


def builder(me: Client) -> None:
    """Write the function, answer the question, and keep the file until it is committed."""
    me.wait_for(r"Join #greeting")
    me.bash("roost channel join greeting")
    me.edit("greet.py", lambda old: GREET.replace("loud: bool = False", "loud: bool = False  # draft"))
    me.bash('roost lease acquire greet.py --reason "still changing the signature"')
    me.bash('roost send planner "builder is here and holds greet.py"')
    say("builder", "drafted greet.py and holds it")
    asked = me.wait_for(r'id="(m\d+)" from="planner"[^>]*>\nWhich arguments')
    me.bash(f'roost reply {asked} "greet(name, loud=False)" --type question')
    say("builder", f"answered {asked}")
    me.wait_for(r"waits for|is waiting for|wants greet.py")
    me.edit("greet.py", lambda old: GREET)
    me.bash("git add greet.py && git commit -q -m 'Greet, loudly if asked' -- greet.py")
    me.bash("roost lease release greet.py")
    say("builder", "committed greet.py and gave it back")


def tester(me: Client) -> None:
    """Want a file that another holds, wait for it, and test."""
    me.wait_for(r"Join #greeting")
    me.bash("roost channel join greeting")
    me.edit("test_greet.py", lambda old: TEST)
    me.bash("until roost who | grep -q builder && roost lease list | grep -q greet.py; do sleep 0.2; done")
    try:
        me.edit("greet.py", lambda old: old + "\n# reviewed by tester\n")
        raise AssertionError("the edit of a held file was not refused")
    except Refused as refusal:
        say("tester", " ".join(str(refusal).splitlines()[:2]))
    me.bash('roost send builder "tester wants greet.py when you are done"')
    me.bash("roost lease wait greet.py --timeout 40")
    me.edit("greet.py", lambda old: old + "\n\n# reviewed by tester\n")
    say("tester", "waited for greet.py and has it now")
    result = me.bash(f"{shlex.quote(sys.executable)} test_greet.py").strip()
    say("tester", result)
    me.bash("git add -A . && git commit -q -m 'Test the greeting'; roost lease release greet.py")
    me.bash(f'roost send planner "all green: {result}" --type question')


def writer(me: Client) -> None:
    """Be killed with a message in flight, come back, and get it again."""
    if me.transcript.exists() and "Join #greeting" in me.transcript.read_text():
        me.wait_for(r"Offered again")
        say("writer", "came back and got its mail again, marked")
        me.bash("roost channel join greeting")
        me.edit("README.md", lambda old: old + "\n`greet(name, loud=True)` greets loudly.\n")
        me.bash("git add README.md && git commit -q -m 'Describe the greeting' -- README.md")
        return
    while not any("Join #greeting" in text for text in me.heard):
        me.bash("sleep 0.2")
    say("writer", "is killed with a message in flight")
    os.kill(os.getpid(), signal.SIGKILL)


SCRIPTS: dict[str, Callable[[Client], None]] = {
    "planner": planner,
    "builder": builder,
    "tester": tester,
    "writer": writer,
}


def main(name: str, folder: str, state: str, session: str) -> None:
    """Run one agent to its end."""
    me = Client(Path(folder), Path(state), session=session)
    me.start("resume" if me.transcript.exists() else "startup")
    me.prompt(f"You are {name}. Build the greeting with the others.")
    SCRIPTS[name](me)
    if name != "planner":
        me.wait_for(r"Done: the feature is complete")
    me.answer(f"{name} is done.")
    me.end()


if __name__ == "__main__":
    main(*sys.argv[1:5])
