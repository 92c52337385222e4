"""``ters-train export``."""

from pathlib import Path

import click

from .options import FILE
from .saying import say


@click.command("export")
@click.argument("run", type=FILE)
@click.option("--onnx", "path", type=FILE, required=True, help="File to write, such as model.onnx.")
def command(run: Path, path: Path) -> None:
    """Write the best model of a run as ONNX, and compare it with the model itself."""
    import torch

    from tersgen.dataset.output_file import check_output_file

    from ..engine.export import export_onnx
    from ..engine.trained import load_trained
    from ..targets import describe_outputs

    check_output_file(path)
    trained = load_trained(run, torch.device("cpu"))
    difference = export_onnx(trained, path)
    inputs = ", ".join(
        f"{name} (rows, {', '.join(map(str, shape))})"
        for name, shape in trained.model.shapes.items()
    )
    compared = (
        f"probabilities within {difference:.1g} of the model's"
        if difference == difference
        else "not compared: onnxruntime is not installed"
    )
    say(f"{path}: takes {inputs}, gives {describe_outputs(trained.model.config)}; {compared}")
