#!/bin/sh
# First contact, `make run`: train a defender, compare episodes of it with CybORG, play CAGE-2's evaluation, write a report.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-.venv/bin/python}
config=${CONFIG:-examples/first.toml}
name=first-$(date +%Y%m%d-%H%M%S)

try() {
    printf '\n$ python run.py %s\n' "$*"
    "$python" run.py "$@"
}

try --config "$config" --run-name "$name"
try verify "logs/$name" --episodes 5
try evaluate "logs/$name" --greedy --episodes 500
try report "logs/$name" -o "logs/$name/report.html" --episodes 200

cat <<END

The defender is logs/$name, and what was found is in logs/$name/report.html: open it in a browser.

To try next: look at the worst of 1,000 episodes; measure a defender of your own by the same games; search the 120 workflows.

  $python run.py replay logs/$name --worst-of 1000
  $python run.py evaluate examples/my_agent.py:Agent
  $python run.py --red-agent B_lineAgent
END
