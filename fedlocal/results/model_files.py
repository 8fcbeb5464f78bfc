"""A run's models as files: their arrays as ``.npz``, and a manifest without which these are only numbers.

``model.json`` is the manifest of what a run ended with, ``best.json`` that of its best round so far. It is
strict JSON: ``format`` and ``version``; ``round`` and ``metrics``, when the model was so good; ``models``, by
name, each with its ``file``, the file's SHA-256, the arrays' `weights_hash`, and ``arrays``, a list of name,
dtype and shape; beside them whatever the writer says of the model, which this room does not read.

A manifest takes its place when the files that it names are whole. The best round's are named after the round,
and the ones before go last: a run that is killed at any moment leaves a manifest and the files it is about.
Whoever reads them verifies all of it. Nothing in these files is ever executed.
"""

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from numpy.typing import NDArray

from fedlocal.results.atomic_files import ResultsError, read_json, write_json
from fedlocal.results.weights import described, load_arrays, save_arrays, weights_hash

Arrays = Mapping[str, NDArray[Any]]
Which = Literal["last", "best"]

FORMAT, VERSION = "fedlocal model", 1
MANIFESTS: Mapping[Which, str] = {"last": "model.json", "best": "best.json"}


@dataclass(frozen=True)
class SavedModel:
    """A model's arrays as they were saved, all of them verified.

    Parameters
    ----------
    path : Path
        The arrays' file.
    arrays : mapping of str to NDArray
        The model's parameters.
    manifest : mapping of str to Any
        The manifest's content.
    manifest_path : Path
        The manifest's file.
    """

    path: Path
    arrays: Arrays
    manifest: Mapping[str, Any]
    manifest_path: Path


def save_models(
    folder: Path,
    which: Which,
    models: Mapping[str, Arrays],
    about: Mapping[str, Any],
    number: int,
    metrics: Mapping[str, float],
) -> None:
    """Write models, then the manifest that makes them count.

    Parameters
    ----------
    folder : Path
        The run's folder; created again if somebody deleted it.
    which : {"last", "best"}
        The run's final models, or its best so far, which replaces the one before.
    models : mapping of str to mapping of str to NDArray
        The arrays of each, by the model's name.
    about : mapping of str to Any
        What a reader needs to use them, as JSON values.
    number, metrics : int, mapping of str to float
        The round that left them, and how good they were.

    Raises
    ------
    ResultsError
        If they cannot be written; the manifest and files of before are still there.
    """
    with suppress(OSError):  # what is in the way, writing will say
        folder.mkdir(parents=True, exist_ok=True)
    entries = {}
    for name, arrays in models.items():
        path = folder / (f"best-{number}.npz" if which == "best" else f"{name}.npz")
        save_arrays(path, arrays)
        entries[name] = {
            "file": path.name,
            "sha256": _file_hash(path),
            "hash": weights_hash(arrays),
            "arrays": described(arrays),
        }
    head = {"format": FORMAT, "version": VERSION, "round": number, "metrics": metrics}
    if which == "best":
        head["chosen_on"] = "the test set: of all rounds the best there, so its metrics flatter it"
    write_json(folder / MANIFESTS[which], {**head, **about, "models": entries}, seal=True)
    if which == "best":
        for path in set(folder.glob("best-*.npz")) - {folder / f"best-{number}.npz"}:
            with suppress(OSError):
                path.unlink()


def load_saved(source: Path, which: Which = "last") -> SavedModel:
    """Read a model that `save_models` wrote, and verify it.

    Parameters
    ----------
    source : Path
        A run's folder, a manifest, or one of the files of arrays.
    which : {"last", "best"}
        Which of a folder's models.

    Raises
    ------
    ResultsError
        If something is missing, damaged, or does not fit the rest; the message names it.
    """
    manifest, file = _find(source, which)
    content = read_manifest(manifest)
    name = _chosen(manifest, content, file)
    try:
        entry = content["models"][name]
        path = manifest.with_name(Path(entry["file"]).name)
        expected = entry["sha256"], entry["hash"], entry["arrays"]
    except (KeyError, TypeError, AttributeError) as error:
        raise ResultsError(_damaged(manifest, f"{type(error).__name__}: {error}")) from error
    return SavedModel(path, _verified(path, manifest, *expected), content, manifest)


