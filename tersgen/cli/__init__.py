"""The command line: one file for each command, imported only when it is called."""

from .. import __version__
from .common.program import Program

main = Program(
    "tersgen",
    __name__,
    __version__,
    {
        "bench": "Make the data of TERSBench's tasks, and score predictions.",
        "build": "Build a dataset, or resume one that was stopped.",
        "config": "Show the settings that a build would use.",
        "convert": "Copy a dataset into the other back end.",
        "diff": "Show what differs between two datasets or versions.",
        "export": "Write rows in the formats of other programs.",
        "extend": "Add samples to a dataset.",
        "fetch": "Copy a dataset from a server.",
        "field": "Import and show tip fields on grids.",
        "finalize": "Complete a dataset whose shards were finished by many jobs.",
        "info": "Show what a dataset contains.",
        "ingest": "Make a dataset of measured spectra or arrays.",
        "inspect": "Show what is in measured files.",
        "jobs": "Show, watch, cancel and resume the jobs of a server.",
        "library": "List, show, import and compute species.",
        "log": "Show the versions of a dataset.",
        "plan": "Estimate the size and duration of a large build.",
        "plot": "Draw datasets, measured files, species, predictions and runs.",
        "push": "Copy a dataset to an object store.",
        "repair": "Rebuild what is damaged in a dataset.",
        "report": "Write a dataset as one page for a browser.",
        "reproduce": "Generate some rows again and compare the bits.",
        "schema": "Export the JSON Schemas of all models.",
        "serve": "Serve a folder of datasets over HTTP, and build new ones.",
        "split": "Split a dataset into parts for training and testing.",
        "submit": "Have a server build a dataset.",
        "tag": "Name a version of a dataset.",
        "verify": "Check whether a dataset is complete and unchanged.",
    },
    "Make synthetic tip-enhanced Raman (TERS) datasets.",
    ("serve", ("fastapi", "starlette", "uvicorn")),
)
