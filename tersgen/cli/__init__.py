"""The command line: one file for each command, imported only when it is called."""

from .. import __version__
from .common.program import Program

main = Program(
    "tersgen",
    __name__,
    __version__,
    {
        "build": "Build a dataset, or resume one that was stopped.",
        "config": "Show the settings that a build would use.",
        "convert": "Copy a dataset into the other back end.",
        "diff": "Show what differs between two datasets or versions.",
        "extend": "Add samples to a dataset.",
        "finalize": "Complete a dataset whose shards were finished by many jobs.",
        "info": "Show what a dataset contains.",
        "ingest": "Make a dataset of measured spectra or arrays.",
        "inspect": "Show what is in measured files.",
        "library": "List, show, import and compute species.",
        "log": "Show the versions of a dataset.",
        "plan": "Estimate the size and duration of a large build.",
        "plot": "Draw samples of a dataset or recipe.",
        "repair": "Rebuild what is damaged in a dataset.",
        "reproduce": "Generate some rows again and compare the bits.",
        "schema": "Export the JSON Schemas of all models.",
        "split": "Split a dataset into parts for training and testing.",
        "tag": "Name a version of a dataset.",
        "verify": "Check whether a dataset is complete and unchanged.",
    },
    "Make synthetic tip-enhanced Raman (TERS) datasets.",
)
