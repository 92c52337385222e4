"""Effects of plug-ins: where they act, what they record, and what is refused."""

import numpy as np
import pytest

from tersgen import plugins, resolve
from tersgen.dataset.sources import GeneratedBlocks
from tersgen.effects import (
    EffectSettings,
    NonNegativeInterval,
    Parameter,
    PluginEffect,
    between,
    field,
    kernel,
    philox,
)
from tersgen.effects.chain import field_table
from tersgen.errors import ConfigError
from tersgen.generator import Generator
from tersgen.random import streams
from tersgen.recipe import Recipe

SMALL = {
    "library": ["builtin:benzene", "builtin:pyridine"],
    "map": {"height": 8, "width": 8},
    "fields": {"precision": "float16"},
}
INSTRUMENT = {
    "lineshape": {"profile": "lorentzian"},
    "instrument": {"electrons": [1000.0, 1000.0], "resolution_cm1": [3.0, 5.0]},
}


@kernel
def _multiply(lines, start, seed, stream, low, high, factors):
    for row in range(lines.shape[0]):
        word, _, _, _ = philox(0, start + row, 0, seed, stream)
        factors[row] = between(low, high, word)
        for k in range(lines.shape[1] // 2):
            lines[row, k] *= factors[row]


class Shade(PluginEffect):
    """Multiplies the lower half of a spectrum by a factor."""

    name = "shade"
    stage = "optics"
    parameters = (Parameter("factor", "1", "factor on the lower half"),)

    class Settings(EffectSettings):
        factor: NonNegativeInterval = field("factor, drawn", "1", (0.5, 0.9))

    def act(self, tile):
        _multiply(
            tile["line"], tile.index, tile.seed, self.stream, *self.settings.factor,
            self.recorded(tile, "factor"),
        )  # fmt: skip


class Boxes(PluginEffect):
    """A band profile: each mode fills the points within its width."""

    name = "boxes"
    stage = "profile"

    def act(self, tile):
        shifts = self.recipe.grid.start_cm1 + self.recipe.grid.step_cm1 * np.arange(
            self.recipe.grid.n_points
        )
        for row, line in enumerate(tile["line"]):
            n = tile["count"][row]
            inside = np.abs(shifts - tile["position"][row, :n, None]) < tile["fwhm"][row, :n, None]
            line[:] = (tile["intensity"][row, :n, None] * inside).sum(axis=0)


class Dim(PluginEffect):
    """Halves maps."""

    name = "dim"
    stage = "image"

    def act(self, tile):
        tile["image"][...] *= np.float32(0.5)


class Late(PluginEffect):
    """Records which sample it saw, and spoils one of them."""

    name = "late"
    stage = "signal"

    class Settings(EffectSettings):
        spoil: int = field("sample with a NaN; -1 for none", "1", -1)

        def check_recipe(self, recipe):
            if self.spoil >= recipe.grid.n_points:
                raise ValueError("spoil: expected less than grid.n_points")

    def act(self, tile):
        if tile.index <= self.settings.spoil < tile.index + len(tile["line"]):
            tile["line"][self.settings.spoil - tile.index, 5] = np.nan


class Move(PluginEffect):
    """Moves all modes."""

    name = "move"
    stage = "modes"
    parameters = (Parameter("by", "cm^-1", "by how much"),)

    def act(self, tile):
        tile["position"][...] += 200.0
        self.recorded(tile, "by")[:] = 200.0


class Spectrum(PluginEffect):
    """Records under a name of ours."""

    name = "spectrum"
    stage = "signal"
    parameters = (Parameter("noise", "1", "x"),)

    def act(self, tile):
        self.recorded(tile, "noise")[:] = 1.0


class Idle(PluginEffect):
    name = "idle"
    stage = "modes"


class Broken(PluginEffect):
    name = "broken"
    stage = "modes"

    def act(self, tile):
        raise RuntimeError(f"no lamp for sample {tile.index}")


class Nowhere(Broken):
    name = "nowhere"
    stage = "record"


@pytest.fixture(autouse=True)
def _registered(monkeypatch):
    monkeypatch.setattr(plugins, "_registered", {})
    for part in (Shade, Boxes, Dim, Late, Move, Broken, Nowhere):
        plugins.register("tersgen.effects", part.name)(part)
    plugins.register("tersgen.effects", "function")(generator)
    plugins.register("tersgen.effects", "other_name")(Shade)


def generator(effects, **sections):
    return Generator(resolve(Recipe.model_validate({**SMALL, **sections, "effects": effects})))


@pytest.mark.parametrize("sections", [{}, INSTRUMENT], ids=["plain", "instrument"])
def test_an_effect_acts_where_it_says_and_records_what_it_draws(sections):
    plain, shaded = generator({}, **sections), generator({"shade": {}}, **sections)
    before, after = plain.block(0, 150), shaded.block(0, 150)
    factor = after["params/shade_factor"]
    assert 0.5 <= factor.min() < 0.55
    assert 0.85 < factor.max() <= 0.9
    for name in set(before) - {"spectra", "params/instrument"}:
        assert np.array_equal(before[name], after[name]), name
    assert not np.array_equal(before["spectra"], after["spectra"])


def test_a_factor_of_one_changes_nothing():
    one = generator({"shade": {"factor": [1.0, 1.0]}}).block(0, 64)
    assert np.array_equal(one["spectra"], generator({}).block(0, 64)["spectra"])


@pytest.mark.parametrize(
    "effects", [{"shade": {}}, {"boxes": {}, "shade": {}}, {"dim": {}}], ids=str
)
def test_a_sample_alone_is_that_of_its_block(effects):
    made = generator(effects)
    block, alone = made.block(0, 300, threads=2), made.block(170, 171)
    for name, values in alone.items():
        assert np.array_equal(values, block[name][170:171]), name


def test_a_profile_takes_the_place_of_ours():
    quiet = {"noise": {"spectrum": [0.0, 0.0]}}
    spectra = generator({"boxes": {}}, **quiet).block(0, 40)["spectra"]
    assert all(len(np.unique(one)) < 100 for one in spectra)
    assert (spectra.max(axis=1) == 1).all()


def test_maps_are_changed_before_they_are_finished():
    quiet = {"noise": {"map": [0.0, 0.0]}}
    whole, half = (generator(one, **quiet).block(0, 20)["maps"] for one in ({}, {"dim": {}}))
    assert np.abs(half - whole / 2).max() < 1e-3


def test_noise_of_maps_is_the_same_with_an_effect_that_does_nothing(monkeypatch):
    monkeypatch.setattr(Dim, "act", lambda *_: None)
    dark = {"map": {"height": 8, "width": 8, "amplitude": [0.1, 0.2]}}  # nothing is clipped
    one, other = (generator(some, **dark).block(0, 20) for some in ({}, {"dim": {}}))
    assert one.keys() == other.keys()
    assert all(np.array_equal(one[name], other[name]) for name in one)


def test_two_profiles_are_refused(monkeypatch):
    monkeypatch.setattr(Late, "stage", "profile")
    with pytest.raises(ConfigError, match=r"effects.boxes and effects.late: expected one band"):
        generator({"boxes": {}, "late": {}})


@pytest.mark.parametrize(("effect", "what"), [("shade", "spectra"), ("dim", "maps")])
def test_an_effect_that_has_nothing_to_act_on_is_refused(effect, what):
    with pytest.raises(ConfigError, match=rf"effects.{effect}: expected {what} to act on"):
        generator({effect: {}}, fields={what: False})


def test_rows_of_some_fields_leave_out_effects_on_others():
    recipe = generator({"shade": {}}).recipe
    alone = GeneratedBlocks(recipe, ["maps"], 16)
    assert "params/shade_factor" not in {spec.name for spec in alone._generator.table}


def test_sticks_are_those_of_the_effect():
    made = generator({"move": {}}, noise={"spectrum": [0.0, 0.0]}).block(0, 20)
    plain = generator({}, noise={"spectrum": [0.0, 0.0]}).block(0, 20)
    used = made["sticks/intensity"] > 0
    moved = made["sticks/position"] - plain["sticks/position"]
    assert np.abs(moved[used] - 200.0).max() < 1e-3
    assert not np.array_equal(made["spectra"], plain["spectra"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda *_: None, "params/move_by, got nan in sample 0 (is it recorded?)"),
        (lambda _, tile: tile["intensity"].__imul__(-1), "of at least 0 of intensity, got -"),
        (lambda _, tile: tile["fwhm"].fill(0), "expected values above 0 of fwhm, got 0.0"),
        (
            lambda _, tile: tile["label"].fill(9),
            "ValueError: assignment destination is read-only",
        ),
        (lambda _, tile: tile["spectra"].fill(9), "no spectra at this stage; there are "),
        (lambda _, tile: tile["line"].fill(9), "no line at this stage; there are "),
    ],
)
def test_what_an_effect_may_not_do(monkeypatch, change, words):
    monkeypatch.setattr(Move, "act", change)
    with pytest.raises(ConfigError) as error:
        generator({"move": {}}).block(0, 4)
    assert words in str(error.value)


