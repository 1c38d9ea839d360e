"""The command line as a whole: every verb by name, and what its errors become."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

import click

from roost.errors import NoProject, RoostError, Unavailable
from roost.interfaces.cli.output import Unprinted, flush
from roost.interfaces.cli.verbs import Cli, Group

VERBS = {
    "status": ("status", "What changed since you last looked, who is there, what is held and what waits."),
    "init": ("init", "Make this folder a project, and let its coding clients join by themselves."),
    "doctor": ("doctor", "Check the store, the hooks and the sessions, and say what to do."),
    "join": ("join", "Join as an agent, or take another name."),
    "leave": ("join", "End this session; its leases are free and its mail waits."),
    "who": ("who", "Everybody: what they do, how each is reached, and when that last worked."),
    "send": ("send", "Send a message to an agent, several, a channel or `all`."),
    "inbox": ("mail", "Your mail that waits; showing it offers it to you."),
    "outbox": ("mail", "What you sent, and how far it got."),
    "read": ("mail", "Show a whole message."),
    "reply": ("answers", "Answer a message in its thread; that acknowledges it."),
    "ack": ("answers", "Acknowledge messages."),
    "react": ("answers", "Put a reaction on a message; that acknowledges it."),
    "receipts": ("receipts", "How far a message got with each recipient, and by which proof."),
    "wait": ("receipts", "Wait until a message was delivered, or another stage."),
    "cancel": ("receipts", "Take back a message where it is not delivered yet."),
    "dead": ("dead", "Mail that could not be delivered; `dead redeliver` tries again."),
    "handover": ("dead", "Give the mail of an agent that is gone to another."),
    "thread": ("log", "The messages of a thread."),
    "log": ("log", "The conversation as people read it."),
    "search": ("search", "Find messages by their words."),
    "listen": ("listen", "Show your mail as it comes, and confirm it."),
    "channel": ("channel", "Make, join, leave, list and read channels."),
    "lease": ("lease", "Hold a path or a name for a while; see who holds what."),
    "operation": ("operation", "Send a sequence that nobody's message interrupts."),
    "activity": ("activity", "What agents are doing; tell what you do."),
    "briefing": ("briefing", "What you must know to go on: who you are, what waits, what you hold."),
    "checkpoint": ("briefing", "Write down what you are doing, for your next context; or show it."),
    "history": ("history", "Every change of state: look, verify, export, import."),
    "pause": ("pause", "Hold all mail, or one agent's."),
    "resume": ("pause", "Let held mail go on."),
    "token": ("token", "Keys for programs that speak HTTP, MCP or TLS."),
    "agent": ("agent", "Names, aliases and profiles of agents."),
    "hook": ("hook", "The hooks in coding clients: show or take out."),
    "backup": ("backup", "Copy the store while it is in use."),
    "restore": ("backup", "Put a backup back; cursors and tokens from before are void."),
    "run": ("run", "Start a coding client, as somebody; its hooks come by HTTP."),
    "up": ("daemon", "Start the project's daemon, which starts by itself too."),
    "down": ("daemon", "Stop the project's daemon; what it was asked is answered first."),
    "logs": ("daemon", "What the daemon and the hooks wrote down."),
    "mcp": ("mcp", "Speak MCP on stdin and stdout: for clients, which start it."),
    "version": ("about", "The versions of Roost, its SQLite and Python."),
    "completion": ("about", "The completion script for your shell."),
}
"""Each verb, the file of its code beside this one, and what it does in one line."""


@click.group("roost", cls=Group, verbs=VERBS, invoke_without_command=True)
@click.option("-C", "folder", metavar="DIR", default=None, help="Act as if started in this folder.")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
@click.option("--version", "version", is_flag=True, help="Show the version.")
@click.pass_context
def app(ctx: click.Context, folder: str | None, as_json: bool, version: bool) -> None:
    """Coordinate a fleet of coding agents. Without a verb: `roost status`."""
    ctx.obj = Cli(folder=folder, as_json=as_json)
    ctx.call_on_close(ctx.obj.close)
    if version:
        ctx.obj.out.line(f"roost {_version()}")
    elif ctx.invoked_subcommand is None:
        command = app.get_command(ctx, "status")
        assert command is not None
        with command.make_context("status", [], parent=ctx) as inner:
            command.invoke(inner)


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit status; nothing is raised."""
    from roost.interfaces import errors

    wants_json = "--json" in arguments
    try:
        if "_ROOST_COMPLETE" in os.environ:
            return _complete(os.environ["_ROOST_COMPLETE"])
        with app.make_context("roost", list(arguments)) as ctx:
            app.invoke(ctx)
        flush()
    except click.exceptions.Exit as end:
        return end.exit_code
    except RoostError as error:
        _tell(error.message, error.hint, errors.plain(error) if wants_json else None)
        return errors.exit_of(error)
    except click.ClickException as error:
        return _misused(error, wants_json)
    except (KeyboardInterrupt, click.Abort):
        return errors.INTERRUPTED
    except BrokenPipeError:
        _silence(sys.stdout)
        return errors.BROKEN_PIPE
    except Unprinted as error:
        _silence(sys.stdout)
        text = f"the answer could not be printed: {error.strerror}"
        hint = "what was asked may be done all the same: look before you repeat it"
        _tell(text, hint, _said("UNPRINTED", text, hint) if wants_json else None)
        return errors.EXITS[Unavailable]
    except OSError as error:
        refused = _refused(error)
        _tell(refused.message, refused.hint, errors.plain(refused) if wants_json else None)
        return errors.exit_of(refused)
    except Exception as error:  # noqa: BLE001 (the outermost edge: a person sees one line, the log has the rest)
        from roost.interfaces.cli.trouble import write_down

        text = f"this is a bug in Roost: {type(error).__name__}: {error}"
        hint = f"please report it with {write_down(error)}"
        _tell(text, hint, _said("INTERNAL", text, hint) if wants_json else None)
        return errors.BUG
    return errors.OK


