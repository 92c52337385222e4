"""``ters-train find-lr``."""

from pathlib import Path
from typing import Any

import click

from tersgen.cli.common.messages import say, say_json
from tersgen.cli.common.options import COUNT, FILE, json_option
from tersgen.errors import ConfigError

from .new_run import NewRun, config_option, run_options, set_option
from .options import device_option


@click.command("find-lr")
@run_options
@config_option
@set_option
@click.option("--from", "low", type=float, default=1e-6, show_default=True, help="First rate.")
@click.option("--to", "high", type=float, default=1.0, show_default=True, help="Last rate.")
@click.option("--steps", "n_steps", type=COUNT, default=200, show_default=True,
              help="Steps from one to the other.")  # fmt: skip
@click.option("-o", "--output", type=FILE, help="Picture of the loss: .png, .pdf or .svg.")
@device_option
@json_option
def command(
    settings: tuple[str, ...],
    config: Path | None,
    low: float,
    high: float,
    n_steps: int,
    output: Path | None,
    device: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Suggest a learning rate: train for some steps while it rises, and watch the loss.

    It takes the options of ters-train fit, and writes nothing but a picture. The rate at which the
    loss falls fastest is suggested; compare it with others by ters-train sweep.

    \b
    ters-train find-lr --data data.zarr --model vit -o rates.png
    """
    new = NewRun.take(options, config, settings)
    new.check()
    from tersgen.cli.common.progress import Display
    from tersgen.dataset.output_file import check_output_file

    from ..engine.find_lr import find_rate
    from ..engine.ranks import process_group

    if output is not None:
        from tersgen.plotting.style import check_picture

        check_output_file(output)
        check_picture(output)
    planned = new.plan()
    with process_group(device) as ranks, Display("steps", as_json).begin(n_steps) as display:

        def show(step: int, rate: float, loss: float) -> None:
            display.show(step, n_steps, lambda: f"lr {rate:.2g}, loss {loss:.4g}")

        found = find_rate(planned, ranks, low, high, n_steps, show)
    if output is not None and found.rates:
        from tersgen.plotting.style import save, styled
        from tersgen.plotting.training import draw_rates

        with styled():
            save(draw_rates(*found[:4]), output)
        say(f"wrote {output}", err=as_json)
    if as_json:
        say_json(found._asdict())
        return
    if found.suggested is None:
        raise ConfigError(
            f"expected rates at which the loss falls, got none from {low:g} to {high:g}; try a "
            "smaller --from, or more --steps"
        )
    end = f"; it diverges at {found.rates[-1]:.2g}" if found.diverged else ""
    say(
        f"the loss falls fastest at a learning rate of {found.suggested:.2g}{end}; this run has "
        f"{planned.optim.lr:g}; try: --lr {found.suggested:.2g}"
    )
