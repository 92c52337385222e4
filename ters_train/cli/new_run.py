"""Options of a new run, which ``fit``, ``sweep`` and ``find-lr`` share, and its configuration."""

import copy
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import click

from tersgen.cli.common.options import (
    COUNT,
    FILE,
    Choice,
    links_option,
    option_group,
    plugin_option,
    threads_option,
)
from tersgen.errors import ConfigError, OutputError
from tersgen.files import why

from .options import INPUTS, damage_option, settings_from

_UNFINISHED = re.compile(r"builder\.\d+\.lock.*|\.config\.json\..*\.partial")
"""Files of a run that was killed before it had a configuration."""

SETTINGS = {
    "inputs": "model.options.inputs",
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
"""Settings of a run by the options that set them."""

run_options = option_group(
    click.option("--data", type=FILE, help="Dataset, or a version of one: data.zarr@v1.0."),
    click.option("--recipe", type=FILE, help="Recipe file: rows are generated, none are stored."),
    click.option("--n", "n_samples", type=COUNT,
                 help="Training rows of a recipe.  [default: 100000]"),
    click.option("--input", "kind", type=INPUTS,
                 help="What the model sees.  [default: its model's]"),
    click.option(
        "--model", metavar="NAME",
        help="cnn, convnext, transformer: spectra; library-search: spectra, without training; "
        "unet1d: spectra without noise; vit: maps; cnn+vit: both; unet: maps or cubes to "
        "structures, or to species; timm:NAME of the package timm; MODULE:CLASS of your own; or "
        "one of a plug-in.  [default: cnn]",
    ),
    click.option("--inputs", type=Choice(["raw", "derivative", "local", "views"]),
                 help="What models of spectra see: the spectrum, its smoothed derivative, the "
                 "spectrum normalised locally, or the last two as channels.  [default: views]"),
    click.option(
        "--task", metavar="NAME",
        help="classification, mixture, structure, segmentation, regression, denoising, retrieval, "
        "or one of a plug-in.  [default: that of model and dataset]",
    ),
    plugin_option,
    click.option("--callback", "callbacks", multiple=True, metavar="NAME",
                 help="Callback of a plug-in, or MODULE:CLASS; may be repeated."),
    click.option("--transform", "transforms", multiple=True, metavar="NAME",
                 help="Transform of a plug-in, or MODULE:CLASS; may be repeated."),
    click.option(
        "--foreign", type=FILE, multiple=True,
        help="Dataset of other species, rows of which are trained as none of the classes "
        "(outlier exposure); may be repeated.",
    ),
    click.option("--init", type=FILE,
                 help="Run whose weights to start from, or zoo:NAME: fine-tuning."),
    click.option("--split", help="Split of the dataset.  [default: default]"),
    click.option("--epochs", type=COUNT, help="Epochs.  [default: 10, more of few rows]"),
    click.option("--batch-size", type=COUNT, help="Rows of a batch, over all processes.  "
                 "[default: the model's, fewer of few rows]"),
    click.option("--lr", type=float, help="Learning rate.  [default: the model's]"),
    click.option("--amp", type=Choice(["off", "fp16", "bf16"]), help="Mixed precision."),
    click.option("--tensor-loss", type=float, help="Weight of the loss on Raman tensors."),
    click.option("--ema", type=float, help="Decay of an average of the weights, such as 0.999."),
    click.option("--patience", type=COUNT,
                 help="Stop after this many epochs without a better score.  [default: 5]"),
    click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="Seed.  [default: 0]"),
    click.option("--checkpoint-steps", type=COUNT, help="Steps between checkpoints."),
    click.option("--compile", "compiled", is_flag=True, default=None, help="Use torch.compile."),
    click.option("--deterministic", is_flag=True, default=None, help="The same bits each time."),
    threads_option,
    damage_option,
    links_option,
)  # fmt: skip

"""The options that describe a new run; ``NewRun.take`` takes their values."""
config_option = click.option("--config", type=FILE, help="Settings: TOML, YAML or JSON.")
set_option = click.option(
    "--set", "settings", multiple=True, metavar="FIELD=VALUE",
    help="Set a field of the run, e.g. model.options.depth=2; may be repeated.",
)  # fmt: skip


