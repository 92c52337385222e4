"""Tasks: their rows are frozen, and predictions are scored as expected."""

import json
from importlib import resources

import numpy as np
import pytest
from click.testing import CliRunner

import tersgen
from tersgen.bench import load_task, make, score, task_names
from tersgen.bench.making import DOCUMENT, MadeTask, load_images, part_contents
from tersgen.bench.predictions import load_found
from tersgen.cli import main
from tersgen.errors import ConfigError, OutputError

PARTS = [(name, part) for name in task_names() for part in load_task(name).parts]
pytestmark = pytest.mark.filterwarnings("ignore::tersgen.TersWarning")


@pytest.mark.parametrize(("name", "part"), PARTS)
def test_rows_are_frozen(name, part):
    task = load_task(name)
    assert part_contents(task, part).recipe_digest == task.parts[part].digest, (
        "other rows: raise the version of the task"
    )


@pytest.mark.parametrize("name", task_names())
def test_no_test_row_is_trained_on(name):
    parts = load_task(name).parts.values()
    assert len({part.digest for part in parts}) == len(parts)


def small(name, folder, **parts):
    """Make some rows of a task's datasets, as ``make`` does all."""
    folder.mkdir()
    task = load_task(name)
    made = MadeTask(task=name, version=task.version, size="small")
    (folder / DOCUMENT).write_text(made.model_dump_json())
    return {
        part: tersgen.build(task.recipe(part), n, folder / f"{part}.zarr")
        for part, n in parts.items()
    }


OWN = """version = 1
title = "two molecules"
kind = "species"
metric = "macro_f1"
higher_is_better = true
why = "a test"
[parts.train]
small = 40
full = 80
[parts.train.recipe]
library = ["builtin:water", "builtin:methane"]
fields = {maps = false}
[parts.test]
like = "train"
small = 20
full = 40
[parts.test.recipe]
seed = 2
"""


def test_a_task_of_somebody_else(tmp_path):
    file, said = tmp_path / "mine.toml", []
    file.write_text(OWN)
    make(file, tmp_path / "made", note=said.append)
    digest = next(line.split('"')[1] for line in said if line.startswith("test is not frozen"))
    test = tersgen.open(tmp_path / "made" / "test.zarr")
    right = table(tmp_path / "p.jsonl", species(test["label"][:], test.classes))
    file.unlink()
    assert score(tmp_path / "made", right).scores["macro_f1"].value == 1.0
    file.write_text(OWN.replace("small = 20", f'small = 20\ndigest = "{digest}"'))
    make(file, tmp_path / "again")
    file.write_text(file.read_text().replace("seed = 2", "seed = 3"))
    with pytest.raises(ConfigError, match="task mine: expected a recipe with digest"):
        make(file, tmp_path / "third")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"macro_f1"', '"auroc"', "metric: expected one of accuracy, macro_f1, got 'auroc'"),
        ('like = "train"', 'like = "test"', "expected another part that is like none, got 'test'"),
        ("[parts.train]", '[parts.train]\nlike = "test"', "parts.train.like: expected another"),
        ("[parts.test", "[parts.foreign", "parts: expected train, test, got train, foreign"),
        ("[parts.test", '[parts."../test"', "expected 'train', 'test' or 'foreign', got '../test'"),
        ("seed = 2", 'plugins = ["a.py"]', "recipe.plugins: expected none, as a task runs no code"),
        ("version = 1", 'version = 1\nname = "a"', "name: expected none"),
        ("version = 1", "version =", "mine.toml: expected TOML"),
    ],
)
def test_a_task_that_cannot_be_scored(tmp_path, old, new, message):
    file = tmp_path / "mine.toml"
    file.write_text(OWN.replace(old, new))
    with pytest.raises(ConfigError, match=message):
        load_task(file)


