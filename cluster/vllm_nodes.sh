#!/bin/bash
#SBATCH --job-name=vllm-nodes
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=4
#SBATCH --cpus-per-task=16
#SBATCH --time=04:00:00
# One model over several nodes: `vllm serve` on each of them, then a judge that asks the first. Tensor parallel within
# a node, pipeline parallel between nodes. Never run by this project on GPUs; a test compares its options with vLLM's.
#
#   sbatch cluster/vllm_nodes.sh meta-llama/Llama-3.3-70B-Instruct \
#     judge=llama33_70b dataset=jsonl dataset.path=answers.jsonl
#
# The judge's yaml should have the same model and dtype: they are part of its verdicts' keys.
set -euo pipefail

model=$1
shift
python=${LLM_JURIES_VLLM_PYTHON:-python}
head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
judge=$(printf '%s\n' "$@" | sed -n 's/^judge=//p')

srun --nodes="$SLURM_JOB_NUM_NODES" --ntasks-per-node=1 bash -c '
  headless=$([ "$SLURM_NODEID" -eq 0 ] || echo --headless)
  exec "$1" -m vllm.entrypoints.cli.main serve "$2" --host 0.0.0.0 --port 8000 $headless \
    --nnodes "$SLURM_JOB_NUM_NODES" --node-rank "$SLURM_NODEID" --master-addr "$3" \
    --tensor-parallel-size "$SLURM_GPUS_ON_NODE" --pipeline-parallel-size "$SLURM_JOB_NUM_NODES" \
    --max-model-len 4096 --enable-prefix-caching --enable-prompt-tokens-details \
    --logprobs-mode processed_logprobs --hf-overrides "{\"head_dtype\": \"float32\"}"
' _ "$python" "$model" "$head" &
server=$!
trap 'kill "$server" 2>/dev/null || true' EXIT

until curl --silent --fail "http://$head:8000/health" >/dev/null; do
  kill -0 "$server" || { echo "vllm serve ended" >&2; exit 1; }
  sleep 5
done
llm-juries judge "$@" "judges.$judge.backend=server" "judges.$judge.runtime.base_url=http://$head:8000/v1"
