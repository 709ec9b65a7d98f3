#!/usr/bin/env bash
# How well two networks together know the reference set: grouped 5-fold cross-validation of each, and
# of the mean of what they say. No network has seen a picture, or a copy of it, that it is asked
# about. About 20 minutes on two cores.
# Usage: deploy/model/crossval-reference.sh DATA OUT, where DATA has seed28/, seed_full/, pool/,
# pool2/ and pool3/. A step whose result is there is skipped.
set -euo pipefail
DATA=$1 OUT=$2
trainer() { "${PYTHON:-.venv/bin/python}" -m trainer "$@"; }
images=(--data "$DATA/seed28/Train" --data "$DATA/seed28/Val" --data "$DATA/seed28/Test")

# A small network of 28 px that learns from the other folds and their full-size originals.
[ -e "$OUT/deep/crossval.json" ] ||
  trainer crossval "${images[@]}" --also "$DATA/seed_full" --out "$OUT/deep" \
    --network deep --channels 1 --mirror --threads 1 --samples 400000 --seed 3 \
    --geometry 1.6 --light 0.4 --damage 0.4 --occluders 0.4 --cut-masks 0.4 &

# A larger one that learned other people in grey first, and then the other folds.
lite=(--network lite0 --side-px 64 --batch 64 --learning-rate 1e-3 --mirror --threads 1 --grey 1
  --synthetic-masks 0 --cut-masks 0)
[ -e "$OUT/start/checkpoint.pt" ] ||
  trainer train --data "$DATA/pool" --data "$DATA/pool2" --data "$DATA/pool3" "${lite[@]}" \
    --pretrained --samples 40000 --light 0.6 --damage 0.6 --fewest-px 20 --occluders 0.2 \
    --no-report --out "$OUT/start"
[ -e "$OUT/lite/crossval.json" ] ||
  trainer crossval "${images[@]}" "${lite[@]}" --start "$OUT/start/checkpoint.pt" \
    --samples 20000 --seed 4 --geometry 1.4 --light 0.4 --damage 0.3 --fewest-px 28 \
    --occluders 0 --out "$OUT/lite"
wait
trainer ensemble --crossval "$OUT/deep/crossval.json" --crossval "$OUT/lite/crossval.json"
