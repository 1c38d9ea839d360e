"""Ids: UUIDv7, in the order of their birth, and never twice."""

from __future__ import annotations

import os
import re
import uuid
from concurrent.futures import ThreadPoolExecutor

from roost.ids import DRAWN, new_id

FORM = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def test_an_id_is_a_uuid_of_version_7() -> None:
    for _ in range(4 * DRAWN):
        made = new_id()
        assert FORM.fullmatch(made)
        assert (uuid.UUID(made).version, str(uuid.UUID(made))) == (7, made)


def test_ids_sort_in_the_order_of_their_birth_and_share_no_randomness() -> None:
    made = [new_id() for _ in range(20_000)]
    assert made == sorted(made)
    assert len({one[19:] for one in made}) == len(made)


def test_threads_make_different_ids() -> None:
    with ThreadPoolExecutor(8) as pool:
        made = [one for part in pool.map(lambda _: [new_id() for _ in range(500)], range(16)) for one in part]
    assert len({one[19:] for one in made}) == len(made)


def test_a_forked_process_draws_its_own_randomness() -> None:
    new_id()  # the parent has drawn for those that follow
    ours, theirs = os.pipe()
    child = os.fork()
    if not child:
        os.write(theirs, "".join(new_id() for _ in range(DRAWN)).encode())
        os._exit(0)
    os.waitpid(child, 0)
    told = os.read(ours, DRAWN * 36).decode()
    os.close(ours)
    os.close(theirs)
    drawn = {told[at + 19 : at + 36] for at in range(0, len(told), 36)}
    assert len(drawn) == DRAWN
    assert not drawn & {new_id()[19:] for _ in range(DRAWN)}
