"""Bells as files: one empty file per session in `.roost/bells/`, created by senders, taken down by the session's
hook."""

from __future__ import annotations

import os
from collections.abc import Iterable

# Truncating an empty file still renews its time, by which a waker tells a new ring from an old one.
_RING = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC


class Bells:
    """The bells of one project on one machine."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._folder = os.fspath(folder)

    def ring(self, bells: Iterable[str]) -> None:
        for bell in bells:
            try:
                os.close(os.open(f"{self._folder}/{bell}", _RING, 0o600))
            except OSError:
                continue  # a hint only: the session's own look every 30 s finds the mail (DESIGN 6)

    def take_down(self, bell: str) -> bool:
        """Remove a bell before looking, so that one rung meanwhile stays; say whether there was one."""
        try:
            os.unlink(f"{self._folder}/{bell}")
        except FileNotFoundError:
            return False
        return True

    def put_back(self, bell: str, rung_at: int) -> None:
        """Hang a bell up again as if rung at that time (ns); one that was rung meanwhile stays as it is."""
        path = f"{self._folder}/{bell}"
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            os.utime(path, ns=(rung_at, rung_at))
        except FileExistsError:
            return
