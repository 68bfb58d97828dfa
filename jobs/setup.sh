#!/usr/bin/env bash
# Set up hpcgen: an MPI, an HDF5 built with that MPI, and .venv with mpi4py, parallel h5py, hpcgen and its kernels in C.
#
#   jobs/setup.sh                    Open MPI, or the MPI that an earlier set-up chose
#   MPI=mpich jobs/setup.sh          MPICH
#   PYTHON=python3.12 jobs/setup.sh  another interpreter than python3; later set-ups keep it
#
# With apt, and as root or with sudo without a password, it installs what is missing. Elsewhere it takes the site's mpicc and
# parallel HDF5: load their modules first. HDF5_DIR names an HDF5 that has no h5pcc on PATH.
set -euo pipefail
cd "$(dirname "$0")/.."

die() { printf 'jobs/setup.sh: %s\n' "$*" >&2; exit 1; }

python=${PYTHON:-$([ -x .venv/bin/python ] && echo .venv/bin/python || echo python3)}
command -v "$python" >/dev/null || die "no $python; install Python >= 3.10 (apt: python3) or set PYTHON"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' || die "$("$python" -V 2>&1) is too old; hpcgen needs Python >= 3.10 (set PYTHON)"
# The interpreter that makes .venv. Once .venv is active, python3 is .venv's own: take the one behind it.
python=$("$python" -c 'import sys; print("%s/bin/python3.%d" % (sys.base_prefix, sys.version_info[1]))')

mpi=${MPI:-$(cat .venv/mpi 2>/dev/null || echo openmpi)}
case $mpi in openmpi|mpich) ;; *) die "MPI=$mpi: choose openmpi or mpich" ;; esac

# Compile the kernels, unless they are up to date. Without them NumPy computes the same bits, slower.
kernels() {
    .venv/bin/python -c 'import hpcgen.nn.kernels.compiled' 2>/dev/null && return
    CC=${CC:-$(command -v cc || command -v gcc || echo "$1")} .venv/bin/python -m hpcgen.nn.kernels.build >/dev/null \
        || echo "jobs/setup.sh: the kernels could not be compiled (CC names the compiler): hpcgen runs without them, slower" >&2
}

# Stop here if the same inputs were set up before.
inputs=$({ cat setup.cfg pyproject.toml jobs/setup.sh; pwd; "$python" -c 'import sys; print(sys.version, sys.base_prefix)'; echo "$mpi"; } | sha256sum)
[ "$(cat .venv/setup-done 2>/dev/null)" = "$inputs" ] && { kernels mpicc; exit 0; }

# 1. MPI and parallel HDF5: from the site's modules if an mpicc is loaded, else from the distribution's packages.
site=$(command -v mpicc || true); case $site in /usr/bin/*|/bin/*) site= ;; esac
sudo=(); [ "$(id -u)" = 0 ] || sudo=(sudo -n)
if [ -z "$site" ] && command -v apt-get >/dev/null && { [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }; then
    packages=(libhdf5-$mpi-dev pkg-config)
    [ "$mpi" = openmpi ] && packages+=(openmpi-bin libopenmpi-dev) || packages+=(mpich libmpich-dev)
    command -v cc >/dev/null || packages+=(gcc libc6-dev)
    "$python" -c 'import ensurepip' 2>/dev/null || packages+=("$("$python" -c 'import sys; print("python3.%d-venv" % sys.version_info[1])')")
    "$python" -c 'import os, sysconfig; raise SystemExit(not os.path.exists(sysconfig.get_path("include") + "/Python.h"))' \
        || packages+=("$("$python" -c 'import sys; print("python3.%d-dev" % sys.version_info[1])')")
    missing=()
    for package in "${packages[@]}"; do
        dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
    done
    if [ ${#missing[@]} -gt 0 ]; then
        echo "installing ${missing[*]}"
        install=("${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends -o Dpkg::Use-Pty=0)
        "${install[@]}" "${missing[@]}" >/dev/null 2>&1 || { "${sudo[@]}" apt-get update -qq; "${install[@]}" "${missing[@]}" >/dev/null; }
    fi
fi
kind=.$mpi; [ -z "$site" ] || kind=
mpicc=$(command -v "mpicc$kind" || command -v mpicc) \
    || die "no mpicc: load a module with an MPI (such as 'module load openmpi') or install the package lib$mpi-dev"
mpirun=$(command -v "mpirun$kind" || command -v mpirun || command -v srun) \
    || die "no mpirun or srun: load a module with an MPI (such as 'module load openmpi') or install the package ${mpi/openmpi/openmpi-bin}"
hdf5=${HDF5_DIR:-${HDF5_ROOT:-}}
debian=$(echo /usr/lib/*-linux-gnu*/hdf5/"$mpi")
[ -n "$hdf5$site" ] || [ ! -e "$debian/include/hdf5.h" ] || hdf5=$debian
[ -n "$hdf5" ] || ! h5pcc=$(command -v h5pcc) || hdf5=$(cd "$(dirname "$h5pcc")/.." && pwd)
[ -e "$hdf5/include/H5pubconf.h" ] || [ -e "$hdf5/include/hdf5.h" ] \
    || die "no parallel HDF5: load a module with one (such as 'module load hdf5-parallel'), or set HDF5_DIR, or install libhdf5-$mpi-dev"
