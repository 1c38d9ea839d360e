#!/bin/sh
# Roost's hook command. `roost init` writes this file and rewrites it at an upgrade; an edit by hand is lost.
# Outside a Roost project it ends at once: shell built-ins only, no process is started. The rules by which a project
# is found are those of roost.workdir.find.
python=@PYTHON@
program=@PROGRAM@
newline='
'

hand_over() { # FOLDER CLIENT [WORD]
    [ "${3-}" != http ] || ! is_served "$1" || exit 0
    cd -- "$here" 2>/dev/null || :
    trap 'exit 0' EXIT # an interpreter that cannot be started is no fault of the agent
    exec "$python" -I -S "$program" "$@"
}

is_served() { # FOLDER: a client that `roost run` made of this very process has a daemon that hears of this event by HTTP
    [ -n "${ROOST_HOOKS-}" ] || return 1
    { read -r port pid started <"$1/port"; } 2>/dev/null || return 1
    [ -n "$started" ] && [ "$ROOST_HOOKS" = "http:${CLAUDE_PID-}:$port" ] || return 1
    { read -r facts <"/proc/$pid/stat"; } 2>/dev/null || return 1
    set -- ${facts##*) } # from the third field of proc(5) on: its state, and as the 20th its start
    [ "$1" != Z ] && [ "${20}" = "$started" ]
}

is_ours() { # FOLDER
    [ -d "$1" ] && [ ! -L "$1" ] && [ -O "$1" ]
}

read_link() { # FILE: its text without the last newlines, in $text
    text=
    [ -f "$1" ] && [ -r "$1" ] || return 1
    while IFS= read -r line || [ -n "$line" ]; do
        text=$text$line$newline
    done <"$1"
    while [ "$text" != "${text%"$newline"}" ]; do
        text=${text%"$newline"}
    done
}

find_main() { # FOLDER: the folder beside the repository of a linked worktree, in $main
    read_link "$1/.git" || return 1
    case $text in
    'gitdir: '/*) gitdir=${text#'gitdir: '} ;;
    'gitdir: '*) gitdir=$1/${text#'gitdir: '} ;;
    *) return 1 ;;
    esac
    read_link "$gitdir/commondir" || return 1
    case $text in
    /*) common=$text ;;
    *) common=$gitdir/$text ;;
    esac
    cd -P -- "$common/.." 2>/dev/null || return 1
    main=${PWD%/}
}

unset CDPATH
[ -x "$python" ] && [ -f "$program" ] || exit 0
here=$PWD

if [ -n "${ROOST_DIR-}" ]; then
    cd -P -- "$ROOST_DIR" 2>/dev/null || exit 0
    case $PWD in
    */.roost) found=$PWD ;;
    *) found=${PWD%/}/.roost ;;
    esac
    [ -d "$found" ] || exit 0
    hand_over "$found" "$@"
fi

cd -P -- "${CLAUDE_PROJECT_DIR:-.}" 2>/dev/null || exit 0
folder=${PWD%/}
while :; do
    if find_main "$folder" && is_ours "$main/.roost"; then
        hand_over "$main/.roost" "$@"
    fi
    if is_ours "$folder/.roost"; then
        hand_over "$folder/.roost" "$@"
    fi
    [ -n "$folder" ] || exit 0
    folder=${folder%/*}
done
