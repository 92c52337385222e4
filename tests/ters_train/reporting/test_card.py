"""The model card."""

import dataclasses

import yaml

from ters_train.tasks.classification.page import class_pages


def card_markdown(report):
    return class_pages(report, b"", {"confusion.png": b""}, {})["model_card.md"].decode()


def test_what_a_card_says(report):
    card = card_markdown(report)
    _, heading, body = card.split("---\n", 2)
    assert yaml.safe_load(heading)["dataset_digest"] == "abc123"
    for text in (
        "it takes a Raman spectrum and names one of 3 classes",
        "- digest: abc123",
        "- version: v1.0",
        "- species: 3 of the built-in library",
        "- macro-F1: 0.4751",
        "- accuracy: 0.7000",
        "- pyridine taken for benzene: 3 of 10",
        "- p-xylene: 0.0000, 0",
        "synthetic data only",
        "## Intended use",
        "- parameters: 12345",
    ):
        assert text in body


def test_hostile_names_stay_on_their_line(report):
    name = "a\n# b [x](javascript:1) <img> *c* `d` | \x1b[31m"
    card = card_markdown(dataclasses.replace(report, classes=[name, "b", "c"], name=name))
    assert all(one.isprintable() or one == "\n" for one in card)
    headings = [line for line in card.splitlines() if line.startswith("#")]
    assert sum(line.startswith("# ") for line in headings) == 1
    for raw in ("[x]", "<img>", "*c*", "`d`"):
        assert raw not in card


def test_many_classes_are_not_all_listed(report):
    n = 300
    scores = {
        "accuracy": 1.0,
        "macro_f1": 1.0,
        **dict.fromkeys(("precision", "recall", "f1"), [1.0] * n),
        "support": [1] * n,
        "confusion": [[int(i == j) for j in range(n)] for i in range(n)],
    }
    classes = [f"species-{k}" for k in range(n)]
    card = card_markdown(dataclasses.replace(report, classes=classes, scores=scores))
    assert "and 100 more" in card
    assert "- none" in card
