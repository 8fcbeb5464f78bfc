"""What several runs of a sweep need, and one of them computes: whichever gets hold of it first."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from fedlocal.results.atomic_files import ResultsError, read_json, write_json
from fedlocal.results.folder_lock import FolderInUseError, locked_folder

PLACE = ".baselines"


@dataclass(frozen=True)
class SharedBaseline:
    """The baselines that all runs of a sweep with one setting share.

    Parameters
    ----------
    sweep : Path
        The sweep's folder. Who computed what is noted in ``.baselines`` in it.
    key : str
        What is the same for all runs that share, as a name of a folder.
    run : Path
        The folder of the run that asks, in that of the sweep.
    """

    sweep: Path
    key: str
    run: Path

    @contextmanager
    def claimed(self, *, wait: bool) -> Iterator[bool]:
        """Hold the right to compute it until the block ends, or the process does.

        Parameters
        ----------
        wait : bool
            Whether to wait for a run that holds it, or to yield False.

        Raises
        ------
        ResultsError
            If the sweep's folder cannot be written.
        """
        self._make_place()
        with ExitStack() as stack:
            held = True
            try:
                stack.enter_context(locked_folder(self._place, wait=wait))
            except FolderInUseError:
                held = False
            yield held

    def publish(self, hashes: Mapping[str, str], ended: Mapping[str, int]) -> None:
        """Tell the others that this run's folder has it.

        Parameters
        ----------
        hashes : mapping of str to str
            Of each baseline's final weights, by its name.
        ended : mapping of str to int
            The round in which a baseline was ended, which has no final weights.

        Raises
        ------
        ResultsError
            If the sweep's folder cannot be written.
        """
        self._make_place()
        noted = {"run": self.name_of(self.run), "hashes": dict(hashes), "ended": dict(ended)}
        write_json(self._place / "computed.json", noted)

    def computed(self) -> tuple[Path, dict[str, str], dict[str, int]] | None:
        """Return the folder of the run that has it, and what it published; None if none has or it is gone."""
        with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):  # damaged is as good as none
            noted = read_json(self._place / "computed.json")
            folder = self.sweep / noted["run"]
            if folder.is_dir():
                hashes = {str(name): str(known) for name, known in noted["hashes"].items()}
                return (
                    folder,
                    hashes,
                    {str(name): int(known) for name, known in noted.get("ended", {}).items()},
                )
        return None

    def name_of(self, run: Path) -> str:
        """Return what the sweep calls a run: the path of its folder in the sweep's."""
        return run.relative_to(self.sweep).as_posix()

    def _make_place(self) -> None:
        try:
            self._place.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ResultsError(f"cannot write {self._place}: {error.strerror or error}") from error

    @property
    def _place(self) -> Path:
        return self.sweep / PLACE / self.key
