"""Baselines that the runs of a sweep share: the first run that claims them computes them."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from fedlocal.results.atomic_files import ResultsError, read_json, write_json
from fedlocal.results.folder_lock import FolderInUseError, locked_folder

FOLDER = ".baselines"


@dataclass(frozen=True)
class SharedBaseline:
    """The baselines that all runs of a sweep with one setting share.

    Parameters
    ----------
    sweep : Path
        The sweep's folder. Who computed what is noted in ``.baselines`` in it.
    key : str
        Names the setting that the runs have in common; fit for a folder.
    run : Path
        This run's folder, in that of the sweep.
    """

    sweep: Path
    key: str
    run: Path

    @contextmanager
    def claimed(self, *, wait: bool) -> Iterator[bool]:
        """Hold the right to compute the baselines until the block ends, or the process does.

        If another run holds it, that is waited for, or False is yielded.

        Raises
        ------
        ResultsError
            If the sweep's folder cannot be written.
        """
        self._make_folder()
        with ExitStack() as stack:
            held = True
            try:
                stack.enter_context(locked_folder(self._folder, wait=wait))
            except FolderInUseError:
                held = False
            yield held

    def publish(self, hashes: Mapping[str, str], ended: Mapping[str, int]) -> None:
        """Note for the other runs that this run's folder has the baselines.

        Each has by its name the hash of its final weights, or the round in which it was ended without.

        Raises
        ------
        ResultsError
            If the sweep's folder cannot be written.
        """
        self._make_folder()
        noted = {"run": self.name_of(self.run), "hashes": dict(hashes), "ended": dict(ended)}
        write_json(self._folder / "computed.json", noted)

    def computed(self) -> tuple[Path, dict[str, str], dict[str, int]] | None:
        """Return the folder of the run with the baselines, and what it published; None if there is none."""
        with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):  # damaged is as good as none
            noted = read_json(self._folder / "computed.json")
            folder = self.sweep / noted["run"]
            if folder.is_dir():
                hashes = {str(name): str(digest) for name, digest in noted["hashes"].items()}
                ended = {str(name): int(number) for name, number in noted.get("ended", {}).items()}
                return folder, hashes, ended
        return None

    def name_of(self, run: Path) -> str:
        """Return a run's name in the sweep: the path of its folder in the sweep's."""
        return run.relative_to(self.sweep).as_posix()

    def _make_folder(self) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ResultsError(f"cannot write {self._folder}: {error.strerror or error}") from error

    @property
    def _folder(self) -> Path:
        return self.sweep / FOLDER / self.key
