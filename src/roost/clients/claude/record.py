"""What Roost notes about a settings file that it wrote: enough to give back the bytes that were there before."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import msgspec

from roost.clients.changes import FileChange, read
from roost.clients.launcher import path as launcher_path

KEY_DIGITS = 16


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One settings file as it was without us, and as we left it."""

    settings: str
    before: str | None = None
    """Hash of the file before; None if there was none."""
    after: str
    entries: str
    """Digest of our entries, see Entries.digest."""
    made: tuple[str, ...] = ()
    """Folders that we made, innermost first."""


class Shelf(msgspec.Struct, frozen=True, kw_only=True):
    """Where the record of one settings file lies, and the copy of the file as it was before."""

    folder: Path
    settings: Path

    @classmethod
    def of(cls, home: Path, settings: Path) -> Shelf:
        """Return the shelf for a settings file; the file is known by where it really lies."""
        return cls(folder=launcher_path(home).parent / "claude", settings=Path(os.path.realpath(settings)))

    @property
    def record_path(self) -> Path:
        """Return where the record lies."""
        return self.folder / f"{self._key}.json"

    @property
    def backup_path(self) -> Path:
        """Return where the copy lies."""
        return self.folder / f"{self._key}.before"

    def record(self) -> Record | None:
        """Return the record, None if there is none that can be read."""
        noted = read(self.record_path)
        try:
            return None if noted is None else msgspec.json.decode(noted, type=Record)
        except msgspec.DecodeError:
            return None

    def backup(self, record: Record) -> bytes | None:
        """Return the file as it was before, None if there was none; ValueError if the copy is not what we kept."""
        if record.before is None:
            return None
        kept = read(self.backup_path)
        if kept is None or digest(kept) != record.before:
            raise ValueError(f"{self.backup_path} is not the copy that was kept")
        return kept

    def keep(self, record: Record, before: bytes | None) -> tuple[FileChange, ...]:
        """Return the changes that note a record and a copy."""
        noted = msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n"
        return tuple(
            change
            for change in (self._note(self.backup_path, before), self._note(self.record_path, noted))
            if change.before != change.after
        )

    def drop(self, prune: tuple[Path, ...]) -> tuple[FileChange, ...]:
        """Return the changes that forget them."""
        return tuple(
            FileChange(path=path, before=noted, after=None, shown=False, prune=(self.folder, *prune))
            for path in (self.backup_path, self.record_path)
            if (noted := read(path)) is not None
        )

    @property
    def _key(self) -> str:
        return digest(os.fsencode(self.settings))[:KEY_DIGITS]

    def _note(self, path: Path, after: bytes | None) -> FileChange:
        return FileChange(path=path, before=read(path), after=after, shown=False)


def digest(content: bytes) -> str:
    """Return the hash by which a file's content is known."""
    return hashlib.sha256(content).hexdigest()
