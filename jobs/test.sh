#!/usr/bin/env bash
# Run every test: first those that start jobs of their own, then all others at 1, 2, 3 and 4 ranks (at more than one, those
# that use a communicator). Arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."
jobs/setup.sh
. jobs/environment.sh

python -m pytest tests/launched "$@"
export NO_COLOR=1  # Open MPI gives the ranks a terminal, even where the output is a file
for ranks in 1 2 3 4; do
    echo "== $ranks ranks"
    "$MPIRUN" -n "$ranks" python -m pytest tests --ignore tests/launched "$@"
done
