# Source this file from the repository's root: `. jobs/environment.sh`. It puts .venv first on PATH, and sets
# MPIRUN to the launcher of the MPI with which .venv was built.
. .venv/bin/activate
export MPIRUN=$(cat .venv/mpirun)

# Open MPI refuses to start as root (containers) or with more ranks than cores (tests), unless these variables
# allow it. The last one makes waiting ranks yield their core. MPICH ignores them. (OMPI_: Open MPI 4, PRTE_:
# Open MPI 5.)
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export OMPI_MCA_rmaps_base_oversubscribe=1 PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe
export OMPI_MCA_mpi_yield_when_idle=1
# The launcher must not bind ranks: it would bind two jobs on one machine to the same cores. Slurm binds ranks
# itself.
export OMPI_MCA_hwloc_base_binding_policy=none PRTE_MCA_hwloc_default_binding_policy=none
# hpcgen prints its own error line, which the launcher's banner would hide.
export OMPI_MCA_orte_execute_quiet=1
