"""What people read before they use fedlocal: the pages, their code blocks, and the commands in them."""

import re
import shlex
from pathlib import Path

from fedlocal.config.compose import conf_folder

ROOT = Path(__file__).parent.parent
HELP = conf_folder() / "hydra" / "help" / "fedlocal.yaml"
README = ROOT / "README.md"
EXTENDING = ROOT / "docs" / "extending.md"
STUDIES = ROOT / "experiments" / "README.md"
GUIDES = [README, ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/*.md")), *ROOT.glob("experiments/*.md")]
STUDY_PAGES = sorted((ROOT / "experiments").glob("*/*.md"))


def blocks(page: Path, language: str) -> list[str]:
    """Return the code blocks of a page in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def files(text: str) -> dict[str, str]:
    """Return the files that code blocks hold, by the names in their first lines."""
    return dict(re.findall(r"^```(?:py|yaml)\n# (\S+)\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL))


def commands(page: Path) -> list[str]:
    """Return what a page has people type after `fedlocal`, without comments."""
    text = page.read_text() if page == HELP else "".join(blocks(page, "sh"))
    lines = re.findall(r"^ *fedlocal(?: (.*))?$", text, flags=re.MULTILINE)
    return [re.split(r" +#| {3,}| \|", line)[0].strip().replace("$$", "$") for line in lines]


def overrides(command: str) -> list[str]:
    """Return a command's overrides, of a sweep those of its first run; none if it is not of a run."""
    words = shlex.split(command)
    flags = [word for word in words if "=" not in word and word != "-m"]
    if flags or any(word.startswith("resume=") for word in words):
        return []
    of_run = [word for word in words if word != "-m" and not word.startswith("hydra")]
    return [re.sub(r"=(?:interval\()?([\w.]+),.*", r"=\1", word) for word in of_run]
