"""A parser of arguments from the standard library whose help and errors look like click's."""

from __future__ import annotations

import argparse
import shutil
import sys
import textwrap
from typing import NoReturn

from .error_line import print_error, usage_error

MOST_COLUMNS = 100


class ArgumentParser(argparse.ArgumentParser):
    """Shows usage, description and options as the other commands do."""

    def format_help(self) -> str:
        width = min(shutil.get_terminal_size().columns, MOST_COLUMNS) - 2
        description = textwrap.fill(
            self.description or "", width, initial_indent="  ", subsequent_indent="  "
        )
        return f"{self.format_usage()}\n{description}\n\nOptions:\n{self._options(width)}\n"

    def format_usage(self) -> str:
        return f"Usage: {self.prog} [OPTIONS]\n"

    def _options(self, width: int) -> str:
        shown = [one for one in self._actions if one.help != argparse.SUPPRESS]
        names = [", ".join(option.option_strings) for option in shown]
        column = max(map(len, names)) + 4
        lines = [
            textwrap.fill(
                option.help or "",
                width,
                initial_indent=f"  {name}".ljust(column),
                subsequent_indent=" " * column,
            )
            for name, option in zip(names, shown, strict=True)
        ]
        return "\n".join(lines)

    def error(self, message: str) -> NoReturn:
        print_error(usage_error(message, self.prog))
        sys.exit(2)
