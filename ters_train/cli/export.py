"""``ters-train export``."""

from pathlib import Path

import click

from .options import FILE


@click.command("export")
@click.argument("run", type=FILE)
@click.option("--onnx", "path", type=FILE, required=True, help="File to write, such as model.onnx.")
def command(run: Path, path: Path) -> None:
    """Write the best model of a run as ONNX, and compare it with the model itself."""
    import torch

    from ..engine.export import export_onnx
    from ..engine.trained import load_trained
    from ..targets import describe_outputs

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
    click.echo(
        f"{path}: takes {inputs}, gives {describe_outputs(trained.model.config)}; {compared}"
    )