def test_a_task_is_not_taken_for_one_of_ours(tmp_path):
    file = tmp_path / "mixtures.toml"
    file.write_text(OWN)
    with pytest.raises(ConfigError, match="expected a name that none of our tasks has"):
        load_task(file)
    ours = resources.files("tersgen.bench") / "tasks" / "response.toml"
    (tmp_path / "mine.toml").write_text(ours.read_text())
    with pytest.raises(ConfigError, match="kind: expected one that has data of its own"):
        load_task(tmp_path / "mine.toml")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed = 2": "sead = 2"}, "parts.test: recipe: sead: unknown field"),
        ({"seed = 2": ""}, "parts.test: expected other rows than those of train"),
        ({'"species"': '"mixture"', "macro_f1": "exact"}, "settings that make mixture/label"),
    ],
)
def test_nothing_is_built_of_a_task_that_has_a_bad_part(tmp_path, changes, message):
    file, text = tmp_path / "mine.toml", OWN
    for old, new in changes.items():
        text = text.replace(old, new)
    file.write_text(text)
    with pytest.raises(ConfigError, match=message):
        make(file, tmp_path / "made")
    assert not (tmp_path / "made").exists()


def table(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def species(labels, classes, probability=0.8):
    return [
        {"row": row, "species": [{"name": classes[label], "probability": probability}]}
        for row, label in enumerate(labels)
    ]


def test_species_and_foreign_rows(tmp_path):
    made = small("open_set", tmp_path / "a", test=60, foreign=40)
    test = made["test"]
    labels = np.array(test["label"][:])
    labels[:15] = (labels[:15] + 1) % len(test.classes)
    known = table(tmp_path / "known.jsonl", species(labels, test.classes))
    sure = table(tmp_path / "foreign.jsonl", species([0] * 40, test.classes, 0.3))
    found = score(tmp_path / "a", known, sure).scores
    assert found["accuracy"].value == 0.75
    assert 0.6 < found["accuracy"].low < 0.75 < found["accuracy"].high < 0.9
    assert (found["auroc"].value, found["false_positives_at_95"].value) == (1.0, 0.0)
    with pytest.raises(ConfigError, match="predictions for foreign"):
        score(tmp_path / "a", known)
    rows = [{**row, "novelty": 0.5} for row in species([0] * 40, test.classes)]
    with pytest.raises(ConfigError, match="measured in one way"):
        score(tmp_path / "a", known, table(tmp_path / "other.jsonl", rows))
    with pytest.raises(ConfigError, match="two files of predictions, got one"):
        score(tmp_path / "a", known, known)
    rows = species([0] * 40, test.classes)
    rows[-1]["species"][0]["name"] = "no molecule"
    with pytest.raises(ConfigError, match="row 39: expected species of the task"):
        score(tmp_path / "a", known, table(tmp_path / "other.jsonl", rows))


def test_mixtures_in_every_kind_of_table(tmp_path):
    dataset = small("mixtures", tmp_path / "a", test=30)["test"]
    rows = []
    for row in range(30):
        k = range(dataset["mixture/count"][row])
        label, fraction = dataset["mixture/label"][row], dataset["mixture/fraction"][row]
        rows.append([(dataset.classes[label[i]], float(fraction[i])) for i in k])
    lines = [
        {"row": row, "species": [{"name": name, "fraction": f} for name, f in one]}
        for row, one in enumerate(rows)
    ]
    right = score(tmp_path / "a", table(tmp_path / "p.jsonl", lines))
    assert right.scores["composition_error"].value == pytest.approx(0, abs=1e-6)
    assert right.scores["exact"].value == 1
    csv = ["row,species_1,fraction_1,species_2,fraction_2,species_3,fraction_3"]
    for row, one in enumerate(rows):
        cells = [f"{name},{f}" for name, f in one] + ["," for _ in range(3 - len(one))]
        csv.append(f"{row}," + ",".join(cells))
    (tmp_path / "p.csv").write_text("\n".join(csv))
    assert score(tmp_path / "a", tmp_path / "p.csv").scores == right.scores


def test_structures(tmp_path):
    dataset = small("structure_from_cubes", tmp_path / "a", test=3)["test"]
    counts = dataset["structure/count"][:]
    rows = np.repeat(np.arange(3), counts)
    numbers, places = (
        np.concatenate([dataset[f"structure/{name}"][i][:n] for i, n in enumerate(counts)])
        for name in ("elements", "positions")
    )
    symbols = np.array(["H", "C", "N", "O"])
    elements = np.searchsorted([1, 6, 7, 8], numbers)
    moved = places[:, :2] + [0.3, 0.0]
    arrays = {"symbols": symbols, "atom_rows": rows, "atom_elements": elements}
    np.savez(tmp_path / "p.npz", **arrays, atom_positions=moved)
    found = score(tmp_path / "a", tmp_path / "p.npz").scores
    assert found["atom_f1"].value == 1
    assert found["position_rms_angstrom"].value == pytest.approx(0.3, abs=1e-5)
    np.savez(tmp_path / "p.npz", **arrays, atom_positions=places[:, :2] + [0.6, 0.0])
    assert score(tmp_path / "a", tmp_path / "p.npz").scores["atom_f1"].value == 0
    arrays["atom_positions"] = moved
    for wrong, message in [
        ({"atom_positions": places}, "atom_positions: expected x and y of shape"),
        ({"atom_positions": moved * np.nan}, "expected finite"),
        ({"atom_elements": numbers}, "expected places in symbols, integers from 0 to 3, got"),
        ({"atom_rows": rows + 7}, "expected rows of test.zarr, integers from 0 to 2, got"),
        ({"symbols": np.array(["H", "C", "Xq", "O"])}, "got 'Xq'"),
        ({"symbols": np.array([], str)}, "expected a list of chemical symbols, got shape"),
        ({"symbols": symbols[None]}, "expected a list of chemical symbols, got shape"),
        ({"atom_positions": moved * 1e200}, "atom_positions: expected numbers up to 1e.100"),
        ({"symbols": symbols.astype(object)}, "of numbers or text"),
    ]:
        np.savez(tmp_path / "p.npz", **{**arrays, **wrong})
        with pytest.raises(ConfigError, match=message):
            score(tmp_path / "a", tmp_path / "p.npz")


def test_responses(tmp_path):
    make("response", tmp_path / "a")
    with np.load(tmp_path / "a" / "molecules.npz") as file:
        assert "benzene/images" not in file
        assert not [name for name in file if name.endswith("images")]
    names = sorted({name.partition("/")[0] for name in load_images()})
    truth = {name: load_images()[f"{name}/images"] for name in names}
    np.savez(tmp_path / "p.npz", **{name: 1.1 * x for name, x in truth.items()})
    found = score(tmp_path / "a", tmp_path / "p.npz").scores
    assert found["median_error"].value == pytest.approx(0.1)
    assert found["cosine_above_0.9"].value == 1
    np.savez(tmp_path / "p.npz", **{name: x[:5] for name, x in truth.items()})
    with pytest.raises(ConfigError, match="of shape"):
        score(tmp_path / "a", tmp_path / "p.npz")
    np.savez(tmp_path / "p.npz", **{name: x * np.nan for name, x in truth.items()})
    with pytest.raises(ConfigError, match="expected finite numbers"):
        score(tmp_path / "a", tmp_path / "p.npz")
    (tmp_path / "p.npz").write_text("row,species_1")
    with pytest.raises(ConfigError, match="file with the arrays ethylene"):
        score(tmp_path / "a", tmp_path / "p.npz")


@pytest.fixture(scope="module")
def two_rows(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench") / "a"
    small("mixtures", folder, test=2)
    return folder


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"row": 0}', "species_1"),
        ('{"row": 0, "species_1": "a"}', "probability_1"),
        (
            '{"row": 7, "species_1": "a", "probability_1": 1}',
            "0 to 1 once, got row 7",
        ),
        ('{"row": 0, "species_1": "a", "probability_1": 1}', "row 1 is missing"),
        ('{"row": 0, "species_1": "a", "probability_1": NaN}', "not finite"),
        ('{"row": 0, "species_1": "a", "fraction_1": null}', "an empty fraction_1"),
        ('{"row": 0, "species_1": "a", "probability_1": 60}', "not from 0 to 1"),
        ('{"row": 0.5, "species_1": "a", "probability_1": 1}', "no whole number"),
        ('{"row": 1e999, "species_1": "a", "probability_1": 1}', "not finite"),
        ('{"row": true, "species_1": "a", "probability_1": 1}', "True, which is no number"),
        (f'{{"row": {"9" * 400}, "species_1": "a", "probability_1": 1}}', "no number"),
        (f'{{"row": {"9" * 5000}}}', "not well formed"),
        ("[0]", "which has no names"),
        ('{"row": 0, "species": ["a"]}', "have no names"),
        ('{"row": 0, "species_2": "a", "probability_2": 1}', "empty species_1 before others"),
        (
            '{"row": 0, "species": [{"name": "a", "fraction": 1}, {"name": "a", "fraction": 0}]}',
            "got a twice",
        ),
        (
            "\n".join(f'{{"row": {row}, "species_1": "a", "probability_1": 1}}' for row in (0, 1)),
            "expected species of the task",
        ),
        (
            '{"row": 0, "species_1": "benzene", "fraction_1": 1}\n'
            '{"row": 1, "species_1": "benzen", "fraction_1": 1}',
            "row 1: expected species of the task .* got 'benzen' .did you mean 'benzene'",
        ),
        (
            '{"row": 0, "species_1": "benzene", "fraction_1": 1, "species_2": "water", '
            '"fraction_2": 1}\n{"row": 1, "species_1": "benzene", "fraction_1": 1}',
            "row 0: expected fractions with a sum of at most 1, got 2",
        ),
        ('{"row"', "not well formed"),
    ],
)
def test_bad_tables(two_rows, tmp_path, text, message):
    (tmp_path / "p.jsonl").write_text(text + "\n")
    with pytest.raises(ConfigError, match=message):
        score(two_rows, tmp_path / "p.jsonl")


