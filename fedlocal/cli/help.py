"""The answer to ``fedlocal --help``: what each group offers, and the options as Hydra composes them.

Hydra's own answer copies its whole store of schemas at each look at a group: that takes as long as all else.
"""

import re
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from string import Template

from omegaconf import OmegaConf

from fedlocal.cli.jobs import run_jobs
from fedlocal.config.compose import conf_folder

REPLACED = ("--help", "-h", "--multirun", "-m", "--run", "-r")  # by the command that prints the options


def print_help(arguments: Sequence[str]) -> int | str | None:
    """Print the help for a command line, with the options that it chooses; return the exit code."""
    remaining = [argument for argument in arguments if argument not in REPLACED]
    sys.argv[1:] = remaining if {"--cfg", "-c"} & {*remaining} else [*remaining, "--cfg", "job"]
    with redirect_stdout(StringIO()) as options:
        code = run_jobs()
    if code:
        return code
    text = OmegaConf.load(conf_folder() / "hydra" / "help" / "fedlocal.yaml")
    template = Template(OmegaConf.create({"hydra": {"help": text}}).hydra.help.template)
    print(template.substitute(APP_CONFIG_GROUPS=_groups(remaining), CONFIG=options.getvalue()))
    return 0


def _groups(arguments: Sequence[str]) -> str:
    """Return a line for each group, with its presets: fedlocal's, and those of ``--config-dir``."""
    own = re.findall(r"(?:^|\n)(?:--config-dir|-cd)[=\n](.*)", "\n".join(arguments))
    presets: dict[str, set[str]] = {}
    for folder in (conf_folder(), *own):
        for path in Path(folder).glob("*/*.yaml"):
            presets.setdefault(path.parent.name, set()).add(path.stem)
    return "".join(f"{group}: {', '.join(sorted(presets[group]))}\n" for group in sorted(presets))
