"""Rules and records of splits: what is accepted, what is refused and how it is said."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tersgen.dataset.schemas import field_rows
from tersgen.errors import ConfigError
from tersgen.schema.loading import validate
from tersgen.schema.split import FieldRange, Split, SplitRule, parse_range

DIGEST = "0" * 64
MADE = {
    "name": "v1.0",
    "rule": {},
    "sizes": [4, 10],
    "counts": [[4, 0, 1], [4, 1, 0]],
    "class_weights": [1.0, 1.0],
    "digest": DIGEST,
}
GROUPED = {**MADE, "rule": {"by": "group"}, "groups": {"water": "train", "ice": "test"}}


@pytest.mark.parametrize("model", [SplitRule, Split])
def test_every_field_has_a_unit_and_a_description(model):
    properties = model.model_json_schema()["properties"].values()
    assert all(field.get("unit") and field.get("description") for field in properties)
    assert all(text for _, _, _, text in field_rows(model))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("params/width=1.1:1.25", ("params/width", 1.1, 1.25)),
        ("params/shift=-3:5e0", ("params/shift", -3.0, 5.0)),
        ("label=2:4", ("label", 2.0, 4.0)),
        ("params/map_noise=0.2:inf", ("params/map_noise", 0.2, math.inf)),
        ("params/shift=-inf:0", ("params/shift", -math.inf, 0.0)),
        ("params/laser_nm=785", ("params/laser_nm", 785.0, 785.0)),
        ("params/instrument[0]=6:16", ("params/instrument", 6.0, 16.0, "0")),
    ],
)
def test_ranges(text, expected):
    assert parse_range(text) == FieldRange(*expected)


@given(st.floats(), st.floats())
def test_a_range_is_read_as_it_is_written_or_refused(low, high):
    text = f"params/width={low!r}:{high!r}"
    if low < high:
        assert parse_range(text) == ("params/width", low, high, None)
    else:
        with pytest.raises(ValueError, match="LOW < HIGH"):
            parse_range(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "params/width",
        "params/width=",
        "=1:2",
        "w=inf",
        "w[-1]=1:2",
        "w[]=1",
        "w=1:2:3",
        "w=a:2",
        "W=1:2",
        "a/b/c=1:2",
        "../x=1:2",
        "w=1:nan",
        "w==1:2",
        "w=1:2\n",
        "w=1: 2",
        "w=2:1",
        "w=1:1",
    ],
)
def test_what_is_no_range(text):
    with pytest.raises(ValueError, match=r"expected a range FIELD=LOW:HIGH"):
        parse_range(text)


@pytest.mark.parametrize(
    ("names", "to", "part"),
    [
        (("train", "test", "val"), None, 1),
        (("train", "val", "new"), None, 2),
        (("train", "test", "val"), "val", 2),
    ],
)
def test_where_rows_held_out_go(names, to, part):
    rule = SplitRule(names=names, hold_out=("water", "params/width=1:2"), hold_out_to=to)
    assert rule.held_part == part
    assert rule.held_species == ("water",)
    assert rule.held_ranges == (FieldRange("params/width", 1.0, 2.0),)
    assert rule.shares[part] == 0.0
    assert [r for j, r in enumerate(rule.shares) if j != part] == [
        r for j, r in enumerate(rule.ratios) if j != part
    ]


def test_without_hold_outs_every_part_has_its_ratio():
    assert SplitRule().shares == (0.8, 0.1, 0.1)
    assert SplitRule(hold_out_to="val").shares == (0.8, 0.1, 0.1)
    assert SplitRule(names=("all",), ratios=(1.0,)).held_part == 0
    assert SplitRule(ratios=(0.0, 0.0, 1.0)).shares == (0.0, 0.0, 1.0)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"names": []}, "names: expected at least 1"),
        ({"names": ["a b", "val", "test"]}, "names.0: expected at most 32 lower-case letters"),
        ({"names": ["Train", "val", "test"]}, "names.0: expected at most 32 lower-case letters"),
        ({"names": ["train\n", "val", "test"]}, "names.0: expected at most 32 lower-case letters"),
        ({"names": ["a", "b", "a"]}, "names: expected each part once, got a, b, a"),
        ({"names": [f"p{j}" for j in range(101)]}, "names: expected at most 100"),
        ({"ratios": [0.5, 0.5]}, "ratios: expected one for each part (train, val, test), got 2"),
        ({"ratios": [0.8, 0.1, 0.2]}, "expected a sum of 1, got 0.8 + 0.1 + 0.2 = 1.1"),
        ({"ratios": [1.2, -0.1, -0.1]}, "ratios.1: expected greater than or equal to 0"),
        ({"ratios": [float("nan"), 0.5, 0.5]}, "ratios.0: expected a finite number"),
        ({"seed": -1}, "seed: expected greater than or equal to 0, got -1"),
        ({"seed": 2**32}, "seed: expected less than 4294967296"),
        ({"by": "row"}, "by: expected 'species', 'group', 'sample' or 'given', got 'row'"),
        ({"hold_out": ["a", "a"]}, "hold_out: expected each once, got a, a"),
        ({"hold_out": ["params/width"]}, "expected the name of a species, FIELD="),
        ({"hold_out": ["params/width=3:1"]}, "expected a range FIELD=LOW:HIGH with LOW < HIGH"),
        ({"hold_out_to": "dev"}, "hold_out_to: expected one of train, val, test, got dev"),
        (
            {"hold_out": ["water"], "ratios": [0.0, 0.0, 1.0]},
            "ratios: expected one above 0 for a part other than test, which has only the held-out",
        ),
        (
            {"hold_out": ["water"], "names": ["a"], "ratios": [1.0]},
            "expected one above 0 for a part other than a",
        ),
    ],
)
def test_a_bad_rule_is_one_line(table, message):
    with pytest.raises(ConfigError) as error:
        validate(SplitRule, table, "split")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("ratios", [(0.8, 0.1, 0.1 + 9e-7), (1 / 3, 1 / 3, 1 / 3)])
def test_a_sum_of_about_one_is_enough(ratios):
    assert SplitRule(ratios=ratios).ratios == ratios


@pytest.mark.parametrize(
    ("base", "change", "message"),
    [
        (MADE, {"name": ".hidden"}, "name: expected at most 64 letters, digits"),
        (MADE, {"name": "a/b"}, "name: expected at most 64 letters, digits"),
        (MADE, {"name": "a" * 65}, "name: expected at most 64 letters, digits"),
        (MADE, {"sizes": []}, "sizes: expected at least 1"),
        (MADE, {"sizes": [10, 10]}, "sizes: expected rising numbers above 0, got [10, 10]"),
        (MADE, {"sizes": [0, 10]}, "sizes: expected rising numbers above 0, got [0, 10]"),
        (MADE, {"sizes": [11]}, "counts: expected a sum of 11, the last of sizes: 10"),
        (MADE, {"counts": [[5, 5]]}, "counts: expected one for each of train, val, test"),
        (MADE, {"counts": [[11, 0, -1]]}, "counts.0.2: expected greater than or equal to 0"),
        (MADE, {"class_weights": [1.0]}, "class_weights: expected one for each of 2 classes"),
        (
            MADE,
            {"class_weights": [-1.0, 2.0]},
            "class_weights.0: expected greater than or",
        ),
        (MADE, {"groups": {"a": "train"}}, "groups: expected 0 species for rule.by = species"),
        (GROUPED, {"groups": {"a": "train"}}, "groups: expected 2 species for rule.by = group"),
        (GROUPED, {"groups": {"a": "train", "b": "dev"}}, "got dev for b"),
        (MADE, {"digest": "0" * 63}, "digest: expected 64 hexadecimal digits"),
        (MADE, {"digest": "G" * 64}, "digest: expected 64 hexadecimal digits"),
    ],
)
def test_a_bad_record_is_one_line(base, change, message):
    with pytest.raises(ConfigError) as error:
        validate(Split, {**base, **change}, "split")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("table", [MADE, GROUPED])
def test_a_record_comes_back_from_its_json(table):
    split = Split.model_validate(table)
    assert split.n_samples == 10
    assert Split.model_validate(json.loads(split.model_dump_json())) == split
