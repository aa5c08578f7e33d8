#!/bin/sh
# First contact, `make run`: train a defender, compare episodes of it with CybORG, play CAGE-2's evaluation, write a report.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-.venv/bin/python}
name=first-$(date +%Y%m%d-%H%M%S)

try() {
    printf '\n$ python run.py %s\n' "$*"
    "$python" run.py "$@"
}

try --config examples/first.toml --run-name "$name"
try verify "logs/$name" --episodes 5
try evaluate "logs/$name" --greedy --episodes 500
try report "logs/$name" -o "logs/$name/report.html" --episodes 200

cat <<END

The defender is logs/$name, the report logs/$name/report.html: open it in a browser. To try next, with .venv/bin/python:

  run.py replay logs/$name --worst-of 1000      look at the worst of 1,000 episodes, and try other choices in it
  run.py evaluate examples/my_agent.py:Agent    measure a defender of your own by the same games
  run.py --red-agent B_lineAgent                search the 120 workflows for the best, 100,000 episodes in some minutes
END
