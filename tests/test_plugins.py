"""Parts from outside: found, refused in one line, recorded, and never brought by a document."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tersgen import plugins
from tersgen.dataset.basis import StoredBasis
from tersgen.dataset.compare import compare_documents
from tersgen.dataset.documents import not_synthetic
from tersgen.errors import ConfigError, LibraryError
from tersgen.formats import Formats
from tersgen.jobs.executors.work import Failure, make_shard
from tersgen.library.importer import Importer
from tersgen.plugins import Imported
from tersgen.recipe import Recipe
from tersgen.schema.plugin import PluginRecord, check_plugins


@pytest.fixture(autouse=True)
def as_before():
    """Forget what a test registers and imports."""
    for group in plugins.BUILT_IN:
        plugins.names(group)
    kept = {group: dict(parts) for group, parts in plugins._registered.items()}
    modules = {*sys.modules}
    plugins._imported.clear()
    plugins._installed.cache_clear()
    yield
    plugins._registered.clear()
    plugins._registered.update(kept)
    plugins._imported.clear()
    plugins._origin.cache_clear()
    plugins._installed.cache_clear()
    for name in {*sys.modules} - modules:
        if name.startswith("part_"):
            del sys.modules[name]


def module(folder, name="part_one", text=""):
    path = folder / f"{name}.py"
    path.write_text(text)
    return path


MODEL = """
from tersgen.plugins import register

@register("ters_train.models", "{name}")
class Part:
    pass
