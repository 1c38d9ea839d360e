"""Which shell commands rewrite a worktree."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.turns.shell import COMMAND_CHARS_MAX, Rewrite, rewrites

CWD = "/repo"


def found(command: str) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(one.action, one.folder, one.paths) for one in rewrites(command, CWD)]


@pytest.mark.parametrize(
    ("command", "action"),
    [
        ("git checkout main", "checkout"),
        ("git checkout -", "checkout"),
        ("git checkout -b topic origin/main", "checkout"),
        ("git switch main", "switch"),
        ("git switch --discard-changes main", "switch"),
        ("git reset --hard", "reset"),
        ("git reset --hard HEAD~1", "reset"),
        ("git reset --merge", "reset"),
        ("git stash", "stash"),
        ("git stash pop", "stash"),
        ("git stash push -u -m 'half done'", "stash"),
        ("git clean -fd", "clean"),
        ("git restore .", "restore"),
        ("git restore --staged --worktree .", "restore"),
        ("GIT_PAGER=cat FOO=1 git checkout main", "checkout"),
        ("/usr/bin/git stash", "stash"),
        ("git --no-pager -c core.pager=cat checkout main", "checkout"),
        ("sudo -n git clean -fdx", "clean"),
        ("timeout 5 git stash", "stash"),
        ("env A=b git stash", "stash"),
        ("make && git checkout main", "checkout"),
        ("make||git checkout main", "checkout"),
        ("make;git checkout main", "checkout"),
        ("(git stash)", "stash"),
        ("if true; then git stash; fi", "stash"),
        ("echo $(git stash)", "stash"),
        ("echo `git stash`", "stash"),
        ("git status\ngit reset --hard", "reset"),
        ("git \\\n  reset \\\n  --hard", "reset"),
        ("# tidy up\ngit reset --hard", "reset"),
        ("git 'checkout' \"main\"", "checkout"),
        ('bash -lc "git checkout main"', "checkout"),
        ("sh -c 'make && git stash'", "stash"),
        ("eval git stash", "stash"),
        ("cat <<EOF > note\nit's text\nEOF\ngit stash", "stash"),
        ("git stash > out.txt 2>&1", "stash"),
        ("echo 'open quote; git stash", "stash"),
    ],
)
def test_a_rewriting_command_is_recognised_however_it_is_written(command: str, action: str) -> None:
    assert found(command) == [(action, CWD, ())]


@pytest.mark.parametrize(
    "command",
    [
        "",
        "git status",
        "git log --oneline",
        "git checkout -b topic",
        "git switch -c topic",
        "git reset",
        "git reset --soft HEAD~1",
        "git reset HEAD a.txt",
        "git stash list",
        "git stash show -p",
        "git clean -n",
        "git clean -nfd",
        "git clean --dry-run",
        "git restore --staged a.txt",
        "git restore -S .",
        "git commit -m 'git checkout main'",
        "echo git checkout main",
        "grep -rn 'git stash' docs",
        "cat <<'EOF' > howto.md\ngit checkout main\nEOF",
        "make # git stash",
        "gitk checkout",
        "git",
        "git -C",
        "bash -c",
    ],
)
def test_a_command_that_leaves_the_worktree_alone_is_not_held_up(command: str) -> None:
    assert found(command) == []


@pytest.mark.parametrize(
    ("command", "folder"),
    [
        ("git -C sub checkout main", "/repo/sub"),
        ("git -C /other checkout main", "/other"),
        ("git -C a -C b checkout main", "/repo/a/b"),
        ("git --work-tree=/other checkout main", "/other"),
        ("git --git-dir /x/.git --work-tree /other checkout main", "/other"),
        ("cd sub && git checkout main", "/repo/sub"),
        ("cd .. && git checkout main", "/"),
        ("cd $HOME/x && git checkout main", CWD),
        ("pushd /other; git checkout main", "/other"),
    ],
)
def test_the_folder_is_the_one_that_the_command_runs_in(command: str, folder: str) -> None:
    assert found(command) == [("checkout", folder, ())]


@pytest.mark.parametrize(
    ("command", "paths"),
    [
        ("git checkout -- a.txt src/b.py", ("/repo/a.txt", "/repo/src/b.py")),
        ("git checkout HEAD~1 -- a.txt", ("/repo/a.txt",)),
        ("git restore a.txt 'with space.txt'", ("/repo/a.txt", "/repo/with space.txt")),
        ("git restore --source HEAD~1 a.txt", ("/repo/a.txt",)),
        ("git restore --source=HEAD~1 -- a.txt", ("/repo/a.txt",)),
        ("git stash push -- a.txt", ("/repo/a.txt",)),
        ("git clean -fd build", ("/repo/build",)),
        ("git checkout -- .", ()),
        ("git restore ':/'", ()),
        ("git restore 'src/*.py'", ()),
        ("git checkout -- $FILES", ()),
    ],
)
def test_only_paths_that_are_named_plainly_narrow_a_rewrite(command: str, paths: tuple[str, ...]) -> None:
    assert [one.paths for one in rewrites(command, CWD)] == [paths]


def test_every_rewriting_command_of_a_chain_is_found() -> None:
    chain = "git stash && cd sub && git checkout main -- a && git stash pop"
    assert rewrites(chain, CWD) == (
        Rewrite("stash", CWD),
        Rewrite("checkout", "/repo/sub", ("/repo/sub/a",)),
        Rewrite("stash", "/repo/sub"),
    )


def test_a_command_too_long_to_read_in_time_is_left_alone() -> None:
    assert rewrites("git stash;" + "x" * COMMAND_CHARS_MAX, CWD) == ()


@given(st.text(alphabet="git chekouts-rn'\"\\$&;|()<>\n#`.{}", max_size=60))
def test_no_text_breaks_the_reading(text: str) -> None:
    rewrites("git " + text, CWD)
