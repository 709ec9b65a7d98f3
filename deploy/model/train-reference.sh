#!/usr/bin/env bash
# How reference.onnx was made, from the Train and Val folders of the reference set: two teachers,
# trained as `make reference` does but on the full-size originals of Train too, and a student that
# learns from both teachers and from the labels.
# Usage: deploy/model/train-reference.sh DATA OUT, where DATA has seed28/ and seed_full/, each with
# Train/ and Val/. A step whose result is there is skipped.
set -euo pipefail
DATA=$1 OUT=$2
trainer() { "${PYTHON:-.venv/bin/python}" -m trainer "$@"; }
trained() { # trained OUT OPTIONS…: train, unless OUT has a checkpoint
  [ -e "$1/checkpoint.pt" ] || trainer train --out "$@"
}
recipe=(--network deep --channels 1 --light 0.4 --damage 0.4 --occluders 0.4 --cut-masks 0.4
  --geometry 1.6 --mirror --threads 1)
train=(--data "$DATA/seed28/Train" --data "$DATA/seed_full/Train"
  --validation "$DATA/seed28/Val" --no-report)

trained "$OUT/teacher1" "${train[@]}" "${recipe[@]}" --samples 600000 &
trained "$OUT/teacher2" "${train[@]}" "${recipe[@]}" --samples 600000 --seed 1
wait
[ -e "$OUT/crossval.json" ] ||
  trainer crossval --data "$DATA/seed28/Train" --data "$DATA/seed28/Val" \
    --also "$DATA/seed_full/Train" "${recipe[@]}" --samples 300000 --out "$OUT" &
trained "$OUT/student" "${train[@]}" "${recipe[@]}" --samples 600000 --seed 5 \
  --teacher "$OUT/teacher1/checkpoint.pt" --teacher "$OUT/teacher2/checkpoint.pt"
wait
trainer export --checkpoint "$OUT/student/checkpoint.pt" --crossval "$OUT/crossval.json" \
  --precision int8 --out "$OUT/reference.onnx"
