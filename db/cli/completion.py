"""Completion: what a shell needs to complete `python -m db`, `enrich` and `serve`."""

from __future__ import annotations

import contextlib

from sqlalchemy.exc import SQLAlchemyError

from db.errors import VeilleuseError
from db.records.dataset import all_datasets
from db.settings import load_settings
from db.store.engine import open_store

VARIABLE = "_VEILLEUSE_COMPLETE"

_BASH = f"""_veilleuse() {{
    local python=${{COMP_WORDS[0]}} room=${{COMP_WORDS[2]}} line
    COMPREPLY=()
    [[ ${{COMP_WORDS[1]}} == -m ]] || return
    if ((COMP_CWORD == 2)); then
        COMPREPLY=($(compgen -W "db enrich serve" -- "$room"))
    elif [[ $room == serve ]]; then
        COMPREPLY=($(compgen -W "--check --help" -- "${{COMP_WORDS[COMP_CWORD]}}"))
    elif [[ $room == db || $room == enrich ]]; then
        while IFS=, read -r kind line; do
            [[ $kind == plain ]] && COMPREPLY+=("$line")
        done < <({VARIABLE}=bash_complete COMP_WORDS="${{COMP_WORDS[*]:2}}" \\
            COMP_CWORD=$((COMP_CWORD - 2)) "$python" -m "$room" 2>/dev/null)
    fi
}}
complete -o default -F _veilleuse python python3 python3.11 .venv/bin/python
"""
SCRIPTS = {"bash": _BASH, "zsh": f"autoload -U +X bashcompinit && bashcompinit\n{_BASH}"}


def dataset_names() -> list[str]:
    """Return the datasets of the store, none where it is out of reach: nobody waits for a Tab."""
    with contextlib.suppress(VeilleuseError, SQLAlchemyError):
        store = open_store(load_settings())
        with store.reading() as connection:
            return [one.name for one in all_datasets(connection)]
    return []