class NewRun(NamedTuple):
    """What a user asks for in a new run."""

    given: dict[str, Any]
    """Values of options that name data, model and parts; None, or nothing, where not given."""
    wanted: dict[str, Any]
    """Settings of the run, tables within tables."""
    changed: tuple[str, ...]
    """Options that set fields and were given."""

    @classmethod
    def take(
        cls, options: dict[str, Any], config: Path | None, settings: tuple[str, ...]
    ) -> "NewRun":
        """Return what is asked for, and remove the values of ``run_options`` from the options.

        Plug-ins that the settings name are imported.
        """
        options["follow_links"] = options["follow_links"] or None
        fields = {key: options.pop(key) for key in SETTINGS}
        wanted = settings_from(
            config, settings, {SETTINGS[key]: value for key, value in fields.items()}
        )
        # a configuration that was stored has tables there, which say what was used
        named = (one for one in wanted.pop("plugins", ()) if not isinstance(one, dict))
        if modules := list(map(str, named)):
            from ..parts import use_plugins

            use_plugins(modules)
        names = ("data", "recipe", "n_samples", "kind", "model", "task", "callbacks", "transforms",
                 "init", "split", "foreign")  # fmt: skip
        given = {name: options.pop(name) for name in names}
        changed = tuple(key for key, value in fields.items() if value is not None)
        return cls(given, wanted, changed)

    def check(self, otherwise: str = "") -> None:
        """Refuse options that do not go together; ``otherwise`` says what else could be given."""
        given = self.given
        if given["data"] is not None and given["recipe"] is not None:
            raise click.UsageError("expected one of --data and --recipe, got both")
        if given["data"] is None and given["recipe"] is None and self._path_in_settings is None:
            raise click.UsageError(f"expected one of --data and --recipe{otherwise}")
        if given["recipe"] is not None and given["split"] is not None:
            raise click.UsageError(
                "--split: the rows of a recipe have none; expected it with --data"
            )
        if given["data"] is not None and given["n_samples"] is not None:
            raise click.UsageError("--n: a dataset has its rows; expected it with --recipe only")

    @property
    def _path_in_settings(self) -> Path | None:
        path = self.wanted.get("data", {}).get("path")
        return Path(path) if isinstance(path, str) else None

    def plan(self, changes: Mapping[str, Any] | None = None) -> Any:
        """Return the configuration of the run, with other values of some fields by their names."""
        from tersgen.cli.common.options import set_value

        wanted = copy.deepcopy(self.wanted)
        for name, value in (changes or {}).items():
            set_value(wanted, name, value)
        _add_parts(wanted, self.given["callbacks"], self.given["transforms"])
        if foreign := self.given["foreign"]:
            exposure = wanted.setdefault("exposure", {})
            exposure["data"] = [{"path": str(one.absolute())} for one in foreign]
            exposure.setdefault("share", _FOREIGN_SHARE)
        return _planned(wanted, **{k: v for k, v in self.given.items() if k not in _PARTS})


_PARTS = ("callbacks", "transforms", "foreign")
_FOREIGN_SHARE = 0.5
"""Rows of no class for each row of a batch, with ``--foreign``."""


def refuse_others(out: Path, own: str = "config.json") -> None:
    """Refuse a folder of something else: a dataset, one inside a dataset, or one without a run.

    ``own`` is the file that a run, or a sweep, has in its folder.
    """
    from tersgen.dataset.ownership import dataset_around, has_marker

    if has_marker(out) or dataset_around(out) is not None:
        raise OutputError(f"--out {out}: expected a folder of its own for the run, got a dataset's")
    if not out.is_dir() or (out / own).exists():
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


def _planned(
    wanted: dict[str, Any],
    data: Path | None,
    recipe: Path | None,
    n_samples: int | None,
    kind: Any,
    model: str | None,
    task: str | None,
    init: Path | None,
    split: str | None,
) -> Any:
    """Return the configuration of a new run; ``wanted`` is used up."""
    from tersgen.schema.loading import validate
    from tersgen.schema.presets import merged
    from tersgen.urls import as_path

    from ..config import DEFAULT_MODELS, DataConfig
    from ..models.model import GROUP, kinds_of
    from ..parts import whole
    from ..planning import make_config, open_data

    own = dict(wanted.pop("data", {}))
    path = data or recipe
    if path is None:
        path = as_path(own["path"])
    else:  # settings of another run, perhaps, but not its dataset
        own = {key: value for key, value in own.items() if key not in ("digest", "version")}
    if recipe is not None and not recipe.is_file():
        raise ConfigError(f"{recipe}: expected a recipe file, found none")
    if init is not None:
        import torch

        from ..engine.trained import check_fits, load_trained
        from ..zoo import is_named

        start = load_trained(init, torch.device("cpu"))
        init = init if is_named(init) else init.absolute()
        before = start.model.config
        if model not in (None, before.name):
            raise click.UsageError(f"--model: expected {before.name}, that of --init, got {model}")
        model = before.name
        # with their defaults: those of new runs may be others
        options = whole(GROUP, model, before.options)
        settings = {"model": {"options": options}, "engine": {"init": str(init)}}
        wanted = merged(settings, wanted)
    kind = kind or own.get("input")
    model = model or wanted.get("model", {}).get("name")
    if model is None:
        model = DEFAULT_MODELS.get(kind, "cnn")
    _import_named(wanted, model, task)
    given = {"input": kind or kinds_of(model)[0], "n_samples": n_samples, "split": split}
    place = path.parent.resolve() / path.name
    chosen = {key: value for key, value in given.items() if value is not None}
    config = validate(DataConfig, {**own, "path": str(place), **chosen}, "run")
    dataset = open_data(config)
    if init is not None:
        check_fits(start, dataset)
    return make_config(dataset, config, model, wanted, task)
