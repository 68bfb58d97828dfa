#!/usr/bin/env bash
# Run all tests: first the tests that start jobs, then all others at 1, 2, 3 and 4 ranks. At more than one rank,
# only tests that use a communicator run. Arguments are passed to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."
jobs/setup.sh
. jobs/environment.sh

python -m pytest tests/launched "$@"
export NO_COLOR=1  # Open MPI gives the ranks a terminal, even if the output is a file
for ranks in 1 2 3 4; do
    echo "== $ranks ranks"
    "$MPIRUN" -n "$ranks" python -m pytest tests --ignore tests/launched "$@"
done
