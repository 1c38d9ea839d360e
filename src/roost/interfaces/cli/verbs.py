"""What every verb of the command line shares: the group that loads them, `--json`, and the hub they call."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from roost.interfaces.cli.output import Output

if TYPE_CHECKING:
    from roost.connect import Project
    from roost.hub import Hub
    from roost.sessions.model import Me, Moment
    from roost.verbs import Sync


class Cli:
    """One run of the command line: where it acts, as whom, and how it answers. Parts are made when first asked for."""

    def __init__(self, *, folder: str | None = None, as_json: bool = False) -> None:
        self.folder = folder
        self.out = Output(as_json=as_json)
        self._project: Project | None = None
        self._hub: Hub[Sync] | None = None
        self._me: Me | None = None
        self._moment: Moment | None = None
        self._names: dict[str, str] | None = None

    @property
    def project(self) -> Project:
        """The project that serves the folder. Raises NoProject and the errors of the store."""
        if self._project is None:
            from roost.connect import connect

            self._project = connect(self.folder)
        return self._project

    @property
    def hub(self) -> Hub[Sync]:
        """The hub of whoever is calling. Raises WhoAreYou."""
        if self._hub is None:
            from roost import reach

            place = reach.place_of(self.folder)
            self._hub = reach.hub(place) if self._project is None else None
            if self._hub is None:
                self._hub = self.project.caller()
                reach.start_soon(place)
        return self._hub

    @property
    def me(self) -> Me:
        """Who is calling."""
        if self._me is None:
            self._me = self.hub.sessions.me()
        return self._me

    @property
    def moment(self) -> Moment:
        """The store's two clocks when they were first asked for."""
        if self._moment is None:
            self._moment = self.out.moment = self.hub.sessions.clock()
        return self._moment

    def name_of(self, agent: str) -> str:
        """Return the name of an agent's id; Roost itself has none."""
        if self._names is None:
            self._names = {one.id: one.name for one in self.hub.agents.list(retired=True)}
        return self._names.get(agent, agent or "roost")

    def answer(self, value: Any, show: Callable[[], None]) -> None:
        """Print a result: the value itself as JSON, or what `show` prints."""
        if self.out.as_json:
            self.out.moment = self.moment
            self.out.json(value)
        else:
            show()

    def close(self) -> None:
        """Close what was opened."""
        if self._project is not None:
            self._project.close()


class Verb(click.Command):
    """A verb: it understands `--json`, and gets the Cli as its first argument."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.append(_json_option())


class Group(click.Group):
    """A group whose verbs are loaded when they are called; `verbs` says where each one is.

    A name that is not known is answered with the nearest ones.
    """

    def __init__(self, *args: Any, verbs: dict[str, tuple[str, str]] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.verbs = verbs or {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*self.verbs, *self.commands]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name in self.verbs:
            from importlib import import_module

            module = import_module(f"roost.interfaces.cli.{self.verbs[name][0]}")
            found: click.Command = getattr(module, name)
            return found
        return self.commands.get(name)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args and not self.invoke_without_command and not ctx.resilient_parsing:
            raise click.UsageError(
                f"which verb of `{ctx.command_path}`? There are {', '.join(self.list_commands(ctx))}", ctx
            )
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        command = self.get_command(ctx, name)
        if command is not None:
            return name, command, args[1:]
        if name.startswith("-"):
            return super().resolve_command(ctx, args)
        raise _unknown(ctx, name, self.list_commands(ctx))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(name, line) for name, (_, line) in self.verbs.items()]
        rows += [(name, command.get_short_help_str(limit=90)) for name, command in self.commands.items()]
        with formatter.section("Verbs"):
            formatter.write_dl(rows)


def verb(name: str | None = None, **options: Any) -> Callable[[Callable[..., Any]], Verb]:
    """Make a verb of a function whose first argument is the Cli."""
    return _command(click.command(name, cls=Verb, **options))


def group(name: str, **options: Any) -> Callable[[Callable[..., Any]], Group]:
    """Make a group of verbs of a function; add verbs to it with `@part(group)`."""

    def make(body: Callable[..., Any]) -> Group:
        made: Group = click.group(name, cls=Group, **options)(click.pass_context(body))
        return made

    return make


def part(of: Group, name: str | None = None, **options: Any) -> Callable[[Callable[..., Any]], Verb]:
    """Make a verb of a function, inside a group."""
    return _command(of.command(name, cls=Verb, **options))


def _command(make: Callable[[Callable[..., Any]], Any]) -> Callable[[Callable[..., Any]], Verb]:
    def decorate(body: Callable[..., Any]) -> Verb:
        made: Verb = make(click.pass_obj(body))
        return made

    return decorate


def _json_option() -> click.Option:
    return click.Option(
        ["--json", "as_json"], is_flag=True, expose_value=False, callback=_set_json, help="Answer in JSON."
    )


def _set_json(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        ctx.obj.out.as_json = True


def _unknown(ctx: click.Context, name: str, known: list[str]) -> click.UsageError:
    from roost.names import suggest

    near = suggest(name, known)
    error = click.UsageError(f"there is no verb {name!r}", ctx)
    hint = f"did you mean {' or '.join(near)}?" if near else f"see `{ctx.command_path} --help`"
    error.hint = hint  # type: ignore[attr-defined]
    return error
