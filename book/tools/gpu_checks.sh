#!/bin/sh
# What only a GPU can show, in under eight minutes. Results go into a folder.
#
#   sh book/tools/gpu_checks.sh OUT [BACKBONE]          on a GPU; BACKBONE, for the LoCoMo cell, is nano if none is given
#   DRY=1 sh book/tools/gpu_checks.sh OUT               the same way on a CPU: smallest size, few steps, generated conversations
#
# 1. Flan-T5-XL's form in bfloat16: encode, write, a training step, generation; peak memory next to the plan.
# 2. One minute of mini's pre-training.
# 3. One cell of the published experiment on LoCoMo: the paper's ten epochs, then the whole control battery.
# A step that fails or takes too long does not stop the others.
out=${1:?expected a folder for the results}
backbone=${2:-nano}
lmem=${LMEM:-lmem}
if [ -n "$DRY" ]; then
  bench="--dry-run" device=cpu minutes=0.05 limit=300 data=tinyworld  # one core measures mini for three minutes
  train="--conversations 4 --turns 12 --steps 2" evaluate="--conversations 2 --turns 12"
else
  bench="--sizes flan-t5-xl" device=cuda minutes=1 limit=90 data=locomo train="" evaluate="--knowledge"
fi
mkdir -p "$out"
failed=0
check() {  # seconds at most, command
  echo "== $*"
  timeout "$@" || failed=$((failed + 1))
}
check 180 $lmem bench gpu $bench --out "$out/gpu.json"
check $limit $lmem pretrain mini --minutes $minutes --device $device --out "$out/mini"
check 100 $lmem train --preset paper --method m3 --backbone "$backbone" --data $data $train --out "$out/m3"
check 100 $lmem evaluate --adapter "$out/m3" --data $data --controls all $evaluate --out "$out/m3.json"
echo "$failed of 4 checks failed"
exit $failed
