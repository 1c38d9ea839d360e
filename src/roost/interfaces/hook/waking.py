"""What a waker does when the bell rang: settle what was shown, then offer what may wake the session."""

from __future__ import annotations

from roost.clients.named import named
from roost.connect import bells_of, connect
from roost.hub import Hub
from roost.interfaces.hook.looking import read_proofs
from roost.turns.model import Surroundings
from roost.verbs import Sync


def wake(place: str, client_name: str, bell: str, rung_at: int) -> str:
    """Return the mail that is to wake an idle session, now offered to it; '' if nothing may."""
    bells = bells_of(place)
    bells.take_down(bell)
    try:
        # No client waits for this one, so it may stand in line at the gate.
        with connect(place).system() as hub:
            text, more = _offered(hub, client_name, bell.removeprefix(f"{client_name}-"))
    except BaseException:
        bells.put_back(bell, rung_at)
        raise
    if more:
        bells.put_back(bell, rung_at)
    return text


def _offered(hub: Hub[Sync], client: str, session: str) -> tuple[str, bool]:
    """Return the mail for a session, and whether its next hook has something to look for."""
    watch = hub.turns.watch(client, session)
    if not watch.session:
        return "", False
    verdicts, offset = read_proofs(named(client), watch.transcript, watch)
    more = hub.turns.settle(client, session, Surroundings(verdicts=verdicts, transcript_offset=offset))
    text = hub.turns.wake(client, session)
    return text, bool(text) or more
