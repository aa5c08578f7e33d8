#!/usr/bin/env bash
# The base installation on each Python that this machine has beside .venv's: an environment of its own, the tests of the
# game and of gymnasium's environments, and an evaluation from the command line, whose numbers are .venv's to the bit.
set -euo pipefail
cd "$(dirname "$0")/.."
versions=(3.11 3.12 3.13)
told=$(mktemp -d)
trap 'rm -rf "$told"' EXIT

evaluate() {  # with a program: the results alone, for what is installed is told, too
    "$@" evaluate restore --episodes 20 --workers 2 --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["scenarios"])'
}

find_python() {  # of a version: on the path, or the newest of pyenv's
    local python
    for python in "python$1" $(printf '%s\n' "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$1".*/bin/python | sort -rV); do
        if "$python" -c 'import sys; raise SystemExit("%d.%d" % sys.version_info[:2] != sys.argv[1])' "$1"; then
            echo "$python"
            return
        fi
    done 2>/dev/null
    return 1
}

try() {  # a Python, in an environment that is made unless it is there
    local python=$1 venv=$2
    test -x "$venv/bin/python" || "$python" -m venv "$venv"
    "$venv/bin/pip" install --quiet --no-compile --editable . hypothesis pytest pytest-asyncio pytest-timeout
    "$venv/bin/python" -m pytest -q -p tests.without_extras --confcutdir=tests/pipeline/cage2 \
        tests/pipeline/cage2/{engine,facts,gym,show}
    evaluate "$venv/bin/cage2-pipeline" | cmp - "$told/evaluated"
}

evaluate .venv/bin/python run.py >"$told/evaluated"
default=$(.venv/bin/python -c 'import sys; print("%d.%d" % sys.version_info[:2])')
declare -A tries
for version in "${versions[@]}"; do
    if [ "$version" != "$default" ] && python=$(find_python "$version"); then
        try "$python" ".venv-$version" >"$told/$version" 2>&1 &
        tries[$version]=$!
    fi
done
status=0
for version in "${!tries[@]}"; do
    wait "${tries[$version]}" && end=passed || end=failed status=1
    cat "$told/$version"
    echo "Python $version: $end"
done
[ ${#tries[@]} -gt 0 ] || echo "there is no other Python here"
exit "$status"
