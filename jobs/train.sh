#!/usr/bin/env bash
# Train a GAN on real handwritten digits, on this machine. Run it again to resume. If all steps are done, it
# says so.
#
#   jobs/train.sh                             2 ranks, jobs/digits.toml, run folder runs/digits
#   RANKS=4 jobs/train.sh --set train.steps=20000
set -euo pipefail
cd "$(dirname "$0")/.."
jobs/setup.sh
. jobs/environment.sh

ranks=${RANKS:-2}
[ -e data/digits.h5 ] || "$MPIRUN" -n "$ranks" hpcgen prepare digits data/digits.h5
# The ranks write through the launcher's pipes and cannot detect a terminal. This script passes the choice.
[ -t 2 ] && progress=bar || progress=lines
exec "$MPIRUN" -n "$ranks" hpcgen train jobs/digits.toml --run runs/digits --progress "$progress" "$@"
