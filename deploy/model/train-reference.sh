#!/usr/bin/env bash
# How reference.onnx was made, from DATA/Train and DATA/Val: two teachers, trained as
# `make reference` does, and a student that learns from both teachers and from the labels.
# Usage: deploy/model/train-reference.sh DATA OUT, where DATA has Train/ and Val/.
set -euo pipefail
DATA=$1 OUT=$2
trainer() { "${PYTHON:-.venv/bin/python}" -m trainer "$@"; }
recipe=(--network deep --channels 1 --light 0.4 --damage 0.4 --occluders 0.4 --cut-masks 0.4
  --mirror --threads 1)
train=(train --data "$DATA/Train" --validation "$DATA/Val" --no-report)

trainer "${train[@]}" "${recipe[@]}" --samples 600000 --out "$OUT/teacher1" &
trainer "${train[@]}" "${recipe[@]}" --samples 400000 --out "$OUT/teacher2" &
wait
trainer crossval --data "$DATA/Train" --data "$DATA/Val" "${recipe[@]}" --samples 300000 \
  --out "$OUT" &
trainer "${train[@]}" "${recipe[@]}" --samples 500000 --seed 5 --out "$OUT/student" \
  --teacher "$OUT/teacher1/checkpoint.pt" --teacher "$OUT/teacher2/checkpoint.pt" &
wait
trainer export --checkpoint "$OUT/student/checkpoint.pt" --crossval "$OUT/crossval.json" \
  --precision int8 --out "$OUT/reference.onnx"
