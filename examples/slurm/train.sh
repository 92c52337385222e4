#!/usr/bin/env bash
#SBATCH --job-name=ters-train
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=4
#SBATCH --cpus-per-task=8
#SBATCH --time=8:00:00
#SBATCH --signal=TERM@120
##SBATCH --gpus-per-node=4
# Training on several hosts, with one process for each GPU: take one # from the last line above if there
# are any, and change the others to what you have. With ters-train on the PATH:
#
#   DATA=/shared/data.zarr OUT=/shared/runs/cnn sbatch train.sh [--model vit ...]
#
# Two minutes before its time is over, or when it is cancelled, it saves where it is. The same command
# goes on, on another number of hosts too. srun starts the processes; with LAUNCHER=torchrun, torchrun.
set -euo pipefail
: "${DATA:?expected a dataset on shared storage}" "${OUT:?expected a folder on shared storage}"

jobs=$(squeue --noheader --states running,completing --format %A)
noted=${OUT%/}.slurm-job # beside the run's folder, which a new run expects to be empty
before=$(cat "$noted" 2>/dev/null || true)
if [ "$before" != "$SLURM_JOB_ID" ] && grep -qx "${before:-none}" <<<"$jobs"; then
    echo "$OUT: job $before is training it; wait for it, or scancel it" >&2
    exit 1
fi
mkdir -p "$(dirname "$OUT")"
echo "$SLURM_JOB_ID" >"$noted"
what=(--data "$DATA" --out "$OUT" "$@")
if [ -f "$OUT/config.json" ]; then
    # the job before is gone, and with it who still seems to write there from another host
    what=(--resume "$OUT" ${before:+--take-over})
fi
export SRUN_CPUS_PER_TASK=${SLURM_CPUS_PER_TASK:-1} # which srun does not take from the job by itself

if [ "${LAUNCHER:-srun}" = srun ]; then
    exec srun --kill-on-bad-exit=1 python -m ters_train fit "${what[@]}"
fi
first=${MASTER_ADDR:-$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)}
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-$SRUN_CPUS_PER_TASK}
exec srun --ntasks "$SLURM_NNODES" --ntasks-per-node 1 torchrun --nnodes "$SLURM_NNODES" \
    --nproc-per-node "$SLURM_NTASKS_PER_NODE" --rdzv-backend c10d --rdzv-id "$SLURM_JOB_ID" \
    --rdzv-endpoint "$first:29500" -m ters_train fit "${what[@]}"
