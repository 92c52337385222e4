"""What a training run is: data, order, transforms, model, task, loss, optimiser, engine.

A run is decided by its :class:`RunConfig`, which is stored beside every checkpoint as JSON. The
options of models and tasks are declared in their own files and checked there.
"""

from typing import Annotated, Literal

from pydantic import Field, JsonValue

from tersgen.schema.base import DIGEST, Frozen, field

Input = Literal["spectrum", "map", "both", "cube"]
Amp = Literal["off", "fp16", "bf16"]
Size = Annotated[int, Field(gt=0, le=1 << 20)]
"""As many points as an axis of a recipe may have."""
Shape = Annotated[tuple[Size, ...], Field(max_length=8)]
PART = r"^[A-Za-z0-9_][A-Za-z0-9_.+-]{0,127}(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?$"
"""Name of a model, task, callback or transform: ``cnn``, ``timm:convnext_atto``, ``module:Net``."""

INPUT_FIELDS: dict[Input, tuple[str, ...]] = {
    "spectrum": ("spectra",),
    "map": ("maps",),
    "both": ("spectra", "maps"),
    "cube": ("cube",),
}
"""Arrays of a dataset that each kind of input has."""

DEFAULT_MODELS: dict[Input, str] = {
    "spectrum": "cnn",
    "map": "vit",
    "both": "cnn+vit",
    "cube": "unet",
}
"""Default model for each kind of input."""


class PartConfig(Frozen):
    """A part by name, and its options."""

    name: str = field("name in the registry, or MODULE:CLASS of a plug-in", "1", pattern=PART)
    options: dict[str, JsonValue] = field("its options", "1", {})


