#!/bin/sh
# Spectra and maps together to species and Raman tensors: a CNN and a vision transformer, whose
# features are joined; the loss on the tensors is added with a weight of 0.1.
# Run: sh examples/train_joint.sh [SAMPLES]    writes into ./joint
set -eu
samples=${1:-20000}
mkdir joint && cd joint

tersgen build --n "$samples" --out data.zarr \
    --set grid.n_points=512 --set map.height=32 --set map.width=32
tersgen split data.zarr --ratios train=0.8,val=0.1,test=0.1

ters-train fit --data data.zarr --model cnn+vit --tensor-loss 0.1 --out run --epochs 3 \
    --set model.options.vit.size=custom --set model.options.vit.width=64 --set model.options.vit.depth=4 \
    --set model.options.vit.heads=4
ters-train evaluate run --data data.zarr --part test
