#!/bin/sh
# Spectra to species: a dataset of 8 molecules, a CNN, its scores, a spectrum from a text file.
# Run: sh examples/train_spectra.sh [SAMPLES]    writes into ./spectra
set -eu
samples=${1:-20000}
mkdir spectra && cd spectra

tersgen build --n "$samples" --set fields.maps=false --set grid.n_points=512 --out data.zarr
tersgen split data.zarr --ratios train=0.8,val=0.1,test=0.1

ters-train fit --data data.zarr --out run --epochs 3
ters-train evaluate run --data data.zarr --part test # scores and a confusion matrix
tersgen plot data.zarr --index 7 -o seven.txt         # as if it came from a spectrometer
ters-train predict run seven.txt
