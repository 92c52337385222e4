#!/bin/sh
# Maps to species: a small vision transformer on near-field maps of 32 x 32 pixels of 11 molecules.
# More epochs and samples tell more of them apart.
# Run: sh examples/train_maps.sh [SAMPLES]    writes into ./maps
set -eu
samples=${1:-20000}
mkdir maps && cd maps

tersgen build --n "$samples" --out data.zarr \
    --set map.height=32 --set map.width=32 --set fields.spectra=false --set fields.sticks=false
tersgen split data.zarr --ratios train=0.8,val=0.1,test=0.1

# on a GPU add --amp bf16, or take a larger model: vit:tiny, vit:small, vit:base
ters-train fit --data data.zarr --model vit --out run --epochs 5
ters-train evaluate run --data data.zarr --part test