"""


def one_line(error):
    text = str(error.value)
    assert "\n" not in text
    return text


def test_a_module_is_imported_by_file_or_by_name_in_the_working_folder(tmp_path, monkeypatch):
    path = module(tmp_path, text=MODEL.format(name="mine"))
    monkeypatch.chdir(tmp_path)
    first = plugins.import_module("part_one.py")
    assert plugins.import_module(str(path)) is first
    assert plugins.import_module("part_one") is first
    assert plugins.load("ters_train.models", "mine") is first.Part
    assert "mine" in plugins.names("ters_train.models")
    assert dict(plugins.parts("ters_train.models"))["mine"] is first.Part
    (imported,) = plugins.imported()
    assert imported.target == str(path)
    origin = plugins.origin(first.Part)
    assert (origin.module, origin.package, origin.version) == ("part_one", None, None)
    assert origin.digest == imported.digest


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def", "SyntaxError"),
        ("import none_such", "ModuleNotFoundError: No module named 'none_such'"),
        ("1 / 0", "ZeroDivisionError"),
        ("raise SystemExit('bye')", "SystemExit: bye"),
        ("raise ValueError('a\\nb')", "ValueError: a b"),
    ],
)
def test_a_module_that_cannot_be_imported_is_one_line(tmp_path, text, message):
    path = module(tmp_path, text=text)
    with pytest.raises(ConfigError, match="cannot be imported") as error:
        plugins.import_module(str(path))
    assert message in one_line(error)
    assert "part_one" not in sys.modules


@pytest.mark.parametrize("name", ["none_such", "none.py", "", ".", "a/b", "..", "a..b", "x y"])
def test_a_module_that_is_not_there_is_one_line(name):
    with pytest.raises(ConfigError, match="give its path, or install the package") as error:
        plugins.import_module(name)
    one_line(error)


def test_a_file_with_the_name_of_another_module_is_refused(tmp_path):
    for name in ("json", "wave", "tersgen"):  # imported, not imported, ours
        with pytest.raises(ConfigError, match="rename the file") as error:
            plugins.import_module(str(module(tmp_path, name)))
        one_line(error)
    assert "wave" not in sys.modules


def test_two_parts_of_one_name_are_refused(tmp_path):
    plugins.import_module(str(module(tmp_path, text=MODEL.format(name="same"))))
    with pytest.raises(ConfigError, match="those of part_one and part_two; rename one") as error:
        plugins.import_module(str(module(tmp_path, "part_two", MODEL.format(name="same"))))
    one_line(error)
    # of a built-in one, too
    text = MODEL.format(name="fchk").replace("ters_train.models", "tersgen.importers")
    with pytest.raises(ConfigError, match=r"'fchk', got those of tersgen.*and part_three"):
        plugins.import_module(str(module(tmp_path, "part_three", text)))


def test_a_part_that_is_not_known_is_one_line():
    with pytest.raises(ConfigError, match="did you mean 'phonopy'") as error:
        plugins.load("tersgen.importers", "phonpy")
    assert "--plugin" in one_line(error)


def test_a_module_that_registers_nothing_is_named(tmp_path):
    plugins.import_module(str(module(tmp_path, "part_none", "class Part: pass")))
    plugins.import_module(str(module(tmp_path, "part_model", MODEL.format(name="net"))))
    with pytest.raises(ConfigError, match="was registered by part_none, which") as error:
        plugins.load("ters_train.models", "nte")
    assert "is @register missing?" in one_line(error)
    assert "part_model" not in str(error.value)


def test_every_module_of_built_in_parts_registers_one():
    for group in plugins.BUILT_IN:
        found = dict(plugins.parts(group))
        assert len(found) > 3
        assert all(map(plugins.is_built_in, found.values()))


def test_the_digest_covers_every_source_of_a_package(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "part_pack").mkdir()
    module(tmp_path / "part_pack", "__init__", "from .inner import Part")
    inner = module(tmp_path / "part_pack", "inner", "class Part: pass")
    digests = set()
    for text in ("class Part: pass", "class Part: pass # changed"):
        inner.write_text(text)
        plugins._origin.cache_clear()
        digests.add(plugins.origin(plugins.import_module("part_pack").Part).digest)
    assert len(digests) == 2


def test_a_part_without_a_source_file_cannot_be_named():
    with pytest.raises(ConfigError, match="expected a module with a Python source file") as error:
        plugins.origin(SimpleNamespace(__module__="sys"))
    one_line(error)


def package(folder, name, entry, monkeypatch):
    """Install a package of one entry point, as far as Python sees it."""
    facts = folder / f"{name}-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text(f"[tersgen.importers]\n{entry}\n")
    monkeypatch.syspath_prepend(folder)


def test_a_broken_package_is_named_and_can_be_passed_by(tmp_path, monkeypatch):
    module(tmp_path, text="import none_such")
    package(tmp_path, "broken", "odd = part_one:Odd", monkeypatch)
    with pytest.raises(ConfigError, match=r"'odd' .part_one:Odd. cannot be imported") as error:
        formats().choose(tmp_path, b"100 1\n")
    assert "No module named 'none_such'; mend or remove its package" in one_line(error)
    assert formats().choose(tmp_path, b"100 1\n", "sticks").name == "sticks"
    assert "part_one" not in sys.modules


def test_parts_of_one_name_in_two_packages_are_refused(tmp_path, monkeypatch):
    package(tmp_path, "one", "odd = part_one:Odd", monkeypatch)
    package(tmp_path, "two", "odd = part_two:Odd", monkeypatch)
    with pytest.raises(ConfigError, match=r"name 'odd', got those of part_.*and part_") as error:
        plugins.load("tersgen.importers", "odd")
    one_line(error)


def test_an_entry_point_may_register_its_part_itself(tmp_path, monkeypatch):
    text = MODEL.format(name="odd").replace("ters_train.models", "tersgen.importers")
    module(tmp_path, text=text)
    package(tmp_path, "one", "odd = part_one:Part", monkeypatch)
    part = plugins.load("tersgen.importers", "odd")
    assert plugins.load("tersgen.importers", "odd") is part


# ---- formats


class Some(Importer):
    format = "some"

    def matches(self, path, head):
        return head.startswith(b"some")

    def read(self, path):
        raise NotImplementedError


def formats():
    return Formats("tersgen.importers", Importer, "library import --importer", LibraryError)


def test_only_formats_of_the_lowest_rank_that_match_count(tmp_path):
    class Coarse(Some):
        format = "coarse"
        rank = 3

    plugins.register("tersgen.importers", "some")(Some)
    plugins.register("tersgen.importers", "coarse")(Coarse)
    assert formats().choose(tmp_path, b"some").name == "some"
    assert formats().choose(tmp_path, b"100 1\n").name == "sticks"
    assert formats().choose(tmp_path, b"other") is None
    assert formats().choose(tmp_path, b"other", "coarse").name == "coarse"
    assert formats().known().endswith("; table of sticks; coarse")


@pytest.mark.parametrize("part", [5, "text", int, lambda: None])
def test_what_is_no_format_is_refused(tmp_path, part):
    plugins._registered["tersgen.importers"]["wrong"] = part
    with pytest.raises(ConfigError, match="'wrong': expected a class that extends") as error:
        formats().choose(tmp_path, b"")
    one_line(error)


@pytest.mark.parametrize("facts", [{"format": 5}, {"rank": None}])
def test_a_format_without_a_name_or_rank_is_refused(tmp_path, facts):
    plugins._registered["tersgen.importers"]["wrong"] = type("Wrong", (Some,), facts)
    with pytest.raises(ConfigError, match=r"'wrong' .*expected a text as its format") as error:
        formats().choose(tmp_path, b"")
    one_line(error)


def test_a_format_that_lacks_a_method_is_refused(tmp_path):
    text = (
        "from tersgen.library.importer import Importer\nfrom tersgen.plugins import register\n"
        '@register("tersgen.importers", "half")\nclass Half(Importer):\n    format = "half"\n'
    )
    plugins.import_module(str(module(tmp_path, text=text)))
    with pytest.raises(ConfigError, match=r"importer 'half' .part_one.: TypeError: .*abstract"):
        formats().choose(tmp_path, b"")


# ---- other processes, other days


def test_what_was_imported_is_imported_again_and_checked(tmp_path):
    path = module(tmp_path, text=MODEL.format(name="mine"))
    plugins.import_module(str(path))
    (wanted,) = plugins.imported()
    plugins.import_again((wanted,))
    with pytest.raises(ConfigError, match=f"digest 000000000000, got {wanted.digest[:12]}"):
        plugins.import_again((Imported(str(path), "0" * 64),))
    with pytest.raises(ConfigError, match="give its path, or install the package"):
        plugins.import_again((Imported(str(tmp_path / "none.py"), "0" * 64),))


def test_a_worker_without_the_module_says_so(tmp_path, tiny_recipe):
    from tersgen.jobs.environment import versions
    from tersgen.jobs.executors.work import BuildOrder

    order = BuildOrder(
        str(tmp_path / "a.zarr"), "zarr", "0" * 64, 100, 64, 256, "lz4", 0, "token", 1, 0.0,
        versions(), (Imported(str(tmp_path / "none.py"), "0" * 64),),
    )  # fmt: skip
    result = make_shard(order, 0)
    assert isinstance(result, Failure)
    assert result.reason == "plugins"
    assert "none.py'; give its path, or install the package" in result.text


EFFECT = MODEL.replace("ters_train.models", "tersgen.effects")


def test_a_recipe_names_the_parts_that_change_values(tmp_path):
    found = plugins.import_module(str(module(tmp_path, text=EFFECT.format(name="drift"))))
    record = PluginRecord.of("drift", found.Part)
    check_plugins("tersgen.effects", [record])
    other = record.model_copy(update={"digest": "0" * 64})
    with pytest.raises(ConfigError, match=r"sources 000000000000.*; its file has changed") as error:
        check_plugins("tersgen.effects", [other])
    one_line(error)
    gone = record.model_copy(update={"name": "none", "package": "far", "version": "2.1"})
    with pytest.raises(ConfigError, match=r"none of that name; pip install 'far==2.1'") as error:
        check_plugins("tersgen.effects", [gone])
    one_line(error)


def test_plug_ins_are_compared_by_name(tiny_recipe):
    def document(*digests, package=None):
        records = [
            {"name": name, "module": "mine", "package": package, "digest": digest * 64}
            for name, digest in digests
        ]
        content = {**tiny_recipe.document, "plugins": records}
        return StoredBasis(content, None, "recipe.json")

    def differences(*documents):
        return [str(one) for one in compare_documents(*documents)]

    same, ghosts = ("drift", "a"), ("ghosts", "8")
    first = document(same, ghosts)
    assert differences(first, document(same, ("ghosts", "e"))) == [
        "plug-in ghosts: sources 888888888888 there, sources eeeeeeeeeeee here"
    ]
    assert differences(first, document(same)) == [
        "plug-in ghosts: sources 888888888888 there, none here"
    ]
    assert differences(document(), document(same)) == [
        "plug-in drift: none there, sources aaaaaaaaaaaa here"
    ]
    (line,) = differences(document(same), document(same, package="far"))
    assert line.startswith("plug-in drift: sources aaaaaaaaaaaa there, far ")


def test_rows_of_a_part_that_is_gone_are_read_and_not_made(tmp_path):
    import tersgen
    from tersgen.dataset.reproduce import reproduce
    from tersgen.dataset.verify import verify
    from tersgen.errors import DatasetError
    from tersgen.jobs.plan import make_plan
    from tersgen.jobs.run import run

    found = plugins.import_module(str(module(tmp_path, text=EFFECT.format(name="drift"))))
    record = PluginRecord.of("drift", found.Part)
    table = {"library": ["random:2"], "grid": {"n_points": 16}, "lineshape": {"fwhm_cm1": 900.0},
             "fields": {"maps": False}}  # fmt: skip
    recipe = tersgen.resolve(Recipe(**table, plugins=(record,)))
    path = tmp_path / "a.zarr"
    run(make_plan(recipe, 40), path, threads=1)
    assert json.loads((path / "lock.json").read_text())["plugins"] == [record.model_dump()]
    assert json.loads((path / "recipe.json").read_text())["plugins"] == [record.model_dump()]
    assert reproduce(path, 1).equal
    plain = tersgen.resolve(Recipe(**table))
    assert tersgen.open(path).recipe.model_copy(update={"plugins": ()}) == plain
    del plugins._registered["tersgen.effects"]["drift"]
    assert tersgen.open(path)["spectra"][:].shape == (40, 16)
    assert verify(path).sound
    with pytest.raises(DatasetError, match="pass --plugin with its module part_one") as error:
        reproduce(path, 1)
    one_line(error)
    with pytest.raises(ConfigError, match="pass --plugin with its module part_one"):
        tersgen.resolve(recipe)


def test_a_recipe_with_modules_to_import_is_not_resolved(tmp_path, tiny_recipe):
    recipe = tiny_recipe.model_copy(update={"plugins": ("part_one",)})
    assert tiny_recipe.is_resolved
    assert not recipe.is_resolved
    assert Recipe(plugins=["part_one"]).plugins == ("part_one",)


@pytest.mark.parametrize("stored", [5, "text", [5], [{"name": "a"}], [{"name": "\x1b"}], None])
def test_records_that_are_none_are_one_line(stored):
    for content in ({"plugins": stored}, {"kind": "measured", "readers": stored}):
        document = StoredBasis(content, None, "recipe.json")
        with pytest.raises(ConfigError, match="expected records of plug-ins") as error:
            document.plugins  # noqa: B018
        one_line(error)
        assert "\x1b" not in str(not_synthetic(Path("a.zarr"), document))


def test_what_lies_beside_a_file_belongs_to_it(tmp_path):
    folder = tmp_path / "pk"
    folder.mkdir()
    (folder / "helper_of_one.py").write_text("FACTOR = 2\n")
    (folder / "not_imported.py").write_text("FACTOR = 3\n")
    main = folder / "part_with_helper.py"
    main.write_text("from helper_of_one import FACTOR\n\nclass Part:\n    pass\n")
    code = f"""
from tersgen import plugins
print(plugins.origin(plugins.import_module({str(main)!r}).Part).digest)
"""

    def digest():
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    before = digest()
    (folder / "not_imported.py").write_text("FACTOR = 4\n")
    assert digest() == before
    (folder / "helper_of_one.py").write_text("FACTOR = 5\n")
    assert digest() != before
