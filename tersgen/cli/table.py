"""Spectra of a dataset as texts of two columns, as spectrometers export them."""

from pathlib import Path

from ..dataset.dataset import Dataset
from ..dataset.output_file import write_output

SEPARATORS = {".csv": ",", ".txt": "\t"}
"""What parts the columns, by the ending of the file."""


def write_spectrum(dataset: Dataset, index: int, output: Path) -> None:
    """Write the Raman shifts, cm^-1, and intensities of one sample, under a heading of comments."""
    separator = SEPARATORS[output.suffix.lower()]
    spectrum = dataset["spectra"][index]
    sample = dataset.sample(index)
    parts = sample.get("composition", {}).items()
    species = ", ".join(f"{name} {share:.0%}" for name, share in parts) or sample["species"]
    lines = [
        f"# {species}: row {index} of {dataset.path.name}, synthetic, made by tersgen",
        f"# Raman shift (cm^-1){separator}intensity (arb. units)",
        *(
            f"{shift:.3f}{separator}{value:.5g}"
            for shift, value in zip(dataset.shift_cm1.tolist(), spectrum.tolist(), strict=True)
        ),
    ]
    write_output(output, ("\n".join(lines) + "\n").encode())
