"""What a training run is: data, order, transforms, model, loss, optimiser, engine.

A run is decided by its :class:`RunConfig`, which is stored beside every checkpoint as JSON.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tersgen.schema.base import Frozen, field

Input = Literal["spectrum", "map", "both", "cube"]
Amp = Literal["off", "fp16", "bf16"]
Width = Annotated[int, Field(gt=0, le=1 << 16)]
Size = Annotated[int, Field(gt=0, le=1 << 20)]
"""As many points as an axis of a recipe may have."""
Extent = Annotated[float, Field(gt=0)]

INPUT_FIELDS: dict[Input, tuple[str, ...]] = {
    "spectrum": ("spectra",),
    "map": ("maps",),
    "both": ("spectra", "maps"),
    "cube": ("cube",),
}
"""Arrays of a dataset that each kind of model is fed."""

VIT_SIZES: dict[str, tuple[int, int, int]] = {
    "tiny": (192, 12, 3),
    "small": (384, 12, 6),
    "base": (768, 12, 12),
}
"""Width, depth and heads of the named sizes of a vision transformer (DeiT, ViT)."""


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
    prefetch_mb: int = field("memory for batches that are read ahead", "MB", 256, gt=0)
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


class CnnConfig(Frozen):
    """The 1D convolutional network of Eq. (4.1): stages of convolutions, each with a pooling."""

    widths: tuple[Width, ...] = field(
        "channels of each stage", "1", (16, 32, 64, 128), max_length=64
    )
    depth: int = field("convolutions of each stage", "1", 1, gt=0, le=16)
    kernel: int = field("length of the kernels, odd", "point", 7, gt=0, le=255)
    stride: int = field("stride of the first convolution of each stage", "point", 4, gt=0, le=16)
    dilation: int = field("dilation of the convolutions", "point", 1, gt=0, le=64)
    norm: Literal["batch", "group", "layer", "none"] = field("normalisation", "1", "batch")
    pool: Literal["max", "mean", "none"] = field(
        "pooling behind each stage; by default strides take its place, which is quicker",
        "1",
        "none",
    )
    pool_size: int = field("length and stride of the pooling", "point", 4, gt=1, le=64)
    position: bool = field(
        "feed the position on the axis as a second channel: a convolution does not know it",
        "1",
        True,
    )
    features: Literal["mean", "flat"] = field(
        "what the head sees of each channel: the mean over the points that are left, or every "
        "point, which tells apart bands that lie a little aside",
        "1",
        "mean",
    )
    dropout: float = field("dropout before the head", "1", 0.1, ge=0, lt=1)

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.kernel % 2 == 0:
            raise ValueError(f"kernel: expected an odd length, got {self.kernel}")
        if not self.widths:
            raise ValueError("widths: expected at least one stage, got none")
        return self


class VitConfig(Frozen):
    """The vision transformer of Eqs. (5.1)-(5.4)."""

    size: Literal["tiny", "small", "base", "custom"] = field(
        "a named size, or custom with width, depth and heads", "1", "tiny"
    )
    width: int = field("length of a token; of a custom size", "1", 192, gt=0, le=8192)
    depth: int = field("blocks; of a custom size", "1", 12, gt=0, le=256)
    heads: int = field("heads of the attention; of a custom size", "1", 3, gt=0, le=256)
    mlp_ratio: float = field("width of the MLP over that of a token", "1", 4.0, gt=0, le=32)
    patch: int = field("side P of a patch", "pixel", 8, gt=0, le=1024)
    stem: Literal["conv", "linear"] = field(
        "how patches become tokens: strided convolutions, which learn small details from fewer "
        "maps, or the projection of Eq. (5.1)",
        "1",
        "conv",
    )
    repeat_channels: bool = field("repeat a one-channel map to three channels", "1", False)
    dropout: float = field("dropout in blocks and head", "1", 0.0, ge=0, lt=1)
    drop_path: float = field("stochastic depth: rate of the last block", "1", 0.1, ge=0, lt=1)

    @model_validator(mode="after")
    def _divisible(self) -> Self:
        width, _, heads = self.dimensions
        if width % heads:
            raise ValueError(f"width: expected a multiple of {heads} heads, got {width}")
        return self

    @property
    def dimensions(self) -> tuple[int, int, int]:
        """Width, depth and heads."""
        return VIT_SIZES.get(self.size, (self.width, self.depth, self.heads))


class UnetConfig(Frozen):
    """The U-Net for structure targets: O. Ronneberger et al., MICCAI 2015, arXiv:1505.04597."""

    width: int = field("channels of the first level; each level below has twice as many", "1", 16,
                       gt=0, le=1024)  # fmt: skip
    depth: int = field("levels below the first, each of half the pixels", "1", 4, gt=0, le=10)
    dropout: float = field("dropout of whole channels at the bottom", "1", 0.0, ge=0, lt=1)
    array: Literal["maps", "cube"] = field("array of the dataset that it is fed", "1", "maps")


class StructureTargets(Frozen):
    """What the U-Net is asked for, as the dataset has it."""

    elements: tuple[str, ...] = field("symbols, a channel of the masks each", "1",
                                       min_length=1, max_length=256)  # fmt: skip
    shape: Literal["disc", "gaussian"] = field("what an atom looks like in a mask", "1")
    radius_angstrom: float = field("radius of an atom in a mask", "Angstrom", gt=0)
    bonds: bool = field("whether it also draws bonds", "1")
    frame_angstrom: tuple[Extent, Extent] = field("extent of a map: rows, columns", "Angstrom")


class ModelConfig(Frozen):
    """A model, whole: from this alone it is built."""

    n_classes: Size = field("classes K", "1")
    spectrum: Size | None = field("points L of a spectrum; none if it sees none", "point", None)
    map: tuple[Size, Size, Size] | None = field(
        "channels, rows, columns (C, H, W) of a map, or of a cube; none if it sees none", "1", None
    )
    cnn: CnnConfig | None = field("the branch for spectra", "1", None)
    vit: VitConfig | None = field("the branch for maps", "1", None)
    unet: UnetConfig | None = field("the network for structure targets, alone", "1", None)
    structure: StructureTargets | None = field("its targets", "1", None)
    tensor_modes: Width | None = field(
        "modes M whose Raman tensors it predicts, (M, 3, 3); none if it predicts none", "1", None
    )

    present_fraction: float | None = field(
        "of mixtures, whose fractions are predicted: from which on a species counts as present; "
        "none if samples are of one species",
        "1",
        None,
        gt=0,
        le=1,
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.unet is not None or self.structure is not None:
            self._check_unet()
            return self
        for shape, branch, names in (
            (self.spectrum, self.cnn, ("spectrum", "cnn")),
            (self.map, self.vit, ("map", "vit")),
        ):
            if (shape is None) != (branch is None):
                raise ValueError(f"expected {names[0]} and {names[1]} together, got one of them")
        if self.cnn is None and self.vit is None:
            raise ValueError("expected a branch for spectra (cnn), for maps (vit), or both")
        if self.vit is not None and self.map is not None:
            if self.map[1] % self.vit.patch or self.map[2] % self.vit.patch:
                raise ValueError(
                    f"vit.patch: expected a divisor of {self.map[1]} and {self.map[2]}, "
                    f"got {self.vit.patch}"
                )
            if self.vit.repeat_channels and self.map[0] != 1:
                raise ValueError(
                    f"vit.repeat_channels: expected maps of one channel, got {self.map[0]}"
                )
        return self

    def _check_unet(self) -> None:
        if self.unet is None or self.structure is None or self.map is None:
            raise ValueError("expected unet, structure and map together, got some of them")
        others: dict[str, object] = {"spectrum": self.spectrum, "cnn": self.cnn, "vit": self.vit}
        others["tensor_modes"] = self.tensor_modes
        others["present_fraction"] = self.present_fraction
        for name, value in others.items():
            if value is not None:
                raise ValueError(f"{name}: expected none beside unet, which is a model of its own")
        step = 1 << self.unet.depth
        if self.map[1] % step or self.map[2] % step:
            raise ValueError(
                f"unet.depth: expected rows and columns that {step} divides, 2^{self.unet.depth}, "
                f"got {self.map[1]} x {self.map[2]}; take a smaller depth"
            )


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
        "weight of the Dice term, Eq. (6.5), beside the cross-entropy of masks", "1", 1.0, ge=0
    )


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
        "run, or checkpoint, whose weights the training begins with; heads by names of classes",
        "1",
        None,
    )
    amp: Amp = field("mixed precision, Eq. (7.3)", "1", "off")
    compile: bool = field("compile the model with torch.compile", "1", False)
    deterministic: bool = field("only algorithms that give the same bits each time", "1", False)
    ema: float = field("decay of the moving average of weights; 0 for none", "1", 0.0, ge=0, lt=1)
    patience: int = field(
        "epochs without a better macro-F1, or Dice, on val after which it stops; 0 for never",
        "1",
        0,
        ge=0,
    )
    checkpoint_steps: int = field(
        "steps between checkpoints; 0 for one at the end of each epoch", "1", 0, ge=0
    )
    keep: int = field("checkpoints that are kept, beside the best", "1", 2, gt=0)


class RunConfig(Frozen):
    """A training run."""

    data: DataConfig = field("where samples come from", "1")
    order: OrderConfig = field("how rows are shuffled", "1", OrderConfig())
    stream: StreamConfig = field("how rows are read", "1", StreamConfig())
    transforms: TransformConfig = field("random changes to batches", "1", TransformConfig())
    model: ModelConfig = field("the model", "1")
    loss: LossConfig = field("the loss", "1", LossConfig())
    optim: OptimConfig = field("the optimiser", "1", OptimConfig())
    engine: EngineConfig = field("how the training is run", "1", EngineConfig())

    @model_validator(mode="after")
    def _of_structure(self) -> Self:
        targets = self.model.structure
        if targets is None:
            return self
        unet = self.model.unet
        if unet is not None and INPUT_FIELDS[self.data.input] != (unet.array,):
            raise ValueError(
                f"model.unet.array: expected {self.data.input!r}s as data.input has it, got "
                f"{unet.array!r}; leave it out"
            )
        for name in ("label_smoothing", "tensor_loss"):
            if getattr(self.loss, name):
                raise ValueError(
                    f"loss.{name}: expected 0 for structure targets, which are no classes, got "
                    f"{getattr(self.loss, name):g}"
                )
        rows, columns = targets.frame_angstrom
        if self.transforms.quarter_turns and rows != columns:
            raise ValueError(
                "transforms.quarter_turns: expected a square frame, as turned atoms keep their "
                f"distances, got {rows:g} x {columns:g} Angstrom; leave it off, or use the flips"
            )
        return self