def test_two_effects_that_record_one_array_are_refused(monkeypatch):
    plugins.register("tersgen.effects", "spectrum")(Spectrum)
    with pytest.raises(ConfigError, match=r"which .* records too; rename the effect"):
        generator({"spectrum": {}})


def test_a_class_without_act_is_refused(monkeypatch):
    plugins.register("tersgen.effects", "idle")(Idle)
    with pytest.raises(ConfigError, match=r"effects.idle: .* act\(self, tile\), got none"):
        generator({"idle": {}})


@pytest.mark.parametrize("name", ["D /x", "", "Upper"])
def test_names_of_parameters(monkeypatch, name):
    monkeypatch.setattr(Shade, "parameters", (Parameter(name, "1", "x"),))
    with pytest.raises(ConfigError, match=r"effects.shade: expected a parameter named by at most"):
        generator({"shade": {}})


def test_fields_of_plug_ins_come_last():
    names = [spec.name for spec in field_table(generator({"shade": {}}).recipe)]
    assert names[-1] == "params/shade_factor"


def test_streams_of_plug_ins_are_beyond_ours():
    ours = [value for value in vars(streams).values() if type(value) is int]
    assert streams.stream_of("shade") == streams.stream_of("shade") != streams.stream_of("shades")
    assert sorted(ours)[-2] < sorted(ours)[-1] == 2**31 <= streams.stream_of("shade") < 2**32


