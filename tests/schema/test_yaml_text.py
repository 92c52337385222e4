"""YAML: keys are texts and stand once; aliases repeat no more than fits."""

import pytest

from tersgen.errors import ConfigError
from tersgen.schema.loading import load_table
from tersgen.schema.yaml_text import load_yaml

LAUGHS = "a0: &a0 [x, x]\n" + "".join(
    f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 9)}]\n" for k in range(1, 20)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed: 1\ngrid: {}\nseed: 2\n", "line 3: the key 'seed' is given twice"),
        ("grid:\n  n_points: 3\n  n_points: 4\n", "line 3: the key 'n_points' is given twice"),
        ("1: 2\n", "line 1: expected a text as a key, got '1'"),
        ("2020-01-01: 2\n", "line 1: expected a text as a key"),
        ("[a]: 2\n", "line 1: expected a text as a key"),
        ("null: 2\n", "line 1: expected a text as a key"),
        ("a: !!python/object/apply:os.system [ls]\n", "could not determine a constructor"),
        (LAUGHS, "aliases that repeat more"),
        ("a: &a [*a]\n", "an alias contains itself"),
        ("a: " + "[" * 5000, "not well formed"),
        ("a: 2020-99-99\n", "not well formed"),
    ],
)
def test_what_is_refused(tmp_path, text, message) -> None:
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(ConfigError) as error:
        load_table(tmp_path / "a.yaml")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_what_is_read() -> None:
    assert load_yaml("") is None
    assert load_yaml("a: &a {x: 1}\nb: *a\nc: {<<: *a, y: [1, two]}") == {
        "a": {"x": 1}, "b": {"x": 1}, "c": {"x": 1, "y": [1, "two"]},
    }  # fmt: skip
