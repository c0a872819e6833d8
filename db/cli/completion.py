"""Shell completion of `python -m db`, `python -m enrich` and `python -m serve`."""

from __future__ import annotations

import contextlib

from sqlalchemy.exc import SQLAlchemyError

from db.errors import VeilleuseError
from db.records.dataset import all_datasets
from db.settings import load_settings
from db.store.store import open_store

VARIABLE = "_VEILLEUSE_COMPLETE"

_BASH = f"""_veilleuse() {{
    local python=${{COMP_WORDS[0]}} package=${{COMP_WORDS[2]}} line
    COMPREPLY=()
    [[ ${{COMP_WORDS[1]}} == -m ]] || return
    if ((COMP_CWORD == 2)); then
        COMPREPLY=($(compgen -W "db enrich serve" -- "$package"))
    elif [[ $package == serve ]]; then
        COMPREPLY=($(compgen -W "--check --help" -- "${{COMP_WORDS[COMP_CWORD]}}"))
    elif [[ $package == db || $package == enrich ]]; then
        while IFS=, read -r kind line; do
            [[ $kind == plain ]] && COMPREPLY+=("$line")
        done < <({VARIABLE}=bash_complete COMP_WORDS="${{COMP_WORDS[*]:2}}" \\
            COMP_CWORD=$((COMP_CWORD - 2)) "$python" -m "$package" 2>/dev/null)
    fi
}}
complete -o default -F _veilleuse python python3 python3.11 .venv/bin/python
"""
SCRIPTS = {"bash": _BASH, "zsh": f"autoload -U +X bashcompinit && bashcompinit\n{_BASH}"}


def dataset_names() -> list[str]:
    """Return the names of the datasets; none if the store cannot be read: a Tab must not fail."""
    with contextlib.suppress(VeilleuseError, SQLAlchemyError):
        store = open_store(load_settings())
        with store.reading() as connection:
            return [dataset.name for dataset in all_datasets(connection)]
    return []
