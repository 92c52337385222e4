#!/usr/bin/env bash
# A dataset made by Dask workers that are jobs of SLURM. On a login node, in tmux, with tersgen on the
# PATH (it stays until the dataset is complete; sbatch instead of bash makes it a job itself):
#
#   N=1e9 OUT=/shared/data.zarr WORKERS=64 bash build_dask.sh [--partition main] [--set seed=1 ...]
#
# Jobs that end too soon are submitted again. If this script itself is ended, the same command goes on.
set -euo pipefail
: "${N:?expected the number of samples, e.g. N=1e9}" "${OUT:?expected a place on shared storage}"

exec tersgen build --n "$N" --out "$OUT" --cluster slurm --workers "${WORKERS:-4}" \
    --cores "${CORES:-8}" --walltime "${WALLTIME:-4:00:00}" "$@"
