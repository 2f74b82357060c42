"""The frame of every command: reading its options, running it, and saying how that went."""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NoReturn

from musicnet_duet import __version__
from musicnet_duet.arguments import UsageError, did_you_mean
from musicnet_duet.flags import with_flags
from musicnet_duet.interrupts import lasting_interrupts
from musicnet_duet.process import (
    BROKEN_PIPE,
    INTERRUPTED,
    prepare_streams,
    print_message,
    print_result,
)
from schemas.errors import DuetError, UnreadableFileError

FAILED = 1
WRONG_USAGE = 2
BUG = 70
"""The exit status of a program with an internal error, as BSD's sysexits.h has it."""

SHELLS = ("bash", "zsh")

_OWN_PACKAGES = ("musicnet_duet", "pipelines", "schemas", "training")


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a command came to.

    `result` is a dataclass or a mapping, printed with `--json`; `text` is the same for people.
    `note` is printed to standard error, after it.
    """

    result: Any
    text: str
    status: int = 0
    note: str = ""


class CommandParser(argparse.ArgumentParser):
    """An argparse parser that raises `UsageError`, and knows its actions and which take paths."""

    def __init__(self, **options: Any) -> None:
        self.actions: list[argparse.Action] = []
        self.path_actions: list[argparse.Action] = []
        super().__init__(**{"allow_abbrev": False, **options})

    def add_argument(self, *names: str, **options: Any) -> argparse.Action:
        return self._noted(super().add_argument(*names, **options))

    def add_path(self, *names: str, **options: Any) -> None:
        """Adds an argument that shells complete to the name of a file or folder."""
        self.path_actions.append(self.add_argument(*names, **options))

    def add_one_of(self, *alternatives: tuple[str, Mapping[str, Any]]) -> list[argparse.Action]:
        """Adds options, at most one of them to be given."""
        group = self.add_mutually_exclusive_group()
        return [self._noted(group.add_argument(flag, **options)) for flag, options in alternatives]

    def error(self, message: str) -> NoReturn:
        plain = re.sub(r"^argument (-[^\s/]+|[^\s:]+)[^\s:]*: ", r"\1: ", message)
        raise UsageError(plain if plain != message else f"{plain}; see {self.prog} --help")

    def _noted(self, action: argparse.Action) -> argparse.Action:
        self.actions.append(action)
        return action

    @property
    def flags(self) -> list[str]:
        return [flag for action in self.actions for flag in action.option_strings]


def _nothing_to_check(options: argparse.Namespace) -> None:
    pass


def _no_advice(options: argparse.Namespace) -> str:
    return ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Command:
    """One command of one half.

    `run` does it; all that takes long to import is imported there. `check` raises `UsageError`
    for options that are wrong together. `extra` is the extra of the package that installs what
    the command needs. `after_dashes` says whose options may follow `--`, if any may;
    `options.after_dashes` holds them. `advice` says what to do after Ctrl-C.
    """

    name: str
    text: str
    extra: str
    add_options: Callable[[CommandParser], None]
    run: Callable[[argparse.Namespace], Outcome]
    check: Callable[[argparse.Namespace], None] = _nothing_to_check
    advice: Callable[[argparse.Namespace], str] = _no_advice
    after_dashes: str | None = None


@dataclasses.dataclass(frozen=True)
class Program:
    """Some commands under one name, such as `duet`."""

    name: str
    description: str
    commands: tuple[Command, ...]

    def parser(self) -> CommandParser:
        return self._parsers()[0]

    def parser_of(self, command: str) -> CommandParser:
        """The parser of one command."""
        return self._parsers()[1][command]

    def main(self, arguments: Sequence[str] | None = None) -> int:
        """Runs one command and returns the exit status.

        0: it did what was asked. 1: it did not. 2: the command line is wrong. 70: this is a bug.
        130: Ctrl-C. 141: nothing reads its output. Raises the exception itself with
        `--debug`, and `SystemExit` where only help was asked for.
        """
        prepare_streams()
        given = list(sys.argv[1:] if arguments is None else arguments)
        if not given:
            print_message(self.parser().format_help().rstrip())
            return WRONG_USAGE
        try:
            command, options = self.read(given)
            command.check(options)
        except UsageError as error:
            print_message(f"error: {error}")
            return WRONG_USAGE
        return run_command(command, options)

    def read(self, arguments: Sequence[str]) -> tuple[Command, argparse.Namespace]:
        """The command and its options. Raises `UsageError`."""
        given, after_dashes = split_at_dashes(arguments)
        parser, parsers = self._parsers()
        if not given:
            raise UsageError(f"name a command before '--'; the commands are {', '.join(parsers)}")
        _check_spelling(given, parser, parsers)
        options = parser.parse_args(given)
        by_name = {command.name: command for command in self.commands}
        command = by_name[options.command]
        if after_dashes and command.after_dashes is None:
            takers = [each for each in self.commands if each.after_dashes]
            only = " and ".join(each.name for each in takers)
            raise UsageError(
                f"{command.name} takes no options after '--'" + (f"; only {only} does" * bool(only))
            )
        options.after_dashes = tuple(after_dashes)
        return command, options

    def _parsers(self) -> tuple[CommandParser, dict[str, CommandParser]]:
        parser = CommandParser(prog=self.name, description=self.description)
        parser.add_argument("--version", action="version", version=f"duet {__version__}")
        found: dict[str, CommandParser] = {}
        parser.add_argument(
            "--print-completion",
            action=_print_completion(parser, found),
            choices=SHELLS,
            help="print a script that lets the shell complete command lines, and exit",
        )
        commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
        for command in self.commands:
            added = commands.add_parser(command.name, help=command.text, description=command.text)
            command.add_options(added)
            added.add_argument("--json", action="store_true", help="print the result as JSON")
            added.add_argument(
                "--debug", action="store_true", help="show the traceback of any error"
            )
            found[command.name] = added
        return parser, found


def run_command(command: Command, options: argparse.Namespace) -> int:
    """Runs a command and prints its result, or in one line why it failed; the exit status."""
    _begin_logging(debug=options.debug)
    try:
        with lasting_interrupts():
            outcome = command.run(options)
        if not print_result(as_json(outcome.result) if options.json else outcome.text):
            return BROKEN_PIPE
        if outcome.note:
            print_message(outcome.note)
        return outcome.status
    except KeyboardInterrupt:
        if options.debug:
            traceback.print_exc()
        print_message(f"\ninterrupted{command.advice(options)}")
        return INTERRUPTED
    except Exception as error:
        if options.debug:
            raise
        status, message = explain(error, command)
        print_message(f"error: {message}")
        return status


def _begin_logging(*, debug: bool) -> None:
    """Shows warnings of our own; Beam and the stores' libraries also log what they raise."""
    if debug:
        logging.basicConfig(level=logging.INFO)
        return
    logging.basicConfig(level=logging.CRITICAL, format="%(message)s")
    for package in _OWN_PACKAGES:
        logging.getLogger(package).setLevel(logging.WARNING)


