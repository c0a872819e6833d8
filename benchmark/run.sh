#!/bin/sh
# Run a load scenario; ends with PASS, FAIL or INVALID: benchmark/run.sh --help
set -eu
cd "$(dirname "$0")/.."
make --no-print-directory --silent .venv/installed-benchmark
exec .venv/bin/python -m benchmark.run "$@"
