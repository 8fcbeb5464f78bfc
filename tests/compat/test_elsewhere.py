"""No private name of another library is used outside the ``compat`` modules."""

import ast
import re
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import pytest

import fedlocal

ROOT = Path(fedlocal.__file__).parent
PUBLIC = {
    "flwr": "app clientapp common server server.strategy serverapp serverapp.strategy simulation "
    "simulation.run_simulation",
    "hydra": "compose core.config_store core.hydra_config errors experimental.callback types utils",
    "joblib": "",
    "mlflow": "entities exceptions tracking",
    "multiprocessing": "connection dummy managers pool shared_memory sharedctypes",
    "scipy": "linalg linalg.blas special",
    "tensorboardX": "",
}
"""The modules of a library that its documentation tells of; those of other libraries are taken as public."""

DOCUMENTED = {"_asdict", "_exit", "_fields", "_make", "_replace"}
PRIVATE = re.compile(r"_[A-Za-z0-9]\w*(?<!_)")  # Hydra's keys, such as _target_, end in an underscore
IN_TEXT = re.compile(rf"({'|'.join(PUBLIC)})(\.\w+)*\._[a-z]\w*")


def _is_compat(path: Path) -> bool:
    return "compat" in path.parts


def _is_private(name: str) -> bool:
    return bool(PRIVATE.fullmatch(name)) and name not in DOCUMENTED


def _defined(tree: ast.AST) -> Iterator[str]:
    """Yield the names that a module makes itself."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name):
                yield name
            case ast.Attribute(attr=name, ctx=ast.Store(), value=ast.Name(id="self" | "cls")):
                yield name


def _foreign(tree: ast.AST) -> set[str]:
    """Return the names by which a module knows what it imports of others."""
    return {
        (alias.asname or alias.name).partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom) and not _is_ours(node)
        for alias in node.names
    }


def _is_ours(node: ast.Import | ast.ImportFrom) -> bool:
    first = node.module or "" if isinstance(node, ast.ImportFrom) else node.names[0].name
    return first.partition(".")[0] in ("fedlocal", "__future__")


def _root(node: ast.AST) -> str:
    """Return the name that an expression begins with: ``a`` of ``a.b(c).d``."""
    while not isinstance(node, ast.Name):
        match node:
            case ast.Attribute(value=below) | ast.Call(func=below) | ast.Subscript(value=below):
                node = below
            case _:
                return ""
    return node.id


def private_names(tree: ast.AST, ours: set[str]) -> Iterator[tuple[int, str]]:
    """Yield the lines and the private names of others in a module.

    Parameters
    ----------
    tree : ast.AST
        Of the module.
    ours : set of str
        The names that the package defines anywhere.
    """
    foreign = _foreign(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            private = [] if _is_ours(node) else [path for path in _modules(node) if not _is_public(path)]
        else:
            theirs = _root(node) in foreign
            private = [ast.unparse(node) for name in _named(node) if theirs or name not in ours]
        yield from ((getattr(node, "lineno", 0), name) for name in private)


def _named(node: ast.AST) -> Iterator[str]:
    """Yield the private name that an expression has, as an attribute or in a text that stands for one."""
    match node:
        case ast.Attribute(attr=str(name)) | ast.Subscript(slice=ast.Constant(value=str(name))):
            if _is_private(name):
                yield name
        case ast.Call(func=ast.Name(id=function), args=[_, ast.Constant(value=str(name)), *_]):
            if function in ("getattr", "setattr", "hasattr", "delattr") and _is_private(name):
                yield name
        case ast.Constant(value=str(text)) if IN_TEXT.fullmatch(text):
            yield text


def _modules(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    """Yield what an import names, with the modules that it lies in."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    else:
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _is_public(path: str) -> bool:
    if any(_is_private(name) for name in path.split(".")):
        return False
    library, _, rest = path.partition(".")
    if library not in PUBLIC or not rest:
        return True
    public = {"", *PUBLIC[library].split()}
    return rest in public or (rest.rpartition(".")[0] in public and not _is_module(path))


def _is_module(path: str) -> bool:
    with suppress(ImportError):
        return find_spec(path) is not None
    return False


def test_private_names_of_others_are_in_compat_modules_alone() -> None:
    trees = {path: ast.parse(path.read_text("utf-8")) for path in sorted(ROOT.rglob("*.py"))}
    ours = {name for tree in trees.values() for name in _defined(tree)}
    elsewhere = [
        f"{path.relative_to(ROOT.parent)}:{line}: {name}"
        for path, tree in trees.items()
        if not _is_compat(path.relative_to(ROOT))
        for line, name in private_names(tree, ours)
    ]
    assert not elsewhere, "private names of others belong into fedlocal/compat or fedlocal/flower/compat"


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("from scipy.linalg import _fblas", "scipy.linalg._fblas"),
        ("from flwr.supercore.run import Run", "flwr.supercore.run.Run"),
        ("from multiprocessing import resource_tracker", "multiprocessing.resource_tracker"),
        ("import hydra.core.global_hydra", "hydra.core.global_hydra"),
        ("import atexit\natexit._clear()", "atexit._clear"),
        ("import threading\nthreading.main_thread()._ours", "threading.main_thread()._ours"),
        ("def f(strategy): strategy._theirs()", "strategy._theirs"),
        ("def f(reply): reply.__dict__['_theirs'] = 1", "reply.__dict__['_theirs']"),
        ("def f(app): return getattr(app, '_theirs', None)", "getattr(app, '_theirs', None)"),
        ("BLAS = 'scipy.linalg._fblas'", "'scipy.linalg._fblas'"),
    ],
)
def test_a_private_name_is_noticed(source: str, name: str) -> None:
    assert [private for _, private in private_names(ast.parse(source), {"_ours"})] == [name]


@pytest.mark.parametrize(
    "source",
    [
        "from multiprocessing import parent_process, shared_memory",
        "from flwr.serverapp.strategy import FedAvg",
        "import os\nos._exit(1)",
        "def f(self): return self._ours, getattr(self, '_ours'), vars(self)['_ours']",
        "from fedlocal.models import _made\n_made._ours",
        "def f(config): return config['_target_'], config._target_",
    ],
)
def test_a_public_name_and_a_name_of_ours_are_allowed(source: str) -> None:
    assert list(private_names(ast.parse(source), {"_ours"})) == []
