# Source this file from the repository's root: `. jobs/environment.sh`. It puts .venv first on PATH, and sets MPIRUN to the
# launcher of the MPI that .venv was built with.
. .venv/bin/activate
export MPIRUN=$(cat .venv/mpirun)

# Open MPI refuses to start as root (containers) or with more ranks than cores (tests), unless these allow it. Ranks that
# wait then yield their core. MPICH ignores these variables. (OMPI_: Open MPI 4, PRTE_: Open MPI 5.)
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export OMPI_MCA_rmaps_base_oversubscribe=1 PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe
export OMPI_MCA_mpi_yield_when_idle=1
# Without binding by the launcher: it would bind two jobs on one machine to the same cores. Slurm binds by itself.
export OMPI_MCA_hwloc_base_binding_policy=none PRTE_MCA_hwloc_default_binding_policy=none
# hpcgen prints its own error line. The launcher's banner would hide it.
export OMPI_MCA_orte_execute_quiet=1
