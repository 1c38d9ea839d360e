"""What Roost takes for granted about Claude Code, asked of the real one.

A test that fails here after the pinned version changed tells which of our rules no longer stands.
"""

import subprocess
import time

import pytest

from roost.clients.base import Offer, Scan
from roost.clients.claude import Claude as ClaudeClient
from roost.clients.claude.proofs import LATE_MS
from tests.clients.harness import Claude, Fleet, Recorder, bash, call, calls, say, wait_until
from tests.clients.harness.recording import context

pytestmark = pytest.mark.clients

# What a machine under load needs for one step of a client; nothing here is a promise of Roost.
PATIENCE_SECONDS = 60


def look(recorder: Recorder, nonce: str) -> Scan:
    """Look for one offer, made just now, in the transcript of the last hook call."""
    transcript = recorder.firings()[-1].stdin["transcript_path"]
    made = Offer(nonce=nonce, marker=f'offer="{nonce}"', offered_wall=int(time.time() * 1000))
    return ClaudeClient().proofs(transcript, 0, [made])


def found(recorder: Recorder, nonce: str) -> str:
    return look(recorder, nonce).verdicts[0].found


def told(event: str, nonce: str) -> dict[str, str]:
    return context(event, f'<mail offer="{nonce}">')


def wakers(recorder: Recorder) -> list[str]:
    listed = subprocess.run(["pgrep", "-f", f"{recorder.folder} wake"], capture_output=True, text=True, check=False)
    return listed.stdout.split()


def idle_client(fleet: Fleet, name: str) -> Claude:
    """Start a client that had one turn and waits for its person."""
    client = fleet.claude(name, script=[say("ready"), say("next"), say("last")])
    client.type("hello")
    client.wait_request(1)
    client.wait_idle()
    return client


@pytest.mark.parametrize("event", ["SessionStart", "UserPromptSubmit", "PreToolUse", "PostToolBatch", "Stop"])
def test_context_of_a_hook_is_in_the_next_request_once_and_proved(fleet: Fleet, recorder: Recorder, event: str) -> None:
    fleet.settings({"hooks": recorder.hooks([event, "SessionEnd"])})
    recorder.answer(**{event: [told(event, "nonce001")]})
    fleet.ask("one", "hello", script=[bash("echo one"), say("first"), say("second")])
    last = fleet.requests("one")[-1]
    assert last.count('offer="nonce001"') == 1
    assert found(recorder, "nonce001") == "proved"


def test_an_answer_is_in_the_transcript_before_an_absence_is_believed(fleet: Fleet, recorder: Recorder) -> None:
    fleet.settings({"hooks": recorder.hooks(["PostToolBatch", "Stop"])})
    recorder.answer(PostToolBatch=[told("PostToolBatch", "nonce001")], Stop=[{"watch_ms": LATE_MS}])
    fleet.ask("one", "hello", script=[bash("echo one"), say("first")])
    (stop,) = recorder.firings("Stop")
    assert stop.growth, "nothing was written while the hook ran"
    waited_ms = stop.growth[-1][0]
    assert waited_ms < LATE_MS / 2
    assert found(recorder, "nonce001") == "proved"


def test_a_tool_runs_while_its_answer_still_streams_and_that_is_no_proof(fleet: Fleet, recorder: Recorder) -> None:
    fleet.settings({"hooks": recorder.hooks(["PreToolUse"])})
    recorder.answer(PreToolUse=[told("PreToolUse", "nonce001")])
    batch = calls(bash("echo one"), bash("echo two"), block_delay=1.5)
    running = fleet.start_ask("one", "hello", script=[batch, say("done", gate="answer")])
    fleet.wait_request("one", 2)
    wait_until(lambda: found(recorder, "nonce001") == "shown", "the text in the transcript", timeout=PATIENCE_SECONDS)
    fleet.open_gate("answer")
    running.communicate(timeout=PATIENCE_SECONDS)
    assert found(recorder, "nonce001") == "proved"


