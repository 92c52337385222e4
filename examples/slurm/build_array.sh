#!/usr/bin/env bash
# A dataset made by an array of jobs, without Dask. On a login node, with tersgen on the PATH:
#
#   N=1e9 OUT=/shared/data.zarr JOBS=64 bash build_array.sh [--config recipe.toml ...]
#
# It submits itself as an array, each job of which seals its own shards, and a last job that completes
# the dataset. If a job ends too soon, by its walltime say, the last one is dropped: the same command
# again makes what is missing, and only that. SBATCH_PARTITION and SBATCH_ACCOUNT go to sbatch.
set -euo pipefail
: "${N:?expected the number of samples, e.g. N=1e9}" "${OUT:?expected a place on shared storage}"
jobs=${JOBS:-16} cores=${CORES:-8} walltime=${WALLTIME:-4:00:00}

if [ -z "${SLURM_ARRAY_TASK_ID:-}" ]; then
    name="tersgen:$OUT"
    names=$(squeue --noheader --format %j)
    if grep -Fqx "$name" <<<"$names"; then
        echo "$OUT: jobs are making it; wait for them, or scancel --name '$name'" >&2
        exit 1
    fi
    n_shards=$(tersgen plan --n "$N" --json "$@" |
        python -c 'import json, sys; print(json.load(sys.stdin)["n_shards"])')
    export N OUT SHARDS_PER_JOB=$(((n_shards + jobs - 1) / jobs))
    array=$(sbatch --parsable --job-name "$name" --array "0-$(((n_shards - 1) / SHARDS_PER_JOB))" \
        --ntasks 1 --cpus-per-task "$cores" --time "$walltime" "$0" "$@")
    sbatch --job-name "$name" --dependency "afterok:${array%%;*}" --kill-on-invalid-dep yes \
        --ntasks 1 --wrap 'exec tersgen finalize --take-over "$OUT"'
    exit
fi

# jobs before are gone, and with them who still seems to write there from another host: --take-over
first=$((SLURM_ARRAY_TASK_ID * SHARDS_PER_JOB))
exec tersgen build --n "$N" --out "$OUT" --shard-range "$first:$((first + SHARDS_PER_JOB))" \
    --take-over "$@"
