"""The class of every command: help in plain words, `-h`, and flags that also accept `true` and `false`."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand, TyperOption

_METAVARS: dict[Any, str] = {int: "NUMBER", Path: "PATH"}
_WORDS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


class PlainCommand(TyperCommand):
    """A command whose help names what an option accepts, instead of a type of Python."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        for param in self.params:
            if isinstance(param, TyperOption) and not param.is_flag and param.metavar is None:
                param.metavar = _metavar(param)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the command line, after `--flag true` and `--flag=false` were written as flags."""
        flags = [each for each in self.params if isinstance(each, TyperOption) and each.is_bool_flag]
        takes_values = any(each.param_type_name == "argument" for each in self.params)
        return super().parse_args(ctx, list(_expand_flags(args, flags, takes_values=takes_values)))

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the options' placeholder and the names of the arguments, as in `[OPTIONS] ID...`."""
        return ["[OPTIONS]", *(_usage(each) for each in self.get_params(ctx) if each.param_type_name == "argument")]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the arguments and the options with their descriptions."""
        records: dict[str, list[tuple[str, str]]] = {"argument": [], "option": []}
        for param in self.get_params(ctx):
            if record := param.get_help_record(ctx):
                shown = param.name.upper() if param.param_type_name == "argument" else record[0]
                records[param.param_type_name].append((shown, record[1]))
        for title, rows in (("Arguments", records["argument"]), ("Options", records["option"])):
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


class CommandLine(typer.Typer):
    """A group of commands, each of which is a PlainCommand; `-h` shows its help."""

    def __init__(self, **options: Any) -> None:
        super().__init__(no_args_is_help=True, context_settings={"help_option_names": ["-h", "--help"]}, **options)

    def command(self, name: str | None = None, **options: Any) -> Callable[[Any], Any]:
        """Add a command; see typer.Typer.command."""
        return super().command(name, **{"cls": PlainCommand, **options})


def _metavar(option: TyperOption) -> str:
    """Return what an option accepts: its choices, or a word for the kind of its values."""
    kind = option.type_descriptor
    if kind.is_choice:
        return "|".join(str(getattr(choice, "value", choice)) for choice in kind.choices or ())
    inner = getattr(kind.annotation, "__args__", (kind.annotation,))[0]
    return _METAVARS.get(inner, "TEXT")


def _usage(argument: Any) -> str:
    name = argument.name.upper() + ("..." if argument.nargs != 1 else "")
    return name if argument.required else f"[{name}]"


def _expand_flags(args: list[str], flags: list[TyperOption], *, takes_values: bool) -> Iterator[str]:
    """Yield the command line with flags in place of `--flag true`, `--flag=true` and their opposites.

    A word after a flag is a value of its own if the command takes values. A flag without an opposite is left out for
    `false`.
    """
    names = {name: flag for flag in flags for name in flag.opts}
    rest = iter(range(len(args)))
    for index in rest:
        name, sign, word = args[index].partition("=")
        if args[index] == "--":
            yield from args[index:]
            return
        following = args[index + 1].lower() if index + 1 < len(args) else ""
        if name in names and not sign and following in _WORDS and not takes_values:
            word = following
            next(rest)
        if name in names and word.lower() in _WORDS:
            yield from _flag(name, names[name], wanted=_WORDS[word.lower()])
        else:
            yield args[index]


def _flag(name: str, flag: TyperOption, *, wanted: bool) -> list[str]:
    return [name] if wanted else list(flag.secondary_opts[:1])
