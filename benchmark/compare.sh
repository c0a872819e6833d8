#!/bin/sh
# Ours beside Flask, FastAPI and Bottle as people deploy them, and beside the floors: one table, one figure.
set -eu
cd "$(dirname "$0")/.."
make --no-print-directory --silent .venv/installed-dev
exec .venv/bin/python -m benchmark.comparison.compare "$@"