def test_a_refused_tool_call_tells_the_agent_why(fleet: Fleet, recorder: Recorder) -> None:
    refusal = (
        '{"hookSpecificOutput": {"hookEventName": "PreToolUse", "permissionDecision": "deny", '
        '"permissionDecisionReason": "held by planner", "additionalContext": "<mail offer=\\"nonce001\\">"}}'
    )
    fleet.settings({"hooks": recorder.hooks(["PreToolUse"])})
    recorder.answer(PreToolUse=[{"stdout": refusal}])
    edit = call("Write", file_path=str(fleet.repo / "new.txt"), content="x")
    fleet.ask("one", "hello", script=[edit, say("done")])
    last = fleet.requests("one")[-1]
    assert "held by planner" in last
    assert 'offer="nonce001"' in last
    assert not (fleet.repo / "new.txt").exists()


def test_a_running_client_takes_hooks_that_come_and_go_in_the_users_settings(fleet: Fleet, recorder: Recorder) -> None:
    client = idle_client(fleet, "one")
    fleet.settings({"hooks": recorder.hooks(["Stop"])})
    # The client looks at its settings every second or so.
    time.sleep(3)
    client.type("again")
    wait_until(lambda: recorder.firings("Stop"), "a hook that came later", timeout=PATIENCE_SECONDS)
    fleet.settings({})
    time.sleep(3)
    client.type("and again")
    client.wait_request(3)
    client.wait_idle()
    assert len(recorder.firings("Stop")) == 1


def test_a_waker_wakes_an_idle_client_within_two_seconds(fleet: Fleet, recorder: Recorder) -> None:
    fleet.settings({"hooks": recorder.hooks(["SessionStart"], waker_on=["SessionStart"])})
    client = idle_client(fleet, "one")
    before = time.time()
    recorder.wake('<mail offer="nonce001">')
    woken = client.wait_request(2)
    assert 'offer="nonce001"' in woken
    assert woken.at - before < 2


def test_a_waker_that_speaks_to_a_busy_client_is_heard_after_the_tool(fleet: Fleet, recorder: Recorder) -> None:
    fleet.settings({"hooks": recorder.hooks(["SessionStart", "PostToolBatch"], waker_on=["SessionStart"])})
    client = fleet.claude("one", script=[bash("sleep 3"), say("done")])
    client.type("hello")
    client.wait_request(1)
    client.wait_screen("sleep 3")
    recorder.wake('<mail offer="nonce001">')
    wait_until(lambda: found(recorder, "nonce001") == "shown", "the client's queue", timeout=PATIENCE_SECONDS)
    assert not recorder.firings("PostToolBatch")
    assert client.wait_request(2).count('offer="nonce001"') == 1
    client.wait_idle()
    wait_until(lambda: found(recorder, "nonce001") == "proved", "the proof", timeout=PATIENCE_SECONDS)


def test_a_waker_outlives_a_killed_client_and_must_look_for_itself(fleet: Fleet, recorder: Recorder) -> None:
    fleet.settings({"hooks": recorder.hooks(["SessionStart"], waker_on=["SessionStart"])})
    client = idle_client(fleet, "one")
    client.kill()
    time.sleep(1)
    assert wakers(recorder)
    recorder.wake("good night")
    wait_until(lambda: not wakers(recorder), "the waker's end", timeout=PATIENCE_SECONDS)


def test_a_waker_ends_with_a_client_that_leaves(fleet: Fleet, recorder: Recorder) -> None:
    fleet.settings({"hooks": recorder.hooks(["SessionStart"], waker_on=["SessionStart"])})
    client = idle_client(fleet, "one")
    client.exit()
    wait_until(lambda: not wakers(recorder), "the waker's end", timeout=PATIENCE_SECONDS)


