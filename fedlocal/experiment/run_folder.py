"""What a run's folder says of its run: its configuration, whether it has completed, and how it differs.

The command looks here before Hydra and NumPy are loaded, so this file imports them where it needs them.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from fedlocal.config.dotted_keys import as_plain, flat_items
from fedlocal.config.neutral_options import CHANGEABLE, SWEEP_ONLY
from fedlocal.config.old_addresses import replace_old_addresses, with_public_addresses

if TYPE_CHECKING:
    from fedlocal.config.schema import Config


class ResumeError(ValueError):
    """A run cannot be resumed."""


def run_folder(folder: str | Path) -> Path:
    """Return the folder of a run.

    Raises
    ------
    ResumeError
        If the folder is not a run's; the message says what it is.
    """
    path = Path(folder).expanduser().absolute()
    if (path / "config.yaml").is_file():
        return path

    if not path.is_dir():
        reason = "is not a folder" if path.exists() else "does not exist"
    elif (path / "multirun.yaml").exists():
        reason = f"is the folder of a sweep; fedlocal.resume takes its runs, such as {path / '0'}"
    else:
        reason = "is not the folder of a run: it has no config.yaml"
    raise ResumeError(f"resume={folder}: {path} {reason}")


def stored_config(folder: Path, overrides: tuple[str, ...] = ()) -> "Config":
    """Return the configuration of a run that is to go on, with overrides as on the command line.

    Raises
    ------
    ResumeError
        If an override would change what the run is, or its configuration is damaged.
    TrustError
        If it names code that is to be trusted first.
    """
    from omegaconf import OmegaConf

    from fedlocal.compat.hydra import parse_overrides
    from fedlocal.config.compose import compose, restore
    from fedlocal.config.trust import check_stored

    parsed = parse_overrides(overrides)
    may = (*CHANGEABLE, "rounds")
    if refused := [
        str(override.input_line) for override in parsed if override.key_or_group.split(".")[0] not in may
    ]:
        raise ResumeError(
            f"a run goes on as it was: {', '.join(refused)} cannot be set, only {', '.join(may)} can"
        )
    chosen = [override for override in parsed if override.key_or_group in may]
    path = folder / "config.yaml"
    config = compose("trust=false", *(str(override.input_line) for override in chosen))
    stored = stored_options(path)
    kept = {
        key: stored[key] for key in stored.keys() - {override.key_or_group for override in chosen} - {"trust"}
    }
    if not config.trust:
        check_stored(kept, path)
    try:
        restore(config, kept)
        for override in parsed:
            if override not in chosen:  # an option of the backend
                OmegaConf.update(cast(Any, config), override.key_or_group, override.value(), force_add=True)
    except Exception as error:  # whatever can be wrong with a file that somebody edited
        raise ResumeError(f"{path} is not the configuration of a run: {error}") from error
    replace_old_addresses(config)
    return config


def stored_options(path: Path) -> dict[str, Any]:
    """Return a stored configuration as it stands in its file, but for old addresses."""
    from fedlocal.config.trust import read_yaml

    try:
        return {str(key): with_public_addresses(value) for key, value in read_yaml(path).items()}
    except (OSError, ValueError, AttributeError) as error:
        raise ResumeError(f"{path} is not the configuration of a run: {error}") from error


def is_completed(folder: Path) -> bool:
    """Tell whether a run has done all that it was asked for."""
    from fedlocal.results import read_run

    return read_run(folder).status == "completed"


def sweep_of(run: Path) -> Path | None:
    """Return the folder of the sweep that a run's folder lies in, None if it is in none."""
    return next((parent for parent in run.absolute().parents if (parent / "multirun.yaml").is_file()), None)


def differences(folder: Path, config: "Config", ignored: Sequence[str] = CHANGEABLE) -> list[str]:
    """Return what a run's stored configuration and one that is asked for do not have in common.

    Such as ``"actors=2 in place of 4"``. What is left to fedlocal (``auto``) suits all that a run may have
    chosen; an option at the top that the stored configuration does not know yet had its default. Those of
    `ignored`, and the sweep's, may differ.

    Raises
    ------
    ResumeError
        If the stored configuration is damaged.
    """
    from fedlocal.config.compose import compose, with_actors
    from fedlocal.config.schema import AUTO

    path = folder / "config.yaml"
    stored = {**as_plain(compose()), **stored_options(path)}
    if config.actors == AUTO:  # other options may refer to the number that was chosen
        config = with_actors(config, stored["actors"])
    asked = as_plain(config)
    for key in (*ignored, *SWEEP_ONLY):
        stored.pop(key, None)
        asked.pop(key, None)
    old, new = dict(flat_items(stored)), dict(flat_items(asked))
    return [
        f"{key}={old.get(key)} in place of {new.get(key)}"
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key) and new.get(key) != AUTO
    ]
