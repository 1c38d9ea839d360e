"""Our part of a client's settings file: in, found, out, with everybody else's part untouched."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.clients.claude import hooktable, jsontext, settings
from roost.clients.claude.settings import Entries
from roost.errors import BadSettings

WANTED = Entries(
    hooks=hooktable.groups(), rules=settings.RULES, writable=(settings.writable_root("/work area/p/.roost"),)
)

THEIRS = """{
    "model": "opus",
    "hooks": {
        "Stop": [
            {"hooks": [{"type": "command", "command": "say done"}]}
        ]
    },
    "permissions": { "allow": ["Bash(ls *)"], "deny": [] },
    "zoom": 1.50e1
}
"""

Json = dict[str, Any]
values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**9), 10**9)
    | st.floats(allow_nan=False, allow_infinity=False, width=16)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=12,
)
handlers = st.fixed_dictionaries({"type": st.just("command"), "command": st.text(max_size=20)})
groups = st.fixed_dictionaries({"hooks": st.lists(handlers, max_size=2)}, optional={"matcher": st.text(max_size=4)})
known: dict[str, st.SearchStrategy[Any]] = {
    "hooks": st.dictionaries(st.sampled_from(["Stop", "SessionStart", "Setup"]), st.lists(groups, max_size=2)),
    "permissions": st.fixed_dictionaries(
        {}, optional={"allow": st.lists(st.sampled_from([*settings.RULES, "Read(x)"]), max_size=3), "deny": values}
    ),
    "sandbox": st.fixed_dictionaries(
        {"enabled": st.booleans()},
        optional={"filesystem": st.fixed_dictionaries({}, optional={"allowWrite": st.lists(st.text(), max_size=2)})},
    ),
}


@st.composite
def files(draw: st.DrawFn) -> str:
    """Draw the text of a settings file as people and programs write it."""
    data: Json = draw(st.dictionaries(st.text(max_size=6).filter(lambda key: key not in known), values, max_size=3))
    data |= draw(st.fixed_dictionaries({}, optional=known))
    text = json.dumps(data, indent=draw(st.sampled_from([None, 2, 4, "\t"])), ensure_ascii=draw(st.booleans()))
    text = text.replace("\n", draw(st.sampled_from(["\n", "\r\n"])))
    return draw(st.sampled_from(["", "\ufeff"])) + text + draw(st.sampled_from(["", "\n"]))


@given(files())
def test_what_is_put_in_and_taken_out_leaves_the_same_text(text: str) -> None:
    installed = settings.add(text, WANTED)
    assert settings.find(installed, text).hooks == WANTED.hooks
    assert set(settings.RULES) <= set(jsontext.load(installed)["permissions"]["allow"])
    assert settings.remove(installed, text) == text


@given(files(), st.text(max_size=6).map(lambda key: "later " + key), values)
def test_an_edit_made_after_us_survives_our_removal(text: str, key: str, value: Any) -> None:
    edited = jsontext.add(settings.add(text, WANTED), (), key, value)
    assert jsontext.load(settings.remove(edited, text)) == {**jsontext.load(text), key: value}


def test_everything_of_other_people_keeps_its_place_and_its_bytes() -> None:
    installed = settings.add(THEIRS, WANTED)
    ours = iter(installed)
    assert all(character in ours for character in THEIRS)  # nothing was taken or moved, only put between
    assert '"permissions": { "allow": ["Bash(ls *)", "Bash(roost ack *)", ' in installed
    assert installed.endswith('"zoom": 1.50e1,\n' + installed[installed.index('    "sandbox"') :])


def test_our_entries_follow_the_indentation_they_find() -> None:
    installed = settings.add(THEIRS, WANTED)
    assert '\n            {\n                "hooks": [\n' in installed
    assert settings.add('{"a": 1}', WANTED).count("\n") == 0
    assert settings.add(None, WANTED).startswith('{\n  "hooks": {\n    "SessionStart": [\n      {\n')


def test_a_rule_that_was_there_before_us_stays_when_we_go() -> None:
    before = '{"permissions": {"allow": ["Bash(roost send *)"]}}'
    installed = settings.add(before, WANTED)
    assert installed.count("Bash(roost send *)") == 1
    assert settings.remove(installed, before) == before


def test_without_knowing_the_file_before_us_our_entries_still_go() -> None:
    assert settings.remove(settings.add(THEIRS, WANTED)) == THEIRS
    assert settings.is_empty(settings.remove(settings.add(None, WANTED)))


def test_a_handler_that_somebody_put_into_our_group_stays() -> None:
    data = jsontext.load(settings.add(None, WANTED))
    data["hooks"]["Stop"][0]["hooks"].append({"type": "command", "command": "beep"})
    left = jsontext.load(settings.remove(json.dumps(data)))
    assert left == {"hooks": {"Stop": [{"hooks": [{"type": "command", "command": "beep"}]}]}}


@pytest.mark.parametrize(
    "handler",
    [
        {"type": "command", "command": hooktable.COMMAND + " && beep"},
        {"type": "command", "command": "beep; " + hooktable.WAIT_COMMAND},
        {"type": "command", "command": ["~/.local/share/roost/hook"]},
        {"type": "prompt", "command": hooktable.COMMAND},
        {"type": "command"},
        hooktable.COMMAND,
    ],
)
def test_a_handler_that_is_not_exactly_ours_stays(handler: object) -> None:
    text = json.dumps({"hooks": {"Stop": [{"hooks": [handler]}, handler]}})
    assert settings.remove(text) == text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"a": 1,}', "line 1, column [89]"),
        ('{\n  // mine\n  "a": 1\n}', "line 2, column 3.*takes no comments"),
        ('{"a": 1} // mine', "column 10.*takes no comments"),
        ("[]", "holds no object"),
        ('{"a": NaN}', "NaN is no JSON"),
        ('{"a": ', "column 7"),
        ("[" * 100_000, "nested too deeply"),
        ('{"hooks": []}', '"hooks" is not an object'),
        ('{"hooks": {"Stop": {}}}', '"hooks.Stop" is not a list'),
        ('{"permissions": {"allow": null}}', '"permissions.allow" is not a list'),
    ],
)
def test_a_file_that_is_no_settings_file_is_refused_with_the_place(text: str, says: str) -> None:
    with pytest.raises(BadSettings, match=f"(?s){says}.*nothing was written"):
        settings.add(text, WANTED)


def test_of_a_key_that_is_there_twice_the_last_one_counts() -> None:
    installed = settings.add('{"hooks": {}, "hooks": {"Stop": []}}', WANTED)
    assert len(jsontext.load(installed)["hooks"]["Stop"]) == 1


def test_numbers_beyond_any_machine_word_pass_unchanged() -> None:
    text = '{"a": 1' + "0" * 5000 + ', "b": 1.0000000000000000001}'
    assert settings.remove(settings.add(text, WANTED), text) == text


def test_an_empty_file_counts_as_empty_settings() -> None:
    assert settings.find(settings.add(" \n", WANTED)) == WANTED
    assert settings.find("") == Entries()