def read_manifest(path: Path) -> dict[str, Any]:
    """Read a manifest alone.

    Raises
    ------
    ResultsError
        If it cannot be read, is no manifest, or one of another version.
    """
    try:
        content = read_json(path)
    except OSError as error:
        raise ResultsError(f"cannot read {path}: {error.strerror or error}") from error
    except ResultsError as error:
        raise ResultsError(_damaged(path, str(error))) from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ResultsError(f"{path} is not the manifest of a model: its format is not {FORMAT!r}")
    if content.get("version") != VERSION:
        raise ResultsError(
            f"{path} has format version {content.get('version')!r}; this fedlocal reads {VERSION}"
        )
    return content


def _find(source: Path, which: Which) -> tuple[Path, str | None]:
    """Return the manifest, and which of its files is meant."""
    if source.is_dir():
        manifest = source / MANIFESTS[which]
        if not manifest.is_file():
            raise ResultsError(_why_none(source, which))
        return manifest, None
    if not source.is_file():
        raise ResultsError(f"{source} does not exist: give a run's folder, or a model's file in it")
    if source.suffix == ".json":
        return source, None
    for name in MANIFESTS.values():
        manifest = source.with_name(name)
        if manifest.is_file() and source.name in files_of(read_manifest(manifest)).values():
            return manifest, source.name
    names = " or ".join(MANIFESTS.values())
    raise ResultsError(
        f"{source} has no manifest: no {names} beside it names it, so nobody knows what its numbers mean"
    )


def _why_none(folder: Path, which: Which) -> str:
    if (folder / MANIFESTS["best"]).is_file():
        return f"{folder} has no model.json: its run has not ended; which=best takes its best round so far"
    if (folder / MANIFESTS["last"]).is_file() and which == "best":
        return f"{folder} has no best.json: where each actor trains alone, no round is the best of them all"
    if any(folder.glob("model.npz")) or any(folder.glob("actor-*.npz")):
        return (
            f"{folder} has arrays, but no model.json that says what they are: an earlier fedlocal wrote it; "
            "run it again with its config.yaml"
        )
    if (folder / "config.yaml").is_file():
        return f"{folder} has no model.json: its run has saved no model yet"
    return f"{folder} is not the folder of a run: it has no {MANIFESTS[which]}"


def _chosen(manifest: Path, content: Mapping[str, Any], file: str | None) -> str:
    files = files_of(content)
    if file is not None:
        return next(name for name, listed in files.items() if listed == file)
    if not files:
        raise ResultsError(_damaged(manifest, "it names no model"))
    if len(files) != 1:
        some = manifest.with_name(next(iter(files.values())))
        raise ResultsError(f"{manifest} names {len(files)} models, one for each actor; give one, as {some}")
    return next(iter(files))


def files_of(content: Mapping[str, Any]) -> dict[str, str]:
    """Return the models' files, by the models' names."""
    try:
        return {name: entry["file"] for name, entry in content["models"].items()}
    except (KeyError, TypeError, AttributeError):
        return {}


def _verified(path: Path, manifest: Path, file_hash: str, hash_: str, expected: Any) -> Arrays:
    if not path.is_file():
        raise ResultsError(f"{path} is missing: {manifest} names it")
    if (digest := _file_hash(path)) != file_hash:
        raise ResultsError(
            f"{path} is damaged or of another run: its SHA-256 is {digest[:16]}…, "
            f"{manifest.name} says {str(file_hash)[:16]}…"
        )
    arrays = load_arrays(path)
    if described(arrays) != expected or weights_hash(arrays) != hash_:
        raise ResultsError(f"{manifest} was changed: its hash, names, dtypes or shapes are not {path.name}'s")
    return arrays


def _file_hash(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise ResultsError(f"cannot read {path}: {error.strerror or error}") from error


def _damaged(path: Path, why: str) -> str:
    return f"{path} is damaged ({why}): train again, or take it from where you copied it"
