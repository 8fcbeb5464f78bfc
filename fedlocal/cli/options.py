"""The dialect of the verbs, as Hydra's users write it: ``key=value``, and a verb's folders as they are.

A verb declares a dataclass of its options. Reading a command line, ``--help``, completion and what is said of
a mistake all come from its fields.
"""

import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import MISSING, Field, field, fields
from enum import Enum
from inspect import cleandoc
from pathlib import Path
from types import NoneType, UnionType
from typing import (
    Any,
    ClassVar,
    Generic,
    Literal,
    Protocol,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from fedlocal.config.did_you_mean import did_you_mean


class Options(Protocol):
    """A dataclass whose fields are made by `option`."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


T = TypeVar("T", bound=Options)

TRUTH = dict.fromkeys(("true", "yes", "on", "1"), True) | dict.fromkeys(("false", "no", "off", "0"), False)
WIDTH = 110
EARLIER = {"c": "run_config"}  # flags of one letter that there were


class UsageError(ValueError):
    """The command line asks for what cannot be."""


def option(about: str, value: str = "…", *, default: Any = MISSING, positional: bool = False) -> Any:
    """Return a field of a dataclass of options.

    A field of a tuple type may be given several times; a number is at least 1, or 0 if that is its default.

    Parameters
    ----------
    about, value : str
        For ``--help``, and what stands for the value there.
    default : Any
        The value where the command line has none; without it the option must be given.
    positional : bool
        Whether words without a key are values of this option.
    """
    return field(default=default, metadata={"about": about, "value": value, "positional": positional})


class Verb(Generic[T]):
    """A verb of the command.

    Parameters
    ----------
    name : str
        As it is typed.
    options : type
        Its options: a dataclass whose fields are made by `option`, and whose docstring is the text of
        ``--help`` around them: what the verb does, and behind a blank line what its exit codes mean.
    run : callable
        Does what is asked for, and returns the exit code; `UsageError` refuses it.
    refused : int
        The exit code of a command line that is refused.
    """

    def __init__(self, name: str, options: type[T], run: Callable[[T], int], refused: int = 1) -> None:
        self._name, self._options, self._run, self._refused = name, options, run, refused
        self._fields = {described.name: described for described in fields(options)}
        self._types = get_type_hints(options)
        names = (it.name for it in self._fields.values() if it.metadata["positional"])
        self.positional = next(names, None)

    def __call__(self, arguments: Sequence[str]) -> int:
        """Do what the words behind the verb ask for; return the exit code."""
        if {"-h", "--help"} & {*arguments}:
            print(self.help())
            return 0
        try:
            return self._run(self.read(arguments))
        except Exception as error:
            from fedlocal.config.schema import is_fedlocal_error

            if not is_fedlocal_error(error):
                raise
            notes = "".join(f"\n{note}" for note in getattr(error, "__notes__", ()))
            print(f"error: {error}{notes}", file=sys.stderr)
            return self._refused if isinstance(error, UsageError) else 1

    def read(self, arguments: Sequence[str]) -> T:
        """Return the options that a command line stands for.

        Raises
        ------
        UsageError
            If a word is not known or is given twice, or has a value that it cannot have, or is missing.
        """
        values: dict[str, Any] = {}
        for argument in arguments:
            name, text = self._split(argument)
            kind, least = self._types[name], int(self._fields[name].default != 0)
            several = get_origin(kind) is tuple
            if name in values and not several:
                raise UsageError(f"{name} is given twice")
            try:
                value = _value(get_args(kind)[0] if several else kind, text, least)
            except ValueError as error:
                raise UsageError(f"{argument}: {error}") from error
            values[name] = (*values.get(name, ()), value) if several else value
        for name, described in self._fields.items():
            if name not in values and described.default is MISSING:
                raise UsageError(f"{_word(described)} is missing; fedlocal {self._name} --help")
        return self._options(**values)

    def help(self) -> str:
        """Return what ``--help`` prints."""
        import textwrap

        about, _, end = cleandoc(self._options.__doc__ or "").partition("\n\n")
        shown = [it for it in self._fields.values() if it.default is MISSING or it.metadata["positional"]]
        usage = " ".join(["usage: fedlocal", self._name, *(_word(it) for it in shown), "[key=value …]"])
        names = {name: _with_default(it) for name, it in self._fields.items()}
        indent = max(map(len, names.values())) + 4
        lines = [
            textwrap.fill(
                self._fields[name].metadata["about"],
                WIDTH,
                initial_indent=f"  {names[name]}".ljust(indent),
                subsequent_indent=" " * indent,
            )
            for name in names
        ]
        return "\n".join([usage, "", about, "", *lines, "", end])

    def words(self, before: Sequence[str], word: str) -> list[str]:
        """Return what could stand where `word` is begun, behind the words before it; no files."""
        key, equals, start = word.partition("=")
        if equals:
            some = choices(self._types[key]) if key in self._types else []
            return [f"{key}={choice}" for choice in some if choice.startswith(start) and len(some) > 1]
        given = {before_it.partition("=")[0] for before_it in before}
        several = {name for name, kind in self._types.items() if get_origin(kind) is tuple}
        free = [name for name in self._fields if name not in given - several]
        return [f"{name}=" for name in free if name.startswith(word) and name != self.positional]

    def _split(self, argument: str) -> tuple[str, str]:
        """Return the option that a word gives, and its value as text."""
        key, equals, text = argument.partition("=")
        if argument in ("-q", "--quiet") and "display" in self._fields:
            return "display", "off"
        if key in self._fields and equals and text:
            return key, text
        plain = not argument.startswith("-") and (not equals or Path(argument).exists())
        if self.positional and argument and plain:
            return self.positional, argument
        name = key.lstrip("-").replace("-", "_")
        name = EARLIER.get(name, name)
        near = f"; write {name}=…" if name in self._fields else did_you_mean(name, self._fields, "{}=…")
        expected = ", ".join(map(_word, self._fields.values()))
        raise UsageError(f"{argument}: expected {expected}{near}")


def _word(described: "Field[Any]") -> str:
    """Return how an option is written."""
    value = str(described.metadata["value"])
    return value if described.metadata["positional"] else f"{described.name}={value}"


def _with_default(described: "Field[Any]") -> str:
    default = described.default
    if described.metadata["positional"] or default in (MISSING, None, ()):
        return _word(described)
    return f"{described.name}={str(default).lower() if isinstance(default, bool) else default}"


def _value(kind: Any, text: str, least: int) -> Any:
    """Return what a text means.

    Raises
    ------
    ValueError
        Saying what it must be.
    """
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        text = text[1:-1]
    members = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    if text == "null" and NoneType in members:
        return None
    for member in filter(lambda member: member is not NoneType, members):
        with suppress(ValueError, KeyError):
            return _plain_value(member, text, least)
    expected = [f"a number of at least {least}"] if int in members else []
    raise ValueError(f"must be {' or '.join([*expected, *choices(kind)])}")


def _plain_value(kind: Any, text: str, least: int) -> Any:
    if kind is bool:
        return TRUTH[text.lower()]
    if get_origin(kind) is Literal:
        return dict(zip(choices(kind), get_args(kind), strict=True))[text]
    if kind is int and (not text.isdecimal() or int(text) < least):
        raise ValueError
    return Path(text).expanduser() if kind is Path else kind(text)


def choices(kind: Any) -> list[str]:
    """Return the words that an option of a type can have as its value, if they are few."""
    if get_origin(kind) in (Union, UnionType):
        return [choice for member in get_args(kind) for choice in choices(member)]
    if get_origin(kind) is Literal:
        return list(map(str, get_args(kind)))
    if isinstance(kind, type) and issubclass(kind, Enum):
        return [member.name for member in kind]
    return ["true", "false"] if kind is bool else []
