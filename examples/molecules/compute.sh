#!/bin/sh
# Compute the built-in molecules again: sh compute.sh FOLDER, from this folder; hours on one core.
# One level of theory for the tensors, B3LYP/aug-cc-pVDZ. Geometry and Hessian: B3LYP/6-311+G(d,p)
# for small molecules, benzene and pyridine, B3LYP/6-31G(d) for the other rings.
set -e
# glibc gives large arrays back to the system at once, to be cleared and mapped again: a quarter of
# the time of these computations.
export MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=8589934592
out=${1:?expected a folder for the library files}
mkdir -p "$out"

compute() {
    name=$1
    shift
    test -e "$out/$name.json" || tersgen library compute "$name.xyz" -o "$out/$name.json" "$@"
}

for name in acetonitrile acetylene ammonia benzene carbon_dioxide carbon_monoxide ethylene \
    formaldehyde hydrogen_sulfide methane methanol nitrogen pyridine water; do
    compute $name
done
for name in formic_acid hydrogen_cyanide methanethiol; do
    compute $name --analytic-hessian
done
compute thiophenol --basis '6-31g(d)'
for name in 4-aminothiophenol 4-mercaptopyridine 4-nitrothiophenol adenine cytosine furan \
    naphthalene pyrazine pyrrole thiophene thymine; do
    compute $name --basis '6-31g(d)' --analytic-hessian
done
