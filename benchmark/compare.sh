#!/bin/sh
# Compare Veilleuse with Flask, FastAPI and Bottle, and with a constant answer: prints a table, draws a chart.
set -eu
cd "$(dirname "$0")/.."
make --no-print-directory --silent .venv/installed-dev
exec .venv/bin/python -m benchmark.comparison.compare "$@"
