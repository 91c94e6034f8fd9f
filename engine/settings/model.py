"""One setting: where its value comes from, and the texts about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


class BadValue(ValueError):
    """Why a text cannot be used: one argument for each problem."""


@dataclass(kw_only=True, eq=False, repr=False)  # what is not needed would delay each start
class Setting:
    """How a field of `Config` is set, and the texts about it."""

    name: str
    type: Any
    default: Any
    variable: str = ""
    """Its name in the environment; empty: it is set by an option only."""
    find: Callable[[Mapping[str, str]], Any] | None = None
    """Finds the default where that depends on the machine."""
    read: Callable[[str], Any] | None = None
    """Makes the value from text, or raises BadValue; None: Typer makes it, by `type`."""
    option: str = ""
    """As it is written, where that is not the name; two commands may share one."""
    short: str = ""
    is_argument: bool = False
    is_optional: bool = False
    """Of an argument: it may be left out."""
    group: str = ""
    """Heading of the option in the help."""
    metavar: str = ""
    unit: str = ""
    lowest: int | None = None
    highest: int | None = None
    words: tuple[str, ...] = ()
    """What completion offers."""
    help: str = ""
    """For the command line; `{source}` stands for the variable and the default."""
    default_text: str = ""
    """The default in Markdown, where it is not the plain value."""
    manual: str = ""
    """What `docs/configuration.md` says, in Markdown."""

    @property
    def flag(self) -> str:
        """Its option, such as `--timezone`."""
        return self.option or f"--{self.name.replace('_', '-')}"

    @property
    def shown_default(self) -> str:
        """The default in Markdown."""
        return self.default_text or f"`{self.default}`"

    @property
    def describes_default(self) -> bool:
        """Whether its help says what the default is."""
        return "{source}" in self.help

    @property
    def full_help(self) -> str:
        """The text for `--help`, which is no Markdown."""
        default = self.shown_default
        text = f"default {default}" if default.startswith("`") else f"default: {default}"
        source = f"{self.variable}; {text}" if self.variable else text
        return self.help.format(source=source.replace("`", ""))

    def look_up(
        self, options: Mapping[str, Any], environment: Mapping[str, str]
    ) -> tuple[Any, str]:
        """What is given for it and where, the option first; (None, "") when nothing is."""
        given = options.get(self.name)
        if given is not None:
            return given, self.flag
        text = environment.get(self.variable, "").strip()
        return (text, self.variable) if text else (None, "")


def setting(*, default: Any, **attributes: Any) -> Any:
    """A field of `Config` with the attributes of a `Setting`."""
    return field(default=default, metadata=attributes)


def logs_argument(text: str, *, is_optional: bool = False) -> Any:
    """A field of `Config` for the logs that a command is given, with its help."""
    metavar = "[LOGFILE...]" if is_optional else "LOGFILE..."
    metadata = {"is_argument": True, "is_optional": is_optional, "metavar": metavar, "help": text}
    return field(default_factory=list, metadata=metadata)


def argument(text: str) -> Any:
    """A field of `Config` for the name of a file that a command is given, with its help."""
    return field(default="", metadata={"is_argument": True, "metavar": "FILE", "help": text})