class PluginConfig(Frozen):
    """A part of a plug-in that a run uses, and where it came from."""

    group: str = field("kind of part, as its entry-point group is called", "1",
                       pattern=r"^ters_train\.[a-z]{1,32}$")  # fmt: skip
    name: str = field("name of the part", "1", pattern=PART)
    module: str = field("top-level module", "1", pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")
    package: str | None = field("distribution that installs it", "1", None,
                                pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")  # fmt: skip
    version: str | None = field("version of that", "1", None,
                                pattern=r"^[A-Za-z0-9][A-Za-z0-9._+!-]{0,63}$")  # fmt: skip
    digest: str = field("SHA-256 of its Python sources", "1", pattern=DIGEST)


class DataConfig(Frozen):
    """Where samples come from."""

    path: str = field("dataset, version of one (data.zarr@v1.0), or recipe file", "1")
    input: Input = field("what the model sees", "1", "spectrum")
    split: str = field("split of the dataset", "1", "default")
    train_part: str = field("part of the split that is trained on", "1", "train")
    val_part: str = field("part of the split that chooses the best checkpoint", "1", "val")
    n_samples: int = field(
        "training rows of a recipe; a tenth as many more are drawn for val and for test",
        "row",
        100_000,
        gt=0,
        le=2**53,
    )
    digest: str | None = field("digest of the dataset, or of the recipe", "1", None)
    version: str | None = field("version of the dataset", "1", None)
    follow_links: bool = field("read files that are links, as git-annex keeps them", "1", False)


class OrderConfig(Frozen):
    """How rows are shuffled and cut into batches."""

    batch_size: int = field("rows of a batch, over all processes", "row", 256, gt=0, le=1 << 20)
    mix_blocks: int = field("blocks that are shuffled into each other", "1", 16, gt=0, le=1 << 16)


class StreamConfig(Frozen):
    """How rows are read; nothing in it changes what is trained on."""

    threads: int | None = field(
        "threads that read and decode; by default one for each processor, and more while they "
        "wait for a slow file system",
        "1",
        None,
        gt=0,
        le=1024,
    )
    prefetch_mb: int | None = field(
        "memory for batches that are read ahead; by default 256, or more if order.mix_blocks needs "
        "it",
        "MB",
        None,
        gt=0,
    )
    on_device: bool = field(
        "make the rows of a recipe on the device that trains, by PyTorch, and not on the CPU; the "
        "values are the same",
        "1",
        False,
    )
    on_damage: Literal["stop", "repair"] = field(
        "what to do at a damaged chunk: stop, or make its rows again in memory from the recipe",
        "1",
        "stop",
    )


class TransformConfig(Frozen):
    """Random changes to training batches; all off by default. Each row draws its own."""

    flip_rows: bool = field("flip half of the maps top to bottom, Eq. (2.2)", "1", False)
    flip_columns: bool = field("flip half of the maps left to right, Eq. (2.2)", "1", False)
    quarter_turns: bool = field("turn square maps by 0 to 3 quarter turns, Eq. (2.3)", "1", False)
    blur_px: float = field(
        "largest sigma of the blur of maps, Eq. (2.4)", "pixel", 0.0, ge=0, le=1024
    )
    roll_bins: int = field(
        "largest circular roll of spectra, Eq. (10.2)", "point", 0, ge=0, le=1 << 20
    )
    shift_bins: float = field(
        "largest shift of the axis of spectra; what moves in repeats the edge",
        "point",
        0.0,
        ge=0,
        le=1e6,
    )
    stretch: float = field(
        "largest relative stretch of the axis of spectra about its middle", "1", 0.0, ge=0, lt=0.5
    )
    spectrum_noise: float = field(
        "sigma of noise added to spectra, then clipped, Eq. (10.3)",
        "1",
        0.0,
        ge=0,
    )
    map_noise: float = field(
        "sigma of noise added to maps, then clipped, Eq. (10.3)", "1", 0.0, ge=0
    )
    minmax: bool = field("min-max scale each spectrum again after the rest, Eq. (1.5)", "1", False)
    standardise: bool = field("take [0, 1] to [-1, 1] at the end, Eq. (10.1)", "1", True)
    plugins: tuple[PartConfig, ...] = field(
        "transforms of plug-ins, in this order, before all others; training batches only", "1", ()
    )


class ModelConfig(PartConfig):
    """A model, whole: from this alone it is built."""

    inputs: dict[str, Shape] = field("shape of a row of each array that it is fed", "1",
                                     min_length=1, max_length=8)  # fmt: skip
    outputs: dict[str, Shape] = field("shape of a row of each output that its task asks for", "1",
                                      min_length=1, max_length=8)  # fmt: skip


class LossConfig(Frozen):
    """Eqs. (6.1)-(6.3); of structure targets (6.4) and (6.5)."""

    label_smoothing: float = field("epsilon of Eq. (6.2)", "1", 0.0, ge=0, lt=1)
    class_weights: bool = field("weight classes by Eq. (8.2), from the split", "1", True)
    tensor_loss: float = field(
        "weight of the loss on Raman tensors; 0 if the model predicts none", "1", 0.0, ge=0
    )
    symmetry_loss: float = field(
        "lambda of Eq. (6.3), on the asymmetry of predicted tensors, Eq. (3.2)", "1", 0.01, ge=0
    )
    dice_loss: float = field(
        "weight of the Dice term, Eq. (6.5), added to the cross-entropy of masks", "1", 1.0, ge=0
    )


class ForeignConfig(Frozen):
    """A dataset whose rows belong to no class."""

    path: str = field("dataset, version of one, or recipe file", "1")
    digest: str | None = field("digest of the dataset, or of the recipe", "1", None)


class ExposureConfig(Frozen):
    """Outlier exposure: rows of no class in training batches; their class has the logit 0.

    New classifiers of spectra have a share of 0.25 with ``builtin``, if the recipe of the data has
    a light path.
    """

    share: float = field("rows of no class for each row of a batch; 0 for none", "1", 0.0, ge=0,
                         le=1)  # fmt: skip
    data: tuple[ForeignConfig, ...] = field(
        "datasets of other species; the other half of the rows is made of those of the batch", "1",
        (), max_length=16,
    )  # fmt: skip
    builtin: bool = field(
        "whether rows of built-in species that are not classes, on the instrument of the recipe, "
        "are taken as well", "1", False,
    )  # fmt: skip


class OptimConfig(Frozen):
    """AdamW with a cosine schedule, Eqs. (7.1) and (7.2)."""

    epochs: int = field("epochs", "1", 10, gt=0, le=2**31)
    lr: float = field("learning rate after the warm-up", "1", 2e-3, gt=0, le=10)
    min_lr: float = field("learning rate at the end", "1", 1e-6, ge=0)
    warmup: float = field("share of all steps in which it rises linearly", "1", 0.05, ge=0, lt=1)
    weight_decay: float = field("decoupled weight decay, of matrices only", "1", 0.05, ge=0)
    beta_1: float = field("decay of the first moment", "1", 0.9, ge=0, lt=1)
    beta_2: float = field("decay of the second moment", "1", 0.999, ge=0, lt=1)
    clip: float = field("largest norm of the gradient; 0 leaves it", "1", 1.0, ge=0)
    accumulate: int = field("batches whose gradients are added up to one step", "1", 1, gt=0,
                            le=1 << 20)  # fmt: skip


class EngineConfig(Frozen):
    """How the training is run."""

    seed: int = field("seed of order, transforms, weights and dropout", "1", 0, ge=0, lt=2**32)
    init: str | None = field(
        "run, or checkpoint, whose weights the training starts from; heads by names of classes",
        "1",
        None,
    )
    amp: Amp = field("mixed precision, Eq. (7.3)", "1", "off")
    threads: int | None = field(
        "threads of torch on a CPU; by default measured at the start and recorded, since sums "
        "depend on them",
        "1",
        None,
        gt=0,
        le=1024,
    )
    compile: bool = field("compile the model with torch.compile", "1", False)
    deterministic: bool = field("only algorithms that give the same bits each time", "1", False)
    ema: float = field("decay of the moving average of weights; 0 for none", "1", 0.0, ge=0, lt=1)
    patience: int = field(
        "epochs without a better score on val after which it stops; 0 for never, new runs have 5",
        "1",
        0,
        ge=0,
    )
    checkpoint_steps: int = field(
        "steps between checkpoints; 0 for one at the end of each epoch", "1", 0, ge=0
    )
    checkpoint_minutes: float = field(
        "minutes after which a checkpoint is written within an epoch, too; 0 for never",
        "min",
        10.0,
        ge=0,
    )
    keep: int = field("checkpoints that are kept, in addition to the best", "1", 2, gt=0)


class RunConfig(Frozen):
    """A training run."""

    data: DataConfig = field("where samples come from", "1")
    order: OrderConfig = field("how rows are shuffled", "1", OrderConfig())
    stream: StreamConfig = field("how rows are read", "1", StreamConfig())
    transforms: TransformConfig = field("random changes to batches", "1", TransformConfig())
    model: ModelConfig = field("the model", "1")
    task: PartConfig = field("what it is trained for", "1")
    loss: LossConfig = field("the loss", "1", LossConfig())
    exposure: ExposureConfig = field("outlier exposure", "1", ExposureConfig())
    optim: OptimConfig = field("the optimiser", "1", OptimConfig())
    engine: EngineConfig = field("how the training is run", "1", EngineConfig())
    callbacks: tuple[PartConfig, ...] = field(
        "callbacks: what is notified of the progress of the run", "1", ()
    )
    plugins: tuple[PluginConfig, ...] = field("parts of plug-ins that it uses", "1", ())
