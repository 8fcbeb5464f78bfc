"""Every command that README and guides teach is run, small: a round, few rows, files made on the spot."""

import importlib.util
import multiprocessing
import os
import re
import shlex
import shutil
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

from fedlocal.actors import warm_up
from fedlocal.cli.main import main
from tests.forking import SHARED
from tests.pages import EXTENDING, GUIDES, ROOT, commands, overrides

PAGES = [page for page in GUIDES if page != EXTENDING]  # test_recipes follows the recipes
TAUGHT = sorted({command for page in PAGES for command in commands(page)})
RUN = Path("outputs", "DATE", "TIME")  # what the pages call it
LIBRARIES = {
    "model=torch": "torch",
    "model=keras": "keras",
    "backend=ray": "ray",
    "dataset=huggingface": "datasets",
    "partition=flower_datasets": "flwr_datasets",
    "tensorboard": "tensorboardX",
    "mlflow": "mlflow",
    "launcher=joblib": "hydra_plugins.hydra_joblib_launcher",
    "sweeper=optuna": "hydra_plugins.hydra_optuna_sweeper",
}
DOWNLOADS = ("dataset=openml", "dataset.path=ylecun/mnist")
BEGUN = ["-m", "actors=1,2"]  # what sweep.resume goes on with
SWEEP = Path("multirun", "DATE", "TIME")
LONG = ["rounds=300", "model.hidden=[16]", "baseline=false", "display=off"]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals and paths"),
]


def smaller(command: str) -> list[str]:
    """Return what makes a command quick: what it teaches stays."""
    if not overrides(command) and command:
        return []
    words = ["rounds=1", "display=off", "baseline=false"]
    if "n_trials=" in command:
        words.append("hydra.sweeper.n_trials=2")
    if command == "experiment=partitions":
        words.append("partition=iid,square")
    if "fashion_mnist" in command or "experiment=" in command:
        words += ["dataset.folder=idx", "dataset.train=600"]
    return words


@pytest.mark.parametrize("command", TAUGHT)
def test_a_taught_command_keeps_its_promise(command: str, folder: Path) -> None:
    for word, library in LIBRARIES.items():
        if word in command and not there_is(library):
            pytest.skip(f"needs {library}")
    if any(word in command for word in DOWNLOADS):
        pytest.skip("needs a download")
    shorter = re.sub(r"=(\w+,\w+)(,\w+)+", r"=\1", command)  # two values do for a sweep
    code, said = typed(folder, [*shlex.split(shorter), *smaller(command)])
    assert code == 0, said
    if overrides(command) or not command:
        assert "results " in said


def test_a_run_that_was_ended_goes_on_with_the_taught_command(folder: Path) -> None:
    """`resume=` in earnest: the run in the folder was ended by a signal."""
    shutil.rmtree(folder / RUN)
    line = [sys.executable, "-m", "fedlocal", *LONG, f"hydra.run.dir={RUN}"]
    with subprocess.Popen(line, cwd=folder, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 600
        while not list((folder / RUN / "checkpoints").glob("*")) and time.monotonic() < deadline:
            time.sleep(0.02)  # another process's files: nothing to wait on
        process.send_signal(signal.SIGTERM)
    assert process.returncode == 128 + signal.SIGTERM
    code, said = typed(folder, [f"resume={RUN}"])
    assert code == 0, said
    assert "weights " in said
    assert "completed before" not in said


def there_is(library: str) -> bool:
    """Tell whether a library is installed."""
    try:
        return importlib.util.find_spec(library) is not None
    except ModuleNotFoundError:  # nor what it is part of
        return False


def typed(folder: Path, words: list[str]) -> tuple[int | None, str]:
    """Run the command line in a process that has imported everything; return its code and what it said."""
    if any("launcher=" in word for word in words):  # which starts processes of its own
        line = [sys.executable, "-m", "fedlocal", *words]
        done = subprocess.run(line, cwd=folder, capture_output=True, text=True, timeout=600, check=False)
        return done.returncode, done.stdout + done.stderr
    method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
    context: Any = multiprocessing.get_context(method)
    warm_up(SHARED)
    process = context.Process(target=_be_the_command, args=(folder, words))
    process.start()
    process.join(600)
    return process.exitcode, (folder / "said").read_text()


def _be_the_command(folder: Path, words: list[str]) -> None:
    os.chdir(folder)
    said = os.open("said", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(said, 1)
    os.dup2(said, 2)
    sys.argv[1:] = words
    main()


@pytest.fixture
def folder(kit: Path, tmp_path: Path) -> Path:
    """A folder with all that the commands name."""
    return Path(shutil.copytree(kit, tmp_path / "place"))


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    kit: Path = tmp_path_factory.mktemp("kit")
    pages = "".join(page.read_text() for page in PAGES)
    (kit / "mine.py").write_text(_modules(pages))
    x, y = load_digits(return_X_y=True)
    np.savez(kit / "mine.npz", x=x[:300], y=y[:300])
    np.savez(kit / "rows.npz", x=x[:20])
    people = [f"{20 + at},{('Bonn', 'Kiel')[at % 9 == 0]},p{at % 12},{'ab'[at % 2]}" for at in range(60)]
    (kit / "mine.csv").write_text("\n".join(["age,city,who,kind", *people]))
    header = ",".join(f"x{column}" for column in range(64))
    np.savetxt(kit / "rows.csv", x[:20], delimiter=",", header=header, comments="")
    (kit / "devices.csv").write_text("actor,from,to\n0,1,\n1,1,\n2,2,\n")
    shutil.copytree(ROOT / "tests" / "simulation" / "quick", kit / "PATH")
    _write_idx(kit / "idx")
    code, said = typed(kit, ["rounds=2", "baseline=false", "display=off", f"hydra.run.dir={RUN}"])
    assert code == 0, said
    code, said = typed(kit, [*BEGUN, *smaller("actors=1"), f"hydra.sweep.dir={SWEEP}"])
    assert code == 0, said
    shutil.rmtree(kit / SWEEP / "1")  # one run is missing
    if there_is("datasets"):
        from datasets import Dataset

        Dataset.from_dict({"pixels": x[:300].tolist(), "label": y[:300].tolist()}).save_to_disk(kit / "saved")
    return kit


def _modules(pages: str) -> str:
    """Put what the pages call mine.py into one module; torch's part only where there is torch."""
    parts = re.findall(r"^```py\n# mine.py\n(.*?)^```$", pages, flags=re.MULTILINE | re.DOTALL)
    return "\n".join(part for part in parts if "torch" not in part or there_is("torch"))


def _write_idx(folder: Path) -> None:
    """Write images and labels as Fashion-MNIST's files hold them."""
    folder.mkdir()
    draw = np.random.default_rng(0)
    for part, rows in (("train", 1000), ("t10k", 100)):
        arrays = {"images-idx3": draw.integers(0, 256, (rows, 28, 28), np.uint8)}
        arrays["labels-idx1"] = np.arange(rows, dtype=np.uint8) % 10
        for kind, array in arrays.items():
            head = struct.pack(f">{1 + array.ndim}I", 0x0800 | array.ndim, *array.shape)
            (folder / f"{part}-{kind}-ubyte").write_bytes(head + array.tobytes())
