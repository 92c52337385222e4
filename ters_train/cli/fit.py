"""``ters-train fit``."""

import re
import signal
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from tersgen.cli.common.messages import say
from tersgen.cli.common.options import (
    COUNT,
    FILE,
    Choice,
    links_option,
    plugin_option,
    threads_option,
)
from tersgen.cli.common.stopping import stop_after_step
from tersgen.errors import ConfigError, OutputError
from tersgen.files import why
from tersgen.text import command as shell_command

from .options import INPUTS, damage_option, device_option, report_repaired, settings_from

_UNFINISHED = re.compile(r"builder\.\d+\.lock.*|\.config\.json\..*\.partial")
"""What a run leaves that was killed before it had a configuration."""


@click.command("fit")
@click.option("--data", type=FILE, help="Dataset, or a version of one: data.zarr@v1.0.")
@click.option("--recipe", type=FILE, help="Recipe file: rows are generated, none are stored.")
@click.option("--n", "n_samples", type=COUNT, help="Training rows of a recipe.  [default: 100000]")
@click.option("--input", "kind", type=INPUTS, help="What the model sees.  [default: its model's]")
@click.option(
    "--model", metavar="NAME",
    help="cnn: spectra, vit: maps, cnn+vit: both; unet: maps or cubes to structures; timm:NAME of "
    "the package timm; MODULE:CLASS of your own; or one of a plug-in.  [default: cnn]",
)  # fmt: skip
@click.option(
    "--task", metavar="NAME",
    help="classification, mixture, structure, regression, or one of a plug-in.  [default: that of "
    "model and dataset]",
)  # fmt: skip
@plugin_option
@click.option("--callback", "callbacks", multiple=True, metavar="NAME",
              help="Callback of a plug-in, or MODULE:CLASS; may be repeated.")  # fmt: skip
@click.option("--transform", "transforms", multiple=True, metavar="NAME",
              help="Transform of a plug-in, or MODULE:CLASS; may be repeated.")  # fmt: skip
@click.option("--out", type=FILE, help="Folder for checkpoints, log and report.")
@click.option("--resume", type=FILE, help="Folder of a run to resume.")
@click.option("--init", type=FILE, help="Run whose weights to start from: fine-tuning.")
@click.option("--split", help="Split of the dataset.  [default: default]")
@click.option("--epochs", type=COUNT, help="Epochs.  [default: 10]")
@click.option("--batch-size", type=COUNT, help="Rows of a batch, over all processes.")
@click.option("--lr", type=float, help="Learning rate.  [default: the model's]")
@click.option("--amp", type=Choice(["off", "fp16", "bf16"]), help="Mixed precision.")
@click.option("--tensor-loss", type=float, help="Weight of the loss on Raman tensors.")
@click.option("--ema", type=float, help="Decay of an average of the weights, such as 0.999.")
@click.option("--patience", type=COUNT,
              help="Stop after this many epochs without a better score.  [default: 5]")  # fmt: skip
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="Seed.  [default: 0]")
@click.option("--checkpoint-steps", type=COUNT, help="Steps between checkpoints.")
@click.option("--compile", "compiled", is_flag=True, default=None, help="Use torch.compile.")
@click.option("--deterministic", is_flag=True, default=None, help="The same bits each time.")
@click.option("--config", type=FILE, help="Settings: TOML, YAML or JSON.")
@click.option(
    "--set", "settings", multiple=True, metavar="FIELD=VALUE",
    help="Set a field of the run, e.g. model.options.depth=2; may be repeated.",
)  # fmt: skip
@threads_option
@damage_option
@links_option
@device_option
@click.option(
    "--take-over", is_flag=True,
    help="Go on with a run that a process on another machine holds, which you know to be dead.",
)  # fmt: skip
@click.option("--quiet", is_flag=True, help="Show no progress.")
@click.option("--dry-run", is_flag=True, help="Print the configuration and do nothing.")
def command(
    data: Path | None,
    recipe: Path | None,
    n_samples: int | None,
    kind: Any,
    model: str | None,
    task: str | None,
    callbacks: tuple[str, ...],
    transforms: tuple[str, ...],
    out: Path | None,
    resume: Path | None,
    init: Path | None,
    split: str | None,
    settings: tuple[str, ...],
    config: Path | None,
    device: str | None,
    take_over: bool,
    quiet: bool,
    dry_run: bool,
    **options: Any,
) -> None:
    """Train a model on a dataset or a recipe, or go on with a run.

    \b
    ters-train fit --data data.zarr --out runs/cnn
    ters-train fit --resume runs/cnn
    torchrun --nproc-per-node 2 -m ters_train fit --data data.zarr --out runs/cnn
    """
    names = {
        "epochs": "optim.epochs",
        "lr": "optim.lr",
        "batch_size": "order.batch_size",
        "amp": "engine.amp",
        "tensor_loss": "loss.tensor_loss",
        "ema": "engine.ema",
        "patience": "engine.patience",
        "seed": "engine.seed",
        "checkpoint_steps": "engine.checkpoint_steps",
        "compiled": "engine.compile",
        "deterministic": "engine.deterministic",
        "threads": "stream.threads",
        "on_damage": "stream.on_damage",
        "follow_links": "data.follow_links",
    }
    options["follow_links"] = options["follow_links"] or None
    wanted = settings_from(config, settings, {names[key]: value for key, value in options.items()})
    # a configuration that was stored has tables there, which say what was used
    named = (one for one in wanted.pop("plugins", ()) if not isinstance(one, dict))
    if modules := list(map(str, named)):
        from ..parts import use_plugins

        use_plugins(modules)
    if resume is not None:
        given = [data, recipe, n_samples, kind, model, task, out, init, split, config, *settings]
        given += [*callbacks, *transforms]
        changed = [key for key in options if options[key] is not None]
        if any(one is not None for one in given) or {*changed} - {"threads", "on_damage"}:
            raise click.UsageError(
                "--resume: a run resumes with its own settings; expected no other option than "
                "--plugin, --threads, --on-damage, --device and --quiet; to train on from its "
                f"weights, start a new run with {shell_command('--init', resume)}"
            )
        _go(resume, _resumed(resume, wanted), device, quiet, dry_run, take_over, resume=True)
        return
    if (data is None) == (recipe is None):
        raise click.UsageError("expected one of --data and --recipe (or --resume)")
    if out is None and not dry_run:
        raise click.UsageError("expected --out, a folder for the run")
    if out is not None:
        _refuse_others(out)
    if recipe is not None and split is not None:
        raise click.UsageError("--split: the rows of a recipe have none; expected it with --data")
    if data is not None and n_samples is not None:
        raise click.UsageError("--n: a dataset has its rows; expected it with --recipe only")
    _add_parts(wanted, callbacks, transforms)
    place = data or recipe or Path()
    run = _begun(place, recipe is not None, n_samples, kind, model, task, split, init, wanted)
    _go(out or Path("run"), run, device, quiet, dry_run, take_over, resume=False)


