"""Make a few samples of two molecules, look at one, and check it against the generator.

Run: python examples/first_steps.py
"""

import numpy as np

import tersgen

recipe = tersgen.Recipe(
    seed=7,
    library=("builtin:benzene", "builtin:water"),
    grid={"start_cm1": 200.0, "stop_cm1": 4000.0, "n_points": 512},
    nearfield={"bands": ((900.0, 1700.0), (2800.0, 3900.0))},
    noise={"spectrum": (0.01, 0.02)},
)

block = tersgen.generate(recipe, 0, 256)
spectra, labels = block["spectra"], block["label"]
print(f"{len(labels)} samples, spectra {spectra.shape} {spectra.dtype}")
print(f"maps of the molecules under a tip in two bands, {block['maps'].shape}")

# sample 5 alone is the same as sample 5 of the block: a sample depends on recipe and index only
alone = tersgen.generate(recipe, 5, 6)
assert np.array_equal(alone["maps"][0], block["maps"][5])

benzene = tersgen.resolve(recipe).library.species[0]
strongest = int(np.argmax(block["sticks/intensity"][5]))
print(f"strongest mode of sample 5 at {block['sticks/position'][5, strongest]:.1f} cm^-1")
print(f"benzene has {len(benzene.modes)} modes; {benzene.provenance.method}")
