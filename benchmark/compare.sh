#!/bin/sh
# Compare Veilleuse with its peers and with a constant answer: prints what is promised and what is so, draws a chart.
set -eu
cd "$(dirname "$0")/.."
make --no-print-directory --silent .venv/installed-dev
exec .venv/bin/python -m benchmark.headline "$@"
