"""``ters-train export``."""

from pathlib import Path

import click

from tersgen.cli.common.messages import say
from tersgen.cli.common.options import FILE, plugin_option


@click.command("export")
@click.argument("run", type=FILE)
@click.option("--onnx", "path", type=FILE, required=True, help="File to write, such as model.onnx.")
@plugin_option
def command(run: Path, path: Path) -> None:
    """Write the best model of a run as ONNX, and compare it with the model itself."""
    import torch

    from tersgen.dataset.output_file import check_output_file

    from ..engine.export import export_onnx, input_shapes
    from ..engine.trained import load_trained

    check_output_file(path)
    trained = load_trained(run, torch.device("cpu"))
    difference = export_onnx(trained, path)
    inputs = ", ".join(
        f"{name} (rows, {', '.join(map(str, shape))})"
        for name, shape in input_shapes(trained).items()
    )
    compared = (
        f"results within {difference:.1g} of the model's"
        if difference == difference
        else "not compared: onnxruntime is not installed"
    )
    say(f"{path}: takes {inputs}, gives {trained.task.description}; {compared}")
