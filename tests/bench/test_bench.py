"""Tasks: their rows are frozen, and predictions are scored as expected."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

import tersgen
from tersgen.bench import load_task, make, score, task_names
from tersgen.bench.making import DOCUMENT, MadeTask, load_images, recipe_digest
from tersgen.cli import main
from tersgen.errors import ConfigError, OutputError

PARTS = [(name, part) for name in task_names() for part in load_task(name).parts]
pytestmark = pytest.mark.filterwarnings("ignore::tersgen.TersWarning")


@pytest.mark.parametrize(("name", "part"), PARTS)
def test_rows_are_frozen(name, part):
    task = load_task(name)
    assert recipe_digest(task.recipe(part)) == task.parts[part].digest, (
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
        ('like = "train"', 'like = "val"', "parts.test.like: expected another part, got 'val'"),
        ("[parts.test", "[parts.val", "parts: expected train, test, got no test"),
        ("version = 1", "version =", "mine.toml: expected TOML"),
    ],
)
def test_a_task_that_cannot_be_scored(tmp_path, old, new, message):
    file = tmp_path / "mine.toml"
    file.write_text(OWN.replace(old, new))
    with pytest.raises(ConfigError, match=message):
        load_task(file)


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
        ('{"row": 0, "species_1": "a", "probability_1": 60}', "not from 0 to 1"),
        (
            '{"row": 0, "species": [{"name": "a", "fraction": 1}, {"name": "a", "fraction": 0}]}',
            "got a twice",
        ),
        (
            "\n".join(f'{{"row": {row}, "species_1": "a", "probability_1": 1}}' for row in (0, 1)),
            "expected species of the task",
        ),
        ('{"row"', "not well formed"),
    ],
)
def test_bad_tables(two_rows, tmp_path, text, message):
    (tmp_path / "p.jsonl").write_text(text + "\n")
    with pytest.raises(ConfigError, match=message):
        score(two_rows, tmp_path / "p.jsonl")


def test_a_folder_is_of_one_task(tmp_path):
    make("response", tmp_path / "a")
    make("response", tmp_path / "a")  # again is as well
    with pytest.raises(OutputError, match="choose another folder"):
        make("response", tmp_path / "a", "full")
    with pytest.raises(ConfigError, match="spectra of your own"):
        make("sim_to_real", tmp_path / "b")
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
