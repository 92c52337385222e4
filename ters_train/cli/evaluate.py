"""``ters-train evaluate``."""

from pathlib import Path
from typing import Any

import click

from tersgen.cli.common.messages import say, say_json
from tersgen.cli.common.options import (
    COUNT,
    FILE,
    json_option,
    links_option,
    plugin_option,
    threads_option,
)
from tersgen.text import counted

from .options import damage_option, device_option, report_repaired


@click.command("evaluate")
@click.argument("run", type=FILE)
@click.option("--data", type=FILE, required=True, help="Dataset, or recipe of the run.")
@click.option("--split", default="default", show_default=True, help="Split of the dataset.")
@click.option("--part", default="test", show_default=True, help="Part of that split to score.")
@click.option("--batch-size", type=COUNT, help="Rows of a batch.  [default: that of the run]")
@click.option(
    "--out", type=FILE,
    help="Folder for results, or a .csv, .jsonl or .parquet for the prediction of each row.  "
    "[default: RUN/evaluation-PART; for data not trained on, followed by their name and digest; "
    "of zoo:NAME, in ./NAME]",
)  # fmt: skip
@click.option(
    "--against", type=FILE, multiple=True,
    help="Another run of the same classes, such as a library search, scored on the same rows.",
)  # fmt: skip
@click.option(
    "--foreign", type=FILE, multiple=True,
    help="Dataset of other species: how well these rows are detected as none of the classes.",
)  # fmt: skip
@click.option(
    "--by", metavar="FIELD|TABLE.csv:COLUMN",
    help="Accuracy for each group of rows: species, a field, params/optics[laser], or a column of "
    "a table of measured files.",
)  # fmt: skip
@click.option(
    "--explain", "explained", is_flag=True,
    help="Score explanations: how many of the bands that decided are lines of the species.",
)  # fmt: skip
@threads_option
@damage_option
@links_option
@plugin_option
@device_option
@json_option
def command(
    run: Path,
    data: Path,
    split: str,
    part: str,
    batch_size: int | None,
    out: Path | None,
    against: tuple[Path, ...],
    foreign: tuple[Path, ...],
    by: str | None,
    explained: bool,
    threads: int | None,
    on_damage: Any,
    follow_links: bool,
    device: str | None,
    as_json: bool,
) -> None:
    """Score the best model of a run on a part of a dataset, each row of it once.

    Writes scores.json and report.html, and of classes confusion.json and misread.json (the most
    certain misread rows) with pictures.

    \b
    Examples:
      ters-train evaluate runs/cnn --data data.zarr --against runs/library
      ters-train evaluate runs/cnn --data real.zarr --by index.csv:instrument --foreign other.zarr
    """
    from dataclasses import replace

    from tersgen.cli.common.stopping import Stop
    from tersgen.dataset.output_file import check_output_file, refuse_inside_dataset
    from tersgen.schema.loading import validate

    from ..calibration.comparing import comparisons
    from ..calibration.comparison import Comparisons
    from ..calibration.groups import groups_of
    from ..config import OrderConfig, StreamConfig
    from ..data.rows import rows_of_part
    from ..engine.evaluate import evaluate, every_row, fields_of, with_progress
    from ..engine.optimiser import Precision
    from ..engine.pretrained import labels_by_name
    from ..engine.ranks import process_group
    from ..engine.results import make_report, write_results
    from ..engine.trained import check_fits, load_trained
    from ..planning import identity, open_data
    from ..prediction.predict import predict_batches
    from ..prediction.sources import Refused, SourceOptions, read_sources
    from ..prediction.table import ENDINGS, open_table
    from ..reporting.logs import read_log
    from ..zoo import folder_of
    from .watching import Watcher

    if out is not None:
        refuse_inside_dataset(out)
    table = out if out is not None and out.suffix.lower() in ENDINGS else None
    if table is not None:
        check_output_file(table)
    with process_group(device) as ranks:
        trained = load_trained(run, ranks.device)
        config = trained.state.config

        def place_of(path: Path) -> Any:
            update = {"path": str(path), "split": split, "version": None, "digest": None}
            return config.data.model_copy(update={**update, "follow_links": follow_links})

        place = place_of(data)
        dataset = open_data(place)
        check_fits(trained, dataset)
        if by is not None:  # a wrong name is refused before minutes of scoring
            groups_of(dataset, by, rows_of_part(dataset, place, part).numbers()[:1])
        task = trained.task
        if table is not None and task.draws:
            raise click.UsageError(
                f"--out: expected a folder, got {out}; this model draws structures, which "
                "ters-train predict writes"
            )
        labels = labels_by_name(trained.state, dataset) if task.n_classes else None
        order = validate(
            OrderConfig,
            {**config.order.model_dump(), "batch_size": batch_size or config.order.batch_size},
            "evaluate",
        )
        reading = StreamConfig(threads=threads, on_damage=on_damage or "stop")
        stream = every_row(
            dataset,
            rows_of_part(dataset, place, part),
            fields_of(config, task, dataset, scored=True),
            order,
            reading,
            ranks,
        )
        plain = config.loss.model_copy(update={"class_weights": False})
        loss = task.make_loss(plain, None).to(ranks.device)
        precision = Precision(config.engine.amp, ranks.device)
        watcher = Watcher(Stop(), as_json or not ranks.is_first)
        batches = with_progress(stream, lambda batch: watcher.score(batch, len(stream)))
        scores = evaluate(
            trained.model, task, batches, trained.transforms, loss, precision, ranks, labels
        )
        compared = Comparisons()
        asked = against or foreign or explained or by is not None
        if asked and ranks.world_size > 1:
            raise click.UsageError(
                "--against, --foreign, --by and --explain: expected one process, got several"
            )
        if asked or (trained.certainty is not None and ranks.world_size == 1):
            compared = comparisons(
                trained, dataset, place, part, ranks, reading, against,
                {one.name: open_data(place_of(one)) for one in foreign}, by, explained,
            )  # fmt: skip
    if not ranks.is_first:
        return
    report_repaired(stream.n_repaired, data)
    digest, _ = identity(dataset)
    home = folder_of(run) if not (run / "state.json").exists() else run.parent.parent
    other = "" if digest == config.data.digest else f"-{data.name.partition('.')[0]}-{digest[:8]}"
    own_folder = (Path(home.name) if trained.is_shipped else home) / f"evaluation-{part}{other}"
    folder = own_folder if out is None or table is not None else out
    facts = {"checkpoint": trained.folder.name, "trained on": config.data.digest}
    classes = trained.state.classes
    report = make_report(home.name, config, dataset, scores, part, read_log(home), facts, classes)
    report = replace(report, scores={**report.scores, **compared.scores}, tables=compared.tables)
    write_results(folder, report, task)
    if table is not None:
        options = SourceOptions(split=split, part=part, follow_links=follow_links)
        with open_table(table) as rows:
            for found in predict_batches(trained, read_sources(trained, [data], options)):
                if not isinstance(found, Refused):
                    rows.write(found)
    if as_json:
        text = {
            "run": str(run),
            "checkpoint": str(trained.folder),
            "data": str(data),
            "digest": digest,
            "trained_on": config.data.digest,
            "part": part,
            "classes": trained.state.classes,
            **scores.model_dump(mode="json"),
            **compared.scores,
        }
        say_json(text)
        return
    if digest != config.data.digest:
        say("Note: this is not the dataset that the model was trained on", err=True)
    note = task.note(dataset)
    if note is not None:
        say(f"Note: {note}", err=True)
    say(f"{counted(scores.n_samples, 'sample')} of {part}: {scores.headline}")
    for line in scores.details(classes):
        say(f"  {line}")
    say(*compared.lines)
    say(f"results: {folder}{'' if table is None else f', predictions: {out}'}")
