#!/usr/bin/env bash
# How mask.onnx was made: two teachers start from public weights; a student learns from both and
# from the labels; threshold and band are chosen by doors that were left out.
# Usage: deploy/model/train.sh DATA OUT, where DATA has seed28/, seed_full/, pool/, pool2/, pool3/
# and doors/. A step whose result is there is skipped; an interrupted training is resumed.
set -euo pipefail
DATA=$1 OUT=$2
trainer() { "${PYTHON:-.venv/bin/python}" -m trainer "$@"; }
trained() { # trained OUT OPTIONS…: train or resume, unless OUT has a checkpoint
  [ -e "$1/checkpoint.pt" ] ||
    trainer train --out "$@" $([ ! -e "$1/training.pt" ] || echo --resume)
}
recipe=(--data "$DATA/seed_full/Train" --data "$DATA/seed28/Train"
  --data "$DATA/pool" --data "$DATA/pool2" --data "$DATA/pool3"
  --network lite0 --pretrained --batch 64 --learning-rate 1e-3 --patience 20 --threads 1
  --favour virajdeshwal_street=0.4
  --damage 1.25 --fewest-px 14 --occluders 0 --synthetic-masks 0 --cut-masks 0)
door=(--validation "$DATA/doors/andrewmvd_voc" --no-report)
masktypes=rmanaem_n95,karysutariya_masktypes,smitdesai_masktypes,vyivanov_masks,vasqq_n95

# Two trainings at a time, each on one core.
trained "$OUT/teacher96" "${recipe[@]}" "${door[@]}" --side-px 96 --samples 64000 --seed 11 &
trained "$OUT/teacher64" "${recipe[@]}" "${door[@]}" --side-px 64 --samples 48000 --seed 12
wait
trainer loso "${recipe[@]}" --side-px 64 --samples 16000 --seeds 1 --out "$OUT/loso" \
  --door "pool3=$masktypes,smoker_detection" \
  --door rmfd_widerface=rmfd_part1_scenes,widerface_subset \
  --door karanfriends_street=karanfriends_street \
  --door chandrikadeb7=chandrikadeb7_webmix --door facemask12k=facemask12k &
trained "$OUT/student" "${recipe[@]}" "${door[@]}" \
  --data "$DATA/seed28/Val" --data "$DATA/seed_full/Val" --side-px 64 --samples 80000 --seed 13 \
  --favour smoker_detection=1.5 --favour widerface_subset=2 --favour karanfriends_street=1.5 \
  --favour rmfd_part1_scenes=2 --favour seed28-Train=1.5 --favour seed28-Val=1.5 \
  --damage 1.5 --occluders 0.7 --learning-rate 7e-4 --label-smoothing 0.02 --distil 0.8 --keep-best \
  --start "$OUT/teacher64/checkpoint.pt" \
  --teacher "$OUT/teacher96/checkpoint.pt" --teacher "$OUT/teacher64/checkpoint.pt"
wait
# A coverage of 0.935 for the networks that left doors out is 0.956 for the student: it is surer.
trainer export --checkpoint "$OUT/student/checkpoint.pt" --loso "$OUT/loso/loso.json" \
  --door "$DATA/doors/andrewmvd_voc" --precision int8 \
  --threshold 0.5 --target 0.995 --coverage 0.935 --out "$OUT/mask.onnx"
trainer report --model "$OUT/mask.onnx" --loso "$OUT/loso/loso.json" --out "$OUT/report" \
  --data "$DATA/doors/andrewmvd_voc" --data "$DATA/seed28/Test" \
  --slices deploy/model/slices.csv --tight andrewmvd_voc
