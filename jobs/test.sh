#!/usr/bin/env bash
# Run all tests: first the tests that start jobs, then all others at 1, 2, 3 and 4 ranks. At more than one rank,
# only tests that use a communicator run. Arguments are passed to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."
jobs/setup.sh
. jobs/environment.sh

processes=(--numprocesses auto --maxprocesses 4)
echo "== tests that start jobs"
python -m pytest "${processes[@]}" tests/launched "$@"
echo "== 1 rank"
python -m pytest "${processes[@]}" tests --ignore tests/launched "$@"
export NO_COLOR=1  # Open MPI gives the ranks a terminal, even if the output is a file
for ranks in 2 3 4; do
    echo "== $ranks ranks"
    "$MPIRUN" -n "$ranks" python -m pytest tests --ignore tests/launched "$@"
done
