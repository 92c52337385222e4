"""``ters-train calibrate``."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tersgen.cli.common.messages import say, say_json
from tersgen.cli.common.options import (
    FILE,
    json_option,
    links_option,
    plugin_option,
    threads_option,
)
from tersgen.cli.common.progress import Display

from .options import device_option

if TYPE_CHECKING:
    from ..config import DataConfig


@click.command("calibrate")
@click.argument("run", type=FILE)
@click.option("--data", type=FILE, help="Dataset or recipe.  [default: that of the run]")
@click.option("--split", help="Split of the dataset.  [default: that of the run; of other data, "
              "default]")  # fmt: skip
@click.option("--part", default="val", show_default=True, help="Part not trained on.")
@click.option(
    "--foreign", type=FILE, multiple=True,
    help="Dataset of other species than those of the model, to choose the score of novelty.",
)  # fmt: skip
@click.option("--novelty", metavar="NAME", help="Score of novelty: energy, distance, nearest, or "
              "one of a plug-in.  [default: the one that detects --foreign rows best]")  # fmt: skip
@threads_option
@links_option
@plugin_option
@device_option
@json_option
def command(
    run: Path,
    data: Path | None,
    split: str | None,
    part: str,
    foreign: tuple[Path, ...],
    novelty: str | None,
    threads: int | None,
    follow_links: bool,
    device: str | None,
    as_json: bool,
) -> None:
    """Calibrate the best model of a run, on rows that it was not trained on.

    Writes RUN/calibration.json. From then on logits are divided by a temperature, and predict adds
    the set of species that contains the true one in 95 % of all cases, and whether a spectrum is of
    none of the classes. This holds for rows like those of the part: use measured ones if you have
    enough.

    \b
    Examples:
      ters-train calibrate runs/cnn
      ters-train calibrate runs/cnn --data measured.zarr --part test --foreign others.zarr
    """
    from ..calibration.calibrate import calibrate
    from ..calibration.document import FILE as NAME
    from ..calibration.document import write_calibration
    from ..calibration.novelty import GROUP
    from ..config import StreamConfig
    from ..engine.checkpoint import CHECKPOINTS
    from ..engine.ranks import process_group
    from ..engine.trained import load_trained
    from ..parts import use_module_of
    from ..planning import open_data
    from ..zoo import refuse_shipped

    if novelty is not None:
        use_module_of(novelty, GROUP)
    with process_group(device) as ranks:
        trained = load_trained(run, ranks.device, calibrated=False)
        if trained.folder.absolute().parent.name != CHECKPOINTS:
            raise click.UsageError(f"expected a run, got {run}, a checkpoint without one")
        home = trained.folder.absolute().parents[1]
        refuse_shipped(home)
        kept = trained.state.config.data
        # rows of another split may have been trained on
        own = split or (kept.split if data is None else "default")
        place = kept.model_copy(update={"split": own, "follow_links": follow_links})

        def elsewhere(path: Path) -> "DataConfig":
            return place.model_copy(update={"path": str(path), "version": None, "digest": None})

        if data is not None:
            place = elsewhere(data)
        with Display("rows", as_json) as display:
            found, score = calibrate(
                trained, open_data(place), place, part,
                {one.name: open_data(elsewhere(one)) for one in foreign}, ranks,
                StreamConfig(threads=threads),
                display.show, novelty,
            )  # fmt: skip
    write_calibration(home, found, score)
    if as_json:
        say_json(found.model_dump(mode="json"))
        return
    say(f"{found.n_rows} rows of {part}: temperature {found.temperature:.3f}, expected calibration "
        f"error {found.ece_before:.4f} without it, {found.ece:.4f} with it")  # fmt: skip
    for other in found.foreign:
        say(f"{other.name}: foreign rows detected by {found.novelty}, AUROC {other.auroc:.3f}; "
            f"{other.fpr95:.1%} pass at a threshold that 95% of the known rows pass")  # fmt: skip
    say(f"written: {home / NAME}")
