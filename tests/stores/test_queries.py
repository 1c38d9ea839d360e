"""Every named query is sound SQL on the schema, is used, and everything used exists."""

from __future__ import annotations

import re
from pathlib import Path

import apsw
import pytest

import roost
from roost.hub import Hub
from roost.stores.sqlite import queries, schema
from roost.verbs import Sync

SOURCES = Path(roost.__file__).parent
FEATURES = queries.features()
QUERIES = {name: sql for feature in FEATURES for name, sql in queries.load(feature).items()}
HOT = ("deliveries", "messages", "operations", "sessions", "channels", "duties", "turns")
BIG = ("delivery", "message", "event", "receipt", "d", "e", "m", "x")
"""Tables that grow with what is said, and the names that queries give them."""
USED = re.compile(rf'"((?:{"|".join(FEATURES)})\.[a-z_]+)"')


@pytest.fixture(scope="module")
def connection() -> apsw.Connection:
    """An empty database with the newest schema."""
    made = apsw.Connection(":memory:")
    schema.upgrade(made)
    return made


@pytest.mark.parametrize("name", sorted(QUERIES))
def test_a_query_is_sound_on_the_schema(connection: apsw.Connection, name: str) -> None:
    connection.execute(f"EXPLAIN {QUERIES[name]}", _Anything())


@pytest.mark.parametrize("name", sorted(name for name in QUERIES if name.partition(".")[0] in HOT))
def test_a_hot_query_never_walks_through_all_of_a_project(connection: apsw.Connection, name: str) -> None:
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {QUERIES[name]}", _Anything())]
    walks = [step for step in plan if "PRIMARY KEY (project=?)" in step and step.split()[1] in BIG]
    assert walks == [], "every index begins with the project: name the one that is meant (INDEXED BY, CROSS JOIN)"


def test_every_query_that_is_used_exists_and_every_one_that_exists_is_used() -> None:
    text = "\n".join(path.read_text("utf-8") for path in SOURCES.rglob("*.py"))
    kinds = set(re.findall(r'record\(\s*"([a-z_.]+)"', text))  # kinds of events have the form of a query's name
    verbs = {name for name in USED.findall(text) if _is_verb(name)}  # and so do names of verbs
    used = set(USED.findall(text)) - ((kinds | verbs) - set(QUERIES))
    assert used - set(QUERIES) == set(), "used and missing"
    assert set(QUERIES) - used == set(), "there and unused"


def _is_verb(name: str) -> bool:
    service, _, verb = name.partition(".")
    return isinstance(getattr(Hub, service, None), property) and hasattr(type(getattr(Hub[Sync](None), service)), verb)


class _Anything(dict[str, object]):
    """Binds every name to nothing."""

    def __missing__(self, name: str) -> None:
        return None