def test_tables_as_programs_write_them(two_rows, tmp_path):
    """A mark of UTF-8, rows that are floats, species in any order."""
    heading = "row,species_1,fraction_1,species_2,fraction_2"
    rows = "0.0,benzene,0.6,water,0.4\n1.0,water,0.1,benzene,0.9\n"
    path = tmp_path / "p.csv"
    path.write_text(f"\ufeff{heading}\n{rows}")
    found = load_found(path, 2)
    assert [one.species[0] for one in found] == [("benzene", 0.6), ("benzene", 0.9)]
    assert [one.novelty for one in found] == pytest.approx([0.4, 0.1])
    for first, row, message in [
        (heading.replace(",", ";"), "0;benzene;0.6;water;0.4", "no row among 'row;species_1;"),
        (heading, "0,benzene,0.6,water,0.4,1", "more cells than columns"),
    ]:
        path.write_text(f"{first}\n{row}\n")
        with pytest.raises(ConfigError, match=message):
            score(two_rows, path)


def test_sizes_are_named(tmp_path):
    with pytest.raises(ConfigError, match=r"size: .*'smal'"):
        make("mixtures", tmp_path / "made", "smal")


def test_a_folder_is_of_one_task(tmp_path):
    make("response", tmp_path / "a")
    make("response", tmp_path / "a")  # again is as well
    with pytest.raises(OutputError, match="choose another folder"):
        make("mixtures", tmp_path / "a")
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "notes.txt").touch()
    with pytest.raises(OutputError, match=r"expected a new or empty folder, found 'notes.txt'"):
        make("response", tmp_path / "c")
    with pytest.raises(ConfigError, match="spectra of your own"):
        make("sim_to_real", tmp_path / "b")
    spectrum = tmp_path / "measured" / "Calcite" / "a.txt"
    spectrum.parent.mkdir(parents=True)
    spectrum.write_text("100 1\n4000 2\n")
    with pytest.raises(ConfigError, match=r"a.txt: label of its folder: .* mean 'calcite'"):
        make("sim_to_real", tmp_path / "b", measured=tmp_path / "measured")
    assert not (tmp_path / "b").exists()
    with pytest.raises(ConfigError, match="bench make"):
        score(tmp_path, tmp_path / "p.jsonl")


def test_commands(tmp_path):
    run = CliRunner().invoke
    listed = json.loads(run(main, ["bench", "list", "--json"]).output)
    assert [one["name"] for one in listed] == task_names()
    done = run(main, ["bench", "make", "response", "--out", str(tmp_path / "a")])
    assert (done.exit_code, "tersgen bench score" in done.output) == (0, True)
    done = run(main, ["bench", "make", "mixtur", "--out", str(tmp_path / "b")])
    assert (done.exit_code, "did you mean 'mixtures'" in done.output) == (2, True)