@pytest.mark.parametrize(
    ("effects", "words"),
    [
        ({"shad": {}}, "got 'shad' (did you mean 'shade'?"),
        ({"shade": {"factr": 1}}, "effects.shade: factr: unknown field (did you mean 'factor'?"),
        ({"shade": {"factor": [2.0, 1.0]}}, "effects.shade: factor: expected [low, high]"),
        ({"late": {"spoil": 5000}}, "effects.late: spoil: expected less than grid.n_points"),
        ({"function": {}}, "effects.function: expected a class based on"),
        (
            {"other_name": {}},
            "effects.other_name: expected a class with name = 'other_name', got 'shade'",
        ),
        ({"nowhere": {}}, "effects.nowhere: expected a stage of modes, profile"),
    ],
)
def test_what_is_no_effect_is_refused_before_anything_is_made(effects, words):
    with pytest.raises(ConfigError) as error:
        generator(effects)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_values_that_are_not_finite_are_refused_with_their_sample():
    with pytest.raises(
        ConfigError, match=r"effects.late: .* finite values of line, got nan in .* 77"
    ):
        generator({"late": {"spoil": 77}}).block(0, 100)


def test_a_plug_in_that_fails_is_named():
    with pytest.raises(ConfigError, match=r"effects.broken: .* failed: RuntimeError: no lamp"):
        generator({"broken": {}}).block(0, 4)


def test_an_effect_of_chance_is_refused_before_a_build(monkeypatch):
    def act(self, tile):
        tile["position"][...] += np.random.default_rng().normal()
        self.recorded(tile, "by")[:] = 0.0

    monkeypatch.setattr(Move, "act", act)
    made = generator({"move": {}})
    with pytest.raises(ConfigError, match="got two for sample 2 that differ in spectra; draw with"):
        made.warm_up(lambda *_: None)
    generator({"shade": {}, "boxes": {}}).warm_up(lambda *_: None)
