#!/bin/sh
# Measure the size of the web and worker images, which make images builds; ends with PASS or FAIL.
set -eu
cd "$(dirname "$0")/.."
make --no-print-directory --silent .venv/installed-benchmark
exec .venv/bin/python -m benchmark.container.image_size