def _refuse_others(out: Path) -> None:
    """Refuse a folder of others: a dataset's, one inside a dataset, or one that holds no run.

    Raises
    ------
    OutputError
        If it is one, or its content cannot be listed.
    """
    from tersgen.dataset.ownership import dataset_around, has_marker

    if has_marker(out) or dataset_around(out) is not None:
        raise OutputError(f"--out {out}: expected a folder of its own for the run, got a dataset's")
    if not out.is_dir() or (out / "config.json").exists():
        return  # what is a run gets a message of its own
    try:
        names = sorted(one.name for one in out.iterdir())
    except OSError as error:
        raise OutputError(f"--out {out}: cannot be read: {why(error)}") from None
    found = [name for name in names if not _UNFINISHED.fullmatch(name)]
    if found:
        raise OutputError(
            f"--out {out}: expected a new or empty folder for the run, found {found[0]!r} in it"
            f"{f' and {len(found) - 1} more' if found[1:] else ''}; give another --out, such as "
            f"{out / 'run'}"
        )


def _resume_command(folder: Path) -> str:
    """Return the command that resumes a run, with the plug-ins that were imported for it."""
    from tersgen.plugins import plugin_options

    return shell_command("ters-train", "fit", "--resume", folder, *plugin_options())


def _add_parts(
    wanted: dict[str, Any], callbacks: tuple[str, ...], transforms: tuple[str, ...]
) -> None:
    """Add callbacks and transforms that options name to those of the settings."""
    if callbacks:
        there = wanted.setdefault("callbacks", [])
        wanted["callbacks"] = [*there, *({"name": name} for name in callbacks)]
    if transforms:
        inside = wanted.setdefault("transforms", {})
        there = inside.get("plugins", [])
        inside["plugins"] = [*there, *({"name": name} for name in transforms)]


def _import_named(wanted: dict[str, Any], model: str, task: str | None) -> None:
    """Import the modules of the parts that the user names as MODULE:CLASS."""
    from ..parts import Group, use_module_of

    def named(parts: Any) -> list[Any]:
        there = parts if isinstance(parts, list) else []
        return [one.get("name") for one in there if isinstance(one, dict)]

    groups: dict[Group, list[Any]] = {
        "ters_train.models": [model],
        "ters_train.tasks": [task, wanted.get("task", {}).get("name")],
        "ters_train.callbacks": named(wanted.get("callbacks")),
        "ters_train.transforms": named(wanted.get("transforms", {}).get("plugins")),
    }
    for group, parts in groups.items():
        for name in parts:
            if isinstance(name, str):
                use_module_of(name, group)


