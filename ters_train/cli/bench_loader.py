"""``ters-train bench-loader``."""

from pathlib import Path
from typing import Any

import click

from tersgen.cli.common.messages import say, say_json
from tersgen.cli.common.options import COUNT, FILE, json_option, links_option, threads_option

from .options import INPUTS, damage_option, device_option, report_repaired


@click.command("bench-loader")
@click.option("--data", type=FILE, required=True, help="Dataset or recipe file.")
@click.option("--n", "n_samples", type=COUNT, help="Rows of a recipe.  [default: 100000]")
@click.option("--input", "kind", type=INPUTS, help="Fields of this input and the label.")
@click.option("--field", "fields", multiple=True, help="A field to read; may be repeated.")
@click.option("--epochs", type=COUNT, default=2, show_default=True, help="Epochs to read.")
@click.option("--batch-size", type=COUNT, default=256, show_default=True, help="Rows of a batch.")
@click.option("--mix-blocks", type=COUNT, default=16, show_default=True, help="Blocks mixed.")
@threads_option
@damage_option
@links_option
@device_option
@json_option
def command(
    data: Path,
    n_samples: int | None,
    kind: Any,
    fields: tuple[str, ...],
    epochs: int,
    batch_size: int,
    mix_blocks: int,
    threads: int | None,
    on_damage: Any,
    follow_links: bool,
    device: str | None,
    as_json: bool,
) -> None:
    """Read shuffled epochs of all rows, without a model, and say where the time goes.

    Reads all fields unless --input or --field chooses some.
    """
    from tersgen.dataset.opening import open as open_dataset

    from ..config import INPUT_FIELDS, StreamConfig
    from ..data.measurement import measure
    from ..data.order import Order
    from ..data.rows import all_rows
    from ..data.stream import Stream
    from ..engine.ranks import choose_device

    dataset = open_dataset(data, n_samples or 100_000, follow_links)
    chosen = fields or ((*INPUT_FIELDS[kind], "label") if kind else tuple(dataset.fields))
    config = StreamConfig(threads=threads, on_damage=on_damage or "stop")
    place = choose_device(device)
    order = Order(all_rows(dataset), batch_size, mix_blocks)
    stream = Stream(dataset, chosen, order, config=config, pin=place.type == "cuda")
    for number in range(epochs):
        measured = measure(stream, place)
        if as_json:
            say_json({"epoch": number, **measured.as_dict()})
        else:
            say(f"epoch {number}: {measured.describe()}")
    report_repaired(stream.n_repaired, data)
    if not as_json:
        say(measured.bottleneck())
