"""The page and all files of a report."""

import base64
import dataclasses
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from ters_train.reporting import Example, write_report
from ters_train.reporting.page import plain_pages
from ters_train.tasks.classification import Classification, ClassificationOptions
from ters_train.tasks.classification.page import class_pages
from ters_train.tasks.classification.scores import score
from ters_train.tasks.structure.page import structure_pages
from tersgen.errors import OutputError
from tersgen.plotting.spectra import Line

HOSTILE = "<script>alert(1)</script>\"'&\x1b[31m\u202e"
VOID = {"meta", "img"}

CLASSES = Classification(ClassificationOptions(n_classes=3))


def page_html(report, curves, confusion, reliability=b"", examples=None):
    pictures = {"confusion.png": confusion, "reliability.png": reliability}
    return class_pages(report, curves, pictures, examples or {})["report.html"].decode()


class Reader(HTMLParser):
    """Collects tags, texts and what refers to something else."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.open, self.links, self.rows = [], [], [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        self.links += [value for name, value in attrs if name in ("src", "href", "srcset")]
        assert not any(name.startswith("on") for name, _ in attrs)
        if tag == "tr":
            self.rows.append([])

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("td", "th", "code"):
            self.rows[-1].append(data)


def test_a_page_is_whole_and_self_contained(report):
    examples = {HOSTILE: b"PNG 3"}
    reader = Reader(page_html(report, b"PNG one", b"PNG two", b"PNG four", examples))
    assert reader.open == []
    assert "script" not in reader.tags
    assert [base64.b64decode(link.split(",")[1]) for link in reader.links] == [
        b"PNG one",
        b"PNG two",
        b"PNG 3",
        b"PNG four",
    ]
    assert all(link.startswith("data:image/png;base64,") for link in reader.links)


def test_what_a_page_says(report):
    rows = Reader(page_html(report, b"", b"")).rows
    assert ["macro-F1", "0.4751"] in rows
    assert ["dataset digest", "abc123"] in rows
    assert ["dataset version", "v1.0"] in rows
    assert ["parameters", "12345"] in rows
    assert ["benzene", "0.7273", "0.8000", "0.7619", "10"] in rows
    worst = rows.index(["true class", "predicted class", "samples", "of"])
    assert rows[worst + 1 : worst + 4] == [
        ["pyridine", "benzene", "3", "10"],
        ["benzene", "pyridine", "2", "10"],
        ["pyridine", "p-xylene", "1", "10"],
    ]


def test_classes_without_names_on_the_matrix_have_numbers(report):
    names = [f"species {k}" for k in range(70)]
    scores = score(np.eye(70, dtype=int).tolist(), 1.0).model_dump(mode="json")
    many = dataclasses.replace(report, classes=names, scores=scores)
    rows = Reader(page_html(many, b"", b"")).rows
    assert ["69", "species 69", "1.0000", "1.0000", "1.0000", "1"] in rows


def test_a_perfect_run_has_no_confusions(report):
    perfect = dict(report.scores, confusion=[[10, 0, 0], [0, 10, 0], [0, 0, 0]])
    page = page_html(dataclasses.replace(report, scores=perfect), b"", b"")
    assert "None: every sample" in page


ONE = {"precision": [0.5], "recall": [0.5], "f1": [0.5], "support": [2]}
OF_CLASSES = {**ONE, "accuracy": 0.5, "macro_f1": 0.5, "confusion": [[2]]}
OF_MIXTURES = {
    **{f"present_{name}": values for name, values in ONE.items()},
    **OF_CLASSES, "present_macro_f1": 0.5, "exact": 0.5, "composition_error": 0.1,
}  # fmt: skip
OF_STRUCTURES = {
    **dict.fromkeys(("dice", "iou", "position_recall", "position_precision", "bond_dice"), 0.5),
    **{key: [None] for key in ("dice_of", "iou_of", "precision_of", "recall_of", "error_of")},
    "bond_iou": 0.5, "position_error_angstrom": None, "support": [2], "n_samples": 2,
    "elements": [HOSTILE],
}  # fmt: skip


@pytest.mark.parametrize(
    ("pages", "scores"),
    [
        (plain_pages, {HOSTILE: 1.5, "n_samples": 2}),
        (
            lambda report, curves: class_pages(report, curves, {"confusion.png": b""}, {}),
            OF_CLASSES,
        ),
        (
            lambda report, curves: class_pages(report, curves, {"confusion.png": b""}, {}),
            OF_MIXTURES,
        ),
        (structure_pages, OF_STRUCTURES),
    ],
)
def test_hostile_texts_are_shown_and_not_obeyed(report, pages, scores):
    hostile = dataclasses.replace(
        report,
        name=HOSTILE,
        classes=[HOSTILE],
        scores=scores,
        part=HOSTILE,
        digest=HOSTILE,
        version=HOSTILE,
        config={HOSTILE: {"a": [HOSTILE]}},
        recipe={HOSTILE: HOSTILE},
        facts={HOSTILE: HOSTILE},
    )
    page, card = (content.decode() for content in pages(hostile, b"").values())
    reader = Reader(page)
    assert reader.open == []
    assert set(reader.tags).isdisjoint({"script", "iframe", "a", "object"})
    assert all(one.isprintable() or one == "\n" for one in page)
    assert re.search(r"&lt;script&gt;", page)
    assert all(one.isprintable() or one == "\n" for one in card)
    assert not re.search(r"(?<!\\)<", card)


def test_all_files_of_a_report(report, tmp_path):
    axis = np.linspace(100, 4000, 64)
    lines = tuple(Line(name, axis, np.sin(axis)) for name in ("benzene, row 7", "pyridine, row 1"))
    report = dataclasses.replace(report, examples=(Example("benzene read as pyridine", lines),))
    write_report(tmp_path, report, CLASSES.pages)
    paths = list(tmp_path.iterdir())
    names = {path.name for path in paths}
    pictures = {"curves.png", "confusion.png", "reliability.png"}
    assert names == {*pictures, "report.html", "model_card.md"}
    first = {path.name: path.read_bytes() for path in paths}
    links = Reader(first["report.html"].decode()).links
    shown = [base64.b64decode(link.split(",")[1]) for link in links]
    assert set(shown) > {first[name] for name in pictures}
    assert len(shown) == 4
    write_report(tmp_path, report, CLASSES.pages)
    assert {path.name: path.read_bytes() for path in paths} == first
    with pytest.raises(OutputError, match="cannot be written"):
        write_report(tmp_path / "none", report, CLASSES.pages)
