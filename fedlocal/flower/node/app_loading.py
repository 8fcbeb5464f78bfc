"""How client and server apps of users are loaded, and how they get into workers.

An app is an object, or a reference such as ``"package.module:app"``. A reference is resolved in each worker.
An object travels as a cloudpickle, from this process to its workers and never back: functions of importable
modules by name, all others, such as those of a notebook's cells or of a script, by value.
"""

import gc
import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from types import CellType, FunctionType, ModuleType
from typing import Any, TypeVar

import cloudpickle
from flwr.app import Context, Message
from flwr.clientapp import ClientApp
from flwr.serverapp import ServerApp

from fedlocal.flower.compat.private import RUN_ID
from fedlocal.flower.node.client_runner import ClientRunner
from fedlocal.flower.node.output import named_output
from fedlocal.flower.node.seeding import seeded

App = TypeVar("App", ClientApp, ServerApp)


class AppError(ValueError):
    """There is no such app, it is of another kind, or it cannot get into a worker."""


def start_client(
    load: Callable[[], ClientApp], nodes: int, seed: int, run_config: Mapping[str, Any]
) -> ClientRunner:
    """Load an app, which prints under the names of clients; return its runner, whose parameters these are."""
    with seeded(seed % 2**32), named_output(""):  # so that its log handlers name clients
        app = load()
    return ClientRunner(partial(called_by_name, app), nodes, seed, RUN_ID, run_config)


def called_by_name(app: ClientApp, message: Message, context: Context) -> Message:
    """Have an app answer a message; what it prints has the client's name before it."""
    with named_output(f"client {context.node_config['partition-id']}"):
        return app(message, context)


def find(app: App | str, kind: type[App], seed: int) -> App:
    """Return what `resolve` does; apps that draw while they are imported draw the same in each process."""
    with seeded(seed % 2**32):
        return resolve(app, kind)


def resolve(app: App | str, kind: type[App]) -> App:
    """Return an app that is given as such or by a reference, ``"package.module:attribute"``.

    Raises
    ------
    AppError
        If it is no such app, or there is no such attribute. Errors of the import are raised as they are.
    """
    if not isinstance(app, str):
        return _checked(app, kind, f"a {type(app).__name__}")
    module, path = _parsed(app, kind)
    attribute: Any = _imported(module, app)
    for name in path.split("."):
        if not hasattr(attribute, name):
            raise AppError(f"{app!r}: {module} has no {path!r}")
        attribute = getattr(attribute, name)
    return _checked(attribute, kind, app)


def _parsed(reference: str, kind: type) -> tuple[str, str]:
    """Return the module and the attribute that a reference names; nothing is imported but packages above."""
    module, _, path = reference.partition(":")
    if not all(name.isidentifier() for name in (*module.split("."), *path.split("."))):
        raise AppError(
            f"{reference!r} is no reference to a {kind.__name__}; write 'package.module:attribute'"
        )
    if find_spec(module.partition(".")[0]) is None:
        raise AppError(f"{reference!r}: there is no module {module!r} here; is its folder on sys.path?")
    return module, path


def _imported(module: str, reference: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name and f"{module}.".startswith(f"{error.name}."):
            raise AppError(f"{reference!r}: there is no module {error.name!r} here") from error
        raise


def _checked(app: Any, kind: type[App], name: str) -> App:
    if not isinstance(app, kind):
        hint = (
            "" if isinstance(app, ClientApp | ServerApp) else "; pass the app itself, or 'module:attribute'"
        )
        raise AppError(f"{name} is not a {kind.__name__} but {type(app).__name__}{hint}")
    return app


def portable(app: ClientApp | str) -> Callable[[], ClientApp]:
    """Return what loads an app, and can be given to workers.

    Raises
    ------
    AppError
        If it is no client app, or it cannot be pickled.
    """
    if isinstance(app, str):
        _parsed(app, ClientApp)  # before any worker starts
        return partial(resolve, app, ClientApp)
    _checked(app, ClientApp, f"a {type(app).__name__}")
    with _by_value(_unimportable(app)):
        try:
            return partial(cloudpickle.loads, cloudpickle.dumps(app))
        except Exception as error:
            raise AppError(
                f"the client app cannot be given to worker processes ({type(error).__name__}: {error}); "
                "make such objects inside its functions, pass 'module:attribute', or use backend='inline'"
            ) from error


@contextmanager
def _by_value(modules: list[ModuleType]) -> Iterator[None]:
    registered = cloudpickle.list_registry_pickle_by_value()
    new = [module for module in modules if module.__name__ not in registered]
    for module in new:
        cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        for module in new:
            cloudpickle.unregister_pickle_by_value(module)


def _unimportable(app: ClientApp) -> list[ModuleType]:
    """Return the modules of an app's functions that a new process could not import: of tests, for example."""
    names = {function.__module__ for function in _functions(vars(app), set())} - {"__main__", None}
    modules = [sys.modules[name] for name in sorted(names) if name in sys.modules]
    return [module for module in modules if not _is_importable(module)]


def _is_importable(module: ModuleType) -> bool:
    file = getattr(module, "__file__", None)
    try:
        folder = Path(file).resolve().parents[module.__name__.count(".")] if file else None
    except IndexError:
        return False
    if folder is not None and Path(file or "").stem == "__init__":
        folder = folder.parent
    return folder is None or any(Path(entry or ".").resolve() == folder for entry in sys.path)


def _functions(node: Any, seen: set[int]) -> Iterator[FunctionType]:
    """Yield the functions that an app holds, also inside those that Flower wrapped around them."""
    if id(node) in seen:
        return
    seen.add(id(node))
    below = list(node.values()) if isinstance(node, dict) else node
    if isinstance(node, FunctionType):
        yield node
        below = node.__closure__ or ()
    elif isinstance(node, CellType):
        below = gc.get_referents(node)  # what it holds, if anything
    if isinstance(below, list | tuple):
        for part in below:
            yield from _functions(part, seen)
