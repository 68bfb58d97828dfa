# Sourced by the other jobs, and by people, from the repository's root: .venv first on PATH, and MPIRUN, the launcher of the
# MPI that .venv was built with.
. .venv/bin/activate
export MPIRUN=$(cat .venv/mpirun)

# Open MPI refuses to start as root (containers), or with more ranks than cores (tests), unless told that it is meant; ranks
# that wait then give their core away. MPICH ignores all of these. (OMPI_: 4.x, PRTE_: 5.x.)
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export OMPI_MCA_rmaps_base_oversubscribe=1 PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe
export OMPI_MCA_mpi_yield_when_idle=1
# Two jobs on one machine would otherwise be bound to the same cores. Slurm binds by itself.
export OMPI_MCA_hwloc_base_binding_policy=none PRTE_MCA_hwloc_default_binding_policy=none
# The last word on an error is hpcgen's, not the launcher's banner.
export OMPI_MCA_orte_execute_quiet=1
