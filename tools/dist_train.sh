#!/usr/bin/env bash
# Train on several devices: tools/dist_train.sh CONFIG DEVICES [flags of train.py ...]
# Several nodes: set NNODES, NODE_RANK, MASTER_ADDR and MASTER_PORT as torchrun knows them.
set -euo pipefail

if [ $# -lt 2 ]; then
    echo "usage: $0 CONFIG DEVICES [flags of train.py ...]" >&2
    exit 2
fi
config=$1
devices=$2
shift 2

tools=$(dirname "$0")
if [ -z "${PYTHON:-}" ]; then
    PYTHON=python3
    [ -x "$tools/../.venv/bin/python" ] && PYTHON=$tools/../.venv/bin/python
fi
if [ "${NNODES:-1}" = 1 ]; then
    place=(--standalone) # picks a free port, so that two runs on one machine do not meet
else
    place=(
        --nnodes="$NNODES"
        --node_rank="${NODE_RANK:?which node is this, from 0}"
        --master_addr="${MASTER_ADDR:?address of node 0}"
        --master_port="${MASTER_PORT:-29500}"
    )
fi

exec "$PYTHON" -m torch.distributed.run "${place[@]}" --nproc_per_node="$devices" \
    "$tools/train.py" "$config" --launcher pytorch "$@"
