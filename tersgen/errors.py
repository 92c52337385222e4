"""Every error that users can see: one base class, each subclass also a builtin exception."""


class TersError(Exception):
    """Root of all errors raised on purpose; its message is one line a user can act on."""


class ConfigError(TersError, ValueError):
    """A recipe or an option is not what was expected."""


class LibraryError(TersError, ValueError):
    """A source of vibrational modes cannot be used."""


class MeasurementError(TersError, ValueError):
    """A measured spectrum, or the file of one, is not what was expected."""


class NotRamanError(MeasurementError):
    """A measured file is readable, but its axis is not that of a Raman spectrum."""


class NotCoveredError(MeasurementError):
    """A measured spectrum does not cover the axis that is wanted."""


class NoBandError(MeasurementError):
    """A measured spectrum is constant."""


class MissingExtraError(TersError, ImportError):
    """An optional dependency is needed and not installed."""


class OutputError(TersError, OSError):
    """The output cannot be written: it exists, is not writable, or does not fit."""


class BusyError(OutputError):
    """Another builder is writing the dataset."""


class LostLockError(OutputError):
    """Another builder has taken over while this one was out of touch."""


class ClusterError(TersError, RuntimeError):
    """The workers of a build, or their scheduler, are lost, missing, or unfit for it."""


class CancelledError(TersError, RuntimeError):
    """A build was cancelled by the program that started it; what is finished is kept."""


class DatasetError(TersError, OSError):
    """A dataset cannot be opened."""


class ServiceError(TersError, OSError):
    """A server cannot be reached, or refuses what it was asked for.

    Attributes
    ----------
    status
        HTTP status of the answer; 0 without one.
    """

    def __init__(self, text: str, status: int = 0) -> None:
        super().__init__(text)
        self.status = status


class NotSyntheticError(DatasetError, ValueError):
    """A dataset was measured: no recipe makes its rows."""


class IncompleteDatasetError(DatasetError):
    """A dataset has no manifest: its build did not finish."""


class DamagedDataError(DatasetError):
    """Stored bytes are missing or fail their checksum."""


class ChangedDataError(DamagedDataError):
    """A dataset, or a file of it, is no longer the one that was opened."""


class RowIndexError(TersError, IndexError):
    """A row was asked for that the dataset does not have."""


class UnknownFieldError(TersError, KeyError):
    """A field was asked for that the dataset does not have."""

    def __str__(self) -> str:
        """Return the message itself: ``KeyError`` would show it in quotes."""
        return str(self.args[0]) if self.args else ""


class TersWarning(UserWarning):
    """Something a user should know that does not stop the work."""