grep -qs 'define H5_HAVE_PARALLEL 1' "$hdf5"/include/H5pubconf*.h \
    || die "the HDF5 in $hdf5 is not parallel: load a module with an HDF5 built with MPI, or set HDF5_DIR to one"

# 2. The virtual environment. h5py is compiled against that MPI and HDF5. Its wheel is cached under a key of both:
#    pip's own cache would return the wheel of another MPI.
echo "setting up .venv with $mpi ($mpicc) and HDF5 in $hdf5"
"$python" -m venv --clear .venv || die "python -m venv failed: install the package python3-venv"
export PIP_DISABLE_PIP_VERSION_CHECK=1
pip=(.venv/bin/python -m pip)
# mpi4py's wheel serves several MPIs. It opens the first libmpi.so that it finds, and looks in .venv/lib first: a library
# there that links this MPI decides. Debian's MPICH is named libmpich.so.12, but the wheel asks for libmpi.so.12.
soname=(); case $("$mpicc" -show 2>/dev/null) in *-lmpich*) soname=(-Wl,-soname,libmpi.so.12) ;; esac
"$mpicc" -shared -fPIC -Wl,--no-as-needed "${soname[@]}" -x c /dev/null -o .venv/lib/libmpi.so \
    || die "$mpicc cannot link a library: load the module of its compiler, or install gcc"
echo "$mpi" > .venv/mpi
echo "$mpirun" > .venv/mpirun
MPICC=$mpicc "${pip[@]}" install -q 'setuptools>=77' wheel 'Cython>=3' pkgconfig 'numpy>=2' 'mpi4py>=4'
key=$({ "$mpicc" -show 2>/dev/null || "$mpicc" --version; cat "$hdf5"/include/H5pubconf*.h; .venv/bin/python -VV; \
    "${pip[@]}" freeze | grep -iE '^(numpy|mpi4py|cython)='; } | sha256sum | cut -c1-16)
echo "building h5py with MPI (about a minute, once), and installing the rest meanwhile"
CC=$mpicc HDF5_MPI=ON HDF5_DIR=$hdf5 CFLAGS="-O1 -g0" "${pip[@]}" wheel -q --no-deps --no-build-isolation --no-binary=h5py \
    --cache-dir "${XDG_CACHE_HOME:-$HOME/.cache}/hpcgen/$key" -w .venv/wheels 'h5py>=3.11' > .venv/h5py.log 2>&1 &
h5py=$!
.venv/bin/python - > .venv/requirements.txt <<'PYTHON'
from setuptools.config.setupcfg import read_configuration

options = read_configuration("setup.cfg")["options"]
print(*options["install_requires"], *sum(options["extras_require"].values(), []), sep="\n")
PYTHON
grep -v '^h5py' .venv/requirements.txt | "${pip[@]}" install -q -r /dev/stdin
wait $h5py || { cat .venv/h5py.log >&2; die "h5py could not be built with $mpicc and the HDF5 in $hdf5"; }
"${pip[@]}" install -q --no-deps .venv/wheels/h5py-*.whl
"${pip[@]}" install -q --no-build-isolation --no-deps -e .
kernels "$mpicc"

# 3. Proof: two ranks of that MPI write one HDF5 file together.
proof=$(mktemp -d)
trap 'rm -rf "$proof"' EXIT
. jobs/environment.sh
timeout 60 "$MPIRUN" -n 2 python -c '
import sys
import h5py
import numpy
from mpi4py import MPI

comm = MPI.COMM_WORLD
assert comm.size == 2, f"mpi4py took another MPI than the launcher belongs to: {MPI.Get_library_version()}"
with h5py.File(sys.argv[1], "w", driver="mpio", comm=comm) as file:
    dataset = file.create_dataset("rank", (2,), "i4")
    with dataset.collective:
        dataset[comm.rank : comm.rank + 1] = numpy.array([comm.rank], "i4")
' "$proof/proof.h5" || die "two ranks could not write one HDF5 file with $mpirun: does it belong to $mpicc and to the HDF5 in $hdf5?"
echo "$inputs" > .venv/setup-done
echo "set up: $(.venv/bin/python -c 'import h5py; print(f"h5py {h5py.__version__}, HDF5 {h5py.version.hdf5_version}")'), $mpi; activate with '. jobs/environment.sh'"
