"""The digest that machine code is kept under: what it leaves out has no kernel."""

import re

from tersgen.numeric import _sources


def test_modules_that_the_digest_leaves_out_have_no_kernel():
    left_out = [one for one in _sources._all_sources() if one.stem in _sources.WITHOUT_KERNELS]
    assert {one.stem for one in left_out} == set(_sources.WITHOUT_KERNELS)
    compiled = re.compile(r"@.*\b(kernel|inlined|n?jit)\b|^from .*\b(_jit|numba)\b", re.MULTILINE)
    for path in left_out:
        assert not compiled.search(path.read_text("utf-8")), f"{path} has a kernel: rename it"
    assert compiled.search(_sources._PACKAGE.joinpath("random", "philox.py").read_text("utf-8"))
