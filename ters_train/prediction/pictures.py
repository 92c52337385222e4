"""Pictures of predictions: a PNG for each spectrum, with the bands that decided."""

from collections.abc import Sequence
from pathlib import Path

from tersgen.dataset.output_file import refuse_inside_dataset, write_output
from tersgen.errors import OutputError
from tersgen.files import why

from ..engine.trained import Trained
from .explain import lines_of_run, picture_of
from .predict import Prediction


class Pictures:
    """A folder of pictures, named after the files, and numbered where a file has several spectra.

    Parameters
    ----------
    folder
        Made if it is not there.
    trained
        The model.

    Raises
    ------
    OutputError
        If the folder cannot be made, or is a dataset.
    """

    def __init__(self, folder: Path, trained: Trained) -> None:
        refuse_inside_dataset(folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{folder}: cannot be made: {why(error)}") from None
        self._folder, self._trained = folder, trained
        self._lines = lines_of_run(trained)
        self._taken: set[str] = set()

    def draw(self, predictions: Sequence[Prediction]) -> None:
        """Draw predictions that are explained.

        Raises
        ------
        OutputError
            If a picture cannot be written.
        """
        for one in predictions:
            if one.why is None:
                continue
            number = "" if one.row.row is None else f"-{one.row.row}"
            content = picture_of(self._trained, one.why, one.text, self._lines)
            write_output(self._folder / self._name(f"{Path(one.row.source).stem}{number}"), content)

    def _name(self, stem: str) -> str:
        """Return a name that no other picture has: files in two folders may be called the same."""
        name, k = stem, 2
        while name in self._taken:
            name, k = f"{stem}-{k}", k + 1
        self._taken.add(name)
        return f"{name}.png"
