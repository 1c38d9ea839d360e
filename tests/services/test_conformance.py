"""What the conformance suite leaves out is what a door does not offer, and nothing else."""

from __future__ import annotations

import inspect
from importlib import import_module

import pytest

from roost.interfaces.http.table import ROUTES
from roost.tokens.rules import scope_of
from tests.services import conformance, over_http
from tests.services.verbs_of_hub import verbs_of_the_hub

TESTS = {
    test: inspect.getsource(import_module(f"tests.services.test_{module}"))
    for module in conformance.MODULES
    for test in vars(import_module(f"tests.services.test_{module}"))
    if test.startswith("test_")
}


def test_every_verb_has_a_route_or_is_said_to_have_none() -> None:
    without = {f"{feature}.{name}" for feature, names in over_http.NOT_OFFERED.items() for name in names.split()}
    assert set(over_http.OFFERED).isdisjoint(without)
    assert set(over_http.OFFERED) | without == set(verbs_of_the_hub())


def test_every_route_is_of_a_verb_or_said_to_be_https_own() -> None:
    used = {offer.route for offer in over_http.OFFERED.values()}
    assert used.isdisjoint(over_http.OF_ITS_OWN)
    assert used | over_http.OF_ITS_OWN == set(over_http.BY_NAME)
    assert len(over_http.BY_NAME) == len(ROUTES)


@pytest.mark.parametrize(("test", "name"), conformance.WITHOUT_TOKEN.items())
def test_what_is_shown_without_a_token_no_agents_token_allows(test: str, name: str) -> None:
    feature, _, verb = name.partition(".")
    assert f".{verb}(" in TESTS[test] or f'"{name}"' in TESTS[test]
    assert scope_of(feature, verb, getattr(verbs_of_the_hub()[name], "mode", "stream")) in ("admin", "none")


@pytest.mark.parametrize("test", sorted({*conformance.WITHOUT_HTTP, *conformance.WITHOUT_ROUTE}))
def test_what_is_shown_without_http_is_there(test: str) -> None:
    assert test in TESTS
