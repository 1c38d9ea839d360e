"""Launches: begun by `roost run`, shown at the door of the hooks, and over when their process is."""

from __future__ import annotations

from collections.abc import Mapping

from roost import keyfiles
from roost.errors import Forbidden, WhoAreYou
from roost.launches.model import Launch, parts_of
from roost.verbs import M, Service, query, verb


class Launches(Service[M]):
    """Clients that Roost started, each with a key of its own: good for its hooks and for nothing else."""

    @verb
    def begin(
        self, launch: str, *, client: str, pid: int, key_hash: bytes, environ: Mapping[str, str] | None = None
    ) -> Launch:
        """Note that process `pid` is about to become a client. Raises Forbidden for everybody but Roost itself."""
        if self.tx.me.kind != "system":
            raise Forbidden("a client is launched by Roost, not by a session", hint="use `roost run`")
        process = self.tx.host.process(pid)
        if process is None:
            raise WhoAreYou(f"there is no process {pid}", hint="start the client again")
        made = Launch(
            id=launch,
            client=client,
            process=process,
            environ=dict(environ or {}),
            key_hash=key_hash,
            began_at=self.tx.now,
        )
        self.tx.run("launches.insert", made)
        self.tx.record("client.launched", launch, {"client": client, "pid": pid})
        return made

    @query
    def admit(self, key: str) -> Launch:
        """Return the launch that a key belongs to, while its process lives. Raises WhoAreYou."""
        launch, secret = parts_of(key)
        found = self.tx.one(Launch, "launches.get", id=launch) if launch else None
        if found is None or not keyfiles.fits(secret, found.key_hash) or not self.tx.host.alive(found.process):
            raise WhoAreYou("this needs the key of a client that runs", hint="start it with `roost run -- claude`")
        return found

    @verb
    def tidy(self) -> tuple[str, ...]:
        """Forget the launches whose process is gone; return the ids of the others."""
        living = []
        for one in self.tx.all(Launch, "launches.list"):
            if self.tx.host.alive(one.process):
                living.append(one.id)
            else:
                self.tx.run("launches.forget", id=one.id)
        return tuple(living)
