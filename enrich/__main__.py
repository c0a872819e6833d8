"""The command line of the worker: `python -m enrich`."""

from __future__ import annotations

import sys

if __name__ == "__main__":
    # Imported only here: every compute child imports this module, and needs no command.
    from db.cli.completion import VARIABLE
    from db.cli.console import run_command
    from db.cli.terminal.command_group import invoke_group
    from enrich.commands.group import cli

    sys.exit(run_command(lambda: invoke_group(cli, "python -m enrich", VARIABLE)))