_REMEDIES = {
    "missing": "check its name",
    "no_permission": "change its permissions",
    "is_folder": "name a file",
    "not_a_file": "name a file",
    "unreadable": "check its name, and its disk",
}
"""What to do about a file that cannot be read, by `UnreadableFileError.reason`."""


def _remedy(error: DuetError) -> str:
    """What the message of an error does not say itself: what to do about a file."""
    if not isinstance(error, UnreadableFileError) or ";" in str(error):
        return ""
    remedy = _REMEDIES.get(error.reason)
    return "" if remedy is None else f"; {remedy}"


def explain(error: Exception, command: Command) -> tuple[int, str]:
    """The exit status and the message for an exception: a user's fault, or one of ours."""
    if isinstance(error, DuetError):
        return FAILED, with_flags(str(error) + _remedy(error))
    text = " ".join(str(error).split())
    if isinstance(error, ImportError):
        module = (error.name or "").partition(".")[0]
        if module not in _OWN_PACKAGES:
            missing = isinstance(error, ModuleNotFoundError) and module
            problem = (
                f"needs {module}, which is not installed"
                if missing
                else f"cannot import {module or 'a module'}: {text}"
            )
            return FAILED, (
                f"{command.name} {problem}; in the project's folder, run: "
                f"pip install '.[{command.extra}]'"
            )
    if isinstance(error, MemoryError):
        return FAILED, "the machine does not have enough memory for this" + (
            f": {text}" if text else ""
        )
    return BUG, (
        f"this is a bug in musicnet-duet: {type(error).__name__}: {text}; run again with --debug "
        "for the traceback, and please report it"
    )


def as_json(result: Any) -> str:
    """ASCII JSON of a dataclass or a mapping."""
    is_one = dataclasses.is_dataclass(result) and not isinstance(result, type)
    plain = dataclasses.asdict(result) if is_one else result
    return json.dumps(plain, indent=1)


def split_at_dashes(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """The arguments before the first `--`, and those after it."""
    given = list(arguments)
    at = given.index("--") if "--" in given else len(given)
    return given[:at], given[at + 1 :]


def _check_spelling(
    given: Sequence[str], parser: CommandParser, parsers: Mapping[str, CommandParser]
) -> None:
    """Raises `UsageError` for a command or an option that does not exist.

    argparse would first complain about what is missing, which a misspelling makes likely.
    """
    first = given[0]
    if first.startswith("-"):
        if first not in parser.flags and any(first in each.flags for each in parsers.values()):
            raise UsageError(f"{first} goes after the command: {parser.prog} COMMAND {first}")
        _check_flags(given[:1], parser)
    elif first not in parsers:
        known = did_you_mean(first, parsers) or f"; the commands are {', '.join(parsers)}"
        raise UsageError(f"unknown command {first!r}{known}")
    else:
        _check_flags(given[1:], parsers[first])


def _check_flags(given: Iterable[str], parser: CommandParser) -> None:
    for argument in given:
        flag = argument.partition("=")[0]
        # argparse, too, takes a text with spaces and a negative number for values.
        if not re.match(r"-(?![\d.])[^\s]", argument) or " " in argument or flag in parser.flags:
            continue
        known = did_you_mean(flag, parser.flags) or f"; see {parser.prog} --help"
        raise UsageError(f"unknown option {flag}{known}")


def _print_completion(
    main: CommandParser, parsers: Mapping[str, CommandParser]
) -> type[argparse.Action]:
    class PrintCompletion(argparse.Action):
        def __call__(self, parser: argparse.ArgumentParser, *values: Any) -> None:
            try:
                import shtab
            except ModuleNotFoundError as error:
                raise UsageError(
                    "--print-completion needs shtab, which is not installed; run: pip install shtab"
                ) from error
            for each in parsers.values():
                for action in each.path_actions:
                    action.complete = shtab.FILE  # type: ignore[attr-defined]
            parser.exit(0 if print_result(shtab.complete(main, values[1])) else BROKEN_PIPE)

    return PrintCompletion