def _misused(error: click.ClickException, wants_json: bool) -> int:
    from roost.interfaces import errors

    ctx = getattr(error, "ctx", None)
    hint = getattr(error, "hint", "") or f"see `{ctx.command_path if ctx else 'roost'} --help`"
    text = error.format_message().strip().rstrip(".")
    _tell(text[:1].lower() + text[1:], hint, _said("USAGE", text, hint) if wants_json else None)
    return errors.USAGE


def _refused(error: OSError) -> RoostError:
    """Return what a person is told of an error of the system."""
    if isinstance(error, FileNotFoundError) and not error.filename and os.stat(".").st_nlink == 0:
        return NoProject("the folder that this shell is in was removed", hint="cd to one that is there")
    what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    return Unavailable(f"the system refused {what}", hint="nothing was half done; see `roost doctor`")


def _said(code: str, message: str, hint: str) -> dict[str, Any]:
    return {"code": code, "message": message, "hint": hint, "retryable": False, "details": {}}


def _tell(message: str, hint: str, said: dict[str, Any] | None = None) -> None:
    from roost.interfaces.cli.output import json_text
    from roost.text import terminal_line

    if said is not None:
        lines = [json_text(said)]
    else:
        lines = [f"roost: {terminal_line(message)}"] + ([f"hint: {terminal_line(hint)}"] if hint else [])
    try:
        sys.stdout.flush()
        sys.stderr.write("\n".join(lines) + "\n")
        sys.stderr.flush()
    except OSError:
        _silence(sys.stderr)


def _silence(stream: Any) -> None:
    """Let what is still buffered go nowhere, so that the interpreter's end does not complain."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)


def _complete(instruction: str) -> int:
    from click.shell_completion import shell_complete

    return shell_complete(app, {}, "roost", "_ROOST_COMPLETE", instruction)


def _version() -> str:
    from roost import __version__

    return __version__
