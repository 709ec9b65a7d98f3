#!/usr/bin/env bash
# How mask.onnx was made: two larger networks, a small one that learns from them and from the labels, and the band from doors left out.
# deploy/model/train.sh DATA OUT, where DATA holds seed28/, seed_full/, pool/ and pool2/. Steps that have left their result are not repeated.
set -euo pipefail
DATA=$1 OUT=$2
trainer() { "${PYTHON:-.venv/bin/python}" -m trainer "$@"; }
recipe=(--data "$DATA/seed_full/Train" --data "$DATA/seed28/Train" --data "$DATA/pool" --data "$DATA/pool2"
  --favour seed28-Train=1.5 --synthetic-masks 0.4 --cut-masks 0.2 --threads 1)
for source in utkface_subset lfw_deepfunneled karanfriends_actors facemask12k widerface_subset karanfriends_street rmfd_part1_scenes; do
  recipe+=(--tight "$source")
done

# One core each, side by side.
[ -e "$OUT/teacher1/checkpoint.pt" ] ||
  trainer train "${recipe[@]}" --no-report --out "$OUT/teacher1" --network deep --width 1.25 --samples 1000000 --seed 11 &
[ -e "$OUT/teacher2/checkpoint.pt" ] ||
  trainer train "${recipe[@]}" --no-report --out "$OUT/teacher2" --network residual --width 2 --samples 700000 --seed 12 &
wait
[ -e "$OUT/loso/loso.json" ] ||
  trainer loso "${recipe[@]}" --out "$OUT/loso" --network residual --samples 80000 --seeds 3 \
    --door chandrikadeb7=chandrikadeb7_webmix --door facemask12k=facemask12k --door karanfriends_street=karanfriends_street \
    --door rmfd_widerface=rmfd_part1_scenes,widerface_subset --door reference_set=seed28-Train,seed_full-Train \
    --door utkface=utkface_subset --door lfw=lfw_deepfunneled --door karanfriends_actors=karanfriends_actors \
    --door maskedfacenet=maskedfacenet_synthetic --door virajdeshwal=virajdeshwal_street &
[ -e "$OUT/student/checkpoint.pt" ] ||
  trainer train "${recipe[@]}" --data "$DATA/seed28/Val" --data "$DATA/seed_full/Val" --no-report --out "$OUT/student" \
    --network residual --samples 1000000 --seed 1 --teacher "$OUT/teacher1/checkpoint.pt" --teacher "$OUT/teacher2/checkpoint.pt" &
wait
trainer export --checkpoint "$OUT/student/checkpoint.pt" --loso "$OUT/loso/loso.json" --out "$OUT/mask.onnx" \
  --threshold 0.5 --judge rmfd_widerface --judge karanfriends_street --judge chandrikadeb7 --judge facemask12k # real masks and bare faces both