def _begun(
    path: Path,
    is_recipe: bool,
    n_samples: int | None,
    kind: Any,
    model: str | None,
    task: str | None,
    split: str | None,
    init: Path | None,
    wanted: dict[str, Any],
) -> Any:
    """Return the configuration of a new run."""
    from tersgen.schema.loading import validate
    from tersgen.schema.presets import merged

    from ..config import DEFAULT_MODELS, DataConfig
    from ..models.model import kinds_of
    from ..planning import make_config, open_data

    if is_recipe and not path.is_file():
        raise ConfigError(f"{path}: expected a recipe file, found none")
    own = wanted.pop("data", {})
    if init is not None:
        import torch

        from ..engine.trained import check_fits, load_trained

        start, init = load_trained(init, torch.device("cpu")), init.absolute()
        before = start.model.config
        if model not in (None, before.name):
            raise click.UsageError(f"--model: expected {before.name}, that of --init, got {model}")
        model = before.name
        settings = {"model": {"options": before.options}, "engine": {"init": str(init)}}
        wanted = merged(settings, wanted)
    kind = kind or own.get("input")
    model = model or wanted.get("model", {}).get("name")
    if model is None:
        model = DEFAULT_MODELS.get(kind, "cnn")
    _import_named(wanted, model, task)
    given = {"input": kind or kinds_of(model)[0], "n_samples": n_samples, "split": split}
    place = path.parent.resolve() / path.name
    chosen = {key: value for key, value in given.items() if value is not None}
    data = validate(DataConfig, {**own, "path": str(place), **chosen}, "run")
    dataset = open_data(data)
    if init is not None:
        check_fits(start, dataset)
    return make_config(dataset, data, model, wanted, task)


def _resumed(folder: Path, wanted: dict[str, Any]) -> Any:
    """Return the configuration of a run that is resumed."""
    from tersgen.schema.loading import read_text

    from ..config import StreamConfig
    from ..config_versions import read_config
    from ..engine.checkpoint import CONFIG
    from ..parts import check_plugins, plugins_of

    if not (folder / CONFIG).is_file():
        raise ConfigError(f"{folder}: expected a run to resume, found no {CONFIG} in it")
    run = read_config(read_text(folder / CONFIG), str(folder / CONFIG))
    check_plugins(run, folder / CONFIG)
    stream = {**run.stream.model_dump(), **wanted.get("stream", {})}
    changed = {"stream": StreamConfig.model_validate(stream), "plugins": plugins_of(run)}
    return run.model_copy(update=changed)


def _print_rows(config: Any) -> None:
    """Say how many rows a run trains on, and how many choose."""
    from ..data.rows import rows_of_part
    from ..planning import open_data

    data, dataset = config.data, open_data(config.data)
    train, val = (
        f"{rows_of_part(dataset, data, part).counts().sum()} rows of {part}"
        for part in (data.train_part, data.val_part)
    )
    say(f"{data.path}: trains on {train}; {val} choose the best epoch", err=True)


def _go(
    folder: Path,
    config: Any,
    device: str | None,
    quiet: bool,
    dry_run: bool,
    take_over: bool,
    resume: bool,
) -> None:
    if dry_run:
        say(*config.model_dump_json(indent=1).splitlines())
        _print_rows(config)
        return
    from ..engine.fit import fit, is_run
    from ..engine.ranks import process_group
    from .watching import Watcher

    if not resume and is_run(folder):
        raise OutputError(
            f"{folder}: holds a run already; give another --out, or resume it: "
            f"{_resume_command(folder)}"
        )
    with ExitStack() as stack:
        stop = stack.enter_context(stop_after_step())
        ranks = stack.enter_context(process_group(device))
        ranks.barrier()  # nobody writes before all have looked
        watcher = Watcher(stop, quiet or not ranks.is_first)
        stack.callback(watcher.close)
        done = fit(config, folder, ranks, watcher, resume, take_over)
    if not ranks.is_first:
        return
    if not done.finished:
        name = signal.Signals(stop.signal or signal.SIGTERM).name
        say(
            f"stopped by {name} at step {done.position.step}, which is saved; resume: "
            f"{_resume_command(folder)}",
            err=True,
        )
        raise SystemExit(128 + (stop.signal or signal.SIGTERM))
    report_repaired(done.n_repaired, config.data.path)
    best = done.position.best
    if done.scores is not None and best is not None:
        work = (
            f"{done.n_steps} steps in {done.seconds:.0f} s, "
            f"{done.waited / max(done.seconds, 1e-9):.1%} of it waiting for data"
            if done.n_steps
            else "all steps were taken before"
        )
        say(
            f"{folder}: {work}; best on {config.data.val_part}: {done.scores.best}, after epoch "
            f"{best.epoch + 1}"
        )
        say(f"report: {folder / 'report.html'}")
