"""A group of click's commands: whole sentences in its help, and errors as one line.

This module alone of this folder imports click, so the web process does not import it.
"""

from __future__ import annotations

from typing import Any

import click

from .error_line import print_error, usage_error

# Long enough for the first sentence of any command.
_LONGEST_SENTENCE = 400
MOST_COLUMNS = 100
CONTEXT_SETTINGS: dict[str, Any] = {
    "help_option_names": ["-h", "--help"],
    "max_content_width": MOST_COLUMNS,
}


class CommandGroup(click.Group):
    """A group whose help has the whole first sentence of each command."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [
            (name, command.get_short_help_str(_LONGEST_SENTENCE))
            for name in self.list_commands(ctx)
            if (command := self.get_command(ctx, name)) and not command.hidden
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def invoke_group(group: click.Group, name: str, complete_variable: str) -> None:
    """Run the command that the arguments name; raise SystemExit where they are wrong."""
    try:
        group.main(prog_name=name, complete_var=complete_variable, standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        raise SystemExit(error.exit_code) from None
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else name
        print_error(usage_error(error.format_message(), command))
        raise SystemExit(error.exit_code) from None
    except click.ClickException as error:
        print_error(error.format_message())
        raise SystemExit(error.exit_code) from None
    except click.Abort:
        print_error("not confirmed, so nothing was changed")
        raise SystemExit(1) from None
