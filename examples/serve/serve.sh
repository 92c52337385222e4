#!/bin/bash
#SBATCH --job-name=tersgen-serve
#SBATCH --cpus-per-task=8
#SBATCH --mem=16G
#SBATCH --time=24:00:00
#SBATCH --signal=B:TERM@120
# A server in a job: sbatch examples/serve/serve.sh /shared/datasets; its log has the URL and how to reach it.
set -euo pipefail

root=${1:?usage: sbatch serve.sh FOLDER [OPTION...]}
shift
port=$((20000 + ${SLURM_JOB_ID:-0} % 10000))
echo "on your machine: ssh -N -L $port:127.0.0.1:$port $(hostname)"
# others on the node can reach the port, but need the token, which only you can read in this log
tersgen serve "$root" --port "$port" "$@" &
trap 'kill -TERM $!' TERM
wait $! || wait $!