def test_a_run_without_a_terminal_waits_for_its_wakers(fleet: Fleet, recorder: Recorder) -> None:
    """So a waker must not sit beside one."""
    fleet.settings({"hooks": recorder.hooks(["Stop"], waker_on=["Stop"])})
    running = fleet.start_ask("one", "hello", script=[say("done")])
    wait_until(lambda: recorder.firings("Stop"), "the end of the turn", timeout=PATIENCE_SECONDS)
    with pytest.raises(subprocess.TimeoutExpired):
        running.wait(timeout=4)
    assert recorder.firings("Stop")[0].env["CLAUDE_CODE_SESSION_ATTENDED"] == "0"
    running.kill()
    running.communicate()
    recorder.wake("good night")


def test_clear_keeps_the_process_and_changes_session_and_transcript(fleet: Fleet, recorder: Recorder) -> None:
    fleet.settings({"hooks": recorder.hooks(["SessionStart", "SessionEnd"])})
    client = idle_client(fleet, "one")
    client.type("/clear")
    wait_until(lambda: len(recorder.firings("SessionStart")) == 2, "the clearing", timeout=PATIENCE_SECONDS)
    first, second = recorder.firings("SessionStart")
    assert second.stdin["source"] == "clear"
    assert first.stdin["session_id"] != second.stdin["session_id"]
    assert first.stdin["transcript_path"] != second.stdin["transcript_path"]
    assert first.env["CLAUDE_PID"] == second.env["CLAUDE_PID"] == str(client.pid)


def test_context_after_compaction_reaches_the_next_request(fleet: Fleet, recorder: Recorder) -> None:
    fleet.settings({"hooks": recorder.hooks(["SessionStart", "PostCompact"])})
    recorder.answer(SessionStart=[{}, told("SessionStart", "nonce001")])
    client = idle_client(fleet, "one")
    client.type("/compact")
    wait_until(lambda: recorder.firings("PostCompact"), "the compaction", timeout=PATIENCE_SECONDS)
    client.wait_idle()
    client.type("go on")
    assert 'offer="nonce001"' in client.wait_request(2)
    assert recorder.firings("SessionStart")[1].stdin["source"] == "compact"


def test_the_sessions_of_one_fleet_are_apart(fleet: Fleet, recorder: Recorder) -> None:
    fleet.settings({"hooks": recorder.hooks(["UserPromptSubmit"])})
    one, two = fleet.claude("one", script=[say("1")]), fleet.claude("two", script=[say("2")])
    one.type("to the first")
    two.type("to the second")
    assert "to the first" in one.wait_request(1)
    assert "to the second" in two.wait_request(1)
    assert "to the second" not in one.wait_request(1)
    assert {firing.env["CLAUDE_PID"] for firing in recorder.firings()} == {str(one.pid), str(two.pid)}


def test_variables_that_a_start_hook_exports_reach_the_agents_shell(fleet: Fleet) -> None:
    export = {"type": "command", "command": """echo "export ROOST_SESSION='s 1'" >> "$CLAUDE_ENV_FILE" """}
    fleet.settings({"hooks": {"SessionStart": [{"hooks": [export]}]}})
    fleet.ask("one", "hello", script=[bash('echo "session=$ROOST_SESSION."'), say("done")])
    assert "session=s 1." in fleet.requests("one")[-1]


def test_a_start_hook_names_the_window(fleet: Fleet, recorder: Recorder) -> None:
    fleet.settings({"hooks": recorder.hooks(["SessionStart"])})
    title = '{"hookSpecificOutput": {"hookEventName": "SessionStart", "sessionTitle": "builder"}}'
    recorder.answer(SessionStart=[{"stdout": title}])
    client = idle_client(fleet, "one")
    wait_until(
        lambda: "builder" in client.pane.ask("#{pane_title}"),
        "the title",
        timeout=PATIENCE_SECONDS,
        detail=lambda: client.pane.ask("#{pane_title}"),
    )
