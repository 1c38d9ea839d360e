"""What a waker does when the bell rang: settle what was shown, then offer what may wake the session."""

from __future__ import annotations

from roost.clients.named import named
from roost.connect import bells_of, connect
from roost.interfaces.hook.looking import read_proofs
from roost.turns.model import Surroundings


def wake(place: str, client_name: str, bell: str, rung_at: int) -> str:
    """Return the mail that is to wake an idle session, now offered to it; '' if nothing may."""
    session = bell.removeprefix(f"{client_name}-")
    bells = bells_of(place)
    bells.take_down(bell)
    project = connect(place)  # no client waits for this one, so it may stand in line at the gate
    try:
        turns = project.system().turns
        watch = turns.watch(client_name, session)
        if not watch.session:
            return ""
        verdicts, offset = read_proofs(named(client_name), watch.transcript, watch)
        more = turns.settle(client_name, session, Surroundings(verdicts=verdicts, transcript_offset=offset))
        text = turns.wake(client_name, session)
    except BaseException:
        bells.put_back(bell, rung_at)
        raise
    finally:
        project.close()
    if text or more:
        bells.put_back(bell, rung_at)
    return text
