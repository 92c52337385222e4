"""The command line of ``ters_train``: one file for each command, imported only when called."""

from tersgen.cli.common.program import Program

from .. import __version__


def _import_plugin(name: str) -> None:
    from ..parts import use_plugins

    use_plugins([name])


main = Program(
    "ters-train",
    __name__,
    __version__,
    {
        "bench-loader": "Measure how fast batches come, and say what limits it.",
        "calibrate": "Calibrate a classifier: probabilities, sets of species, none of these.",
        "evaluate": "Score a trained model on a part of a dataset.",
        "export": "Write a trained model as ONNX.",
        "find-lr": "Suggest a learning rate for a model.",
        "fit": "Train a model, or resume a run.",
        "inspect": "Show what a model was, or would be, trained on.",
        "predict": "Name the species of measured spectra, or draw the structures in maps.",
        "sweep": "Train a model with several values of its settings, and compare the scores.",
        "zoo": "List the trained models that come with the package.",
    },
    "Train on TERS datasets.",
    extra=("train", ("torch", "safetensors", "torchmetrics", "tensorboard", "jinja2")),
    patient=False,
    import_plugin=_import_plugin,
)
