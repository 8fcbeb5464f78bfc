"""From shell to prompt: the default run, and the help; warm, in an empty folder."""

from collections.abc import Iterator

from experiments.performance.programs import Command, fedlocal_command
from experiments.rows import Row, row_of
from experiments.runner import Options
from experiments.turns import alternate

BOUNDS = {"fedlocal": 4.0, "fedlocal --help": 0.6}


def measure(options: Options) -> Iterator[Row]:
    """Yield the seconds of each command."""
    arms = [Command(name, fedlocal_command() + name.split()[1:]) for name in BOUNDS]
    figures = alternate(arms, 2 if options.quick else 15)
    for name, bound in BOUNDS.items():
        yield row_of("startup", name, "from shell to prompt", figures[name], "s", at_most=bound)
