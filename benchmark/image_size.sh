#!/bin/sh
# Weigh both images, and say PASS or FAIL; make images builds them.
set -eu
cd "$(dirname "$0")/.."
make --no-print-directory --silent .venv/installed-benchmark
exec .venv/bin/python -m benchmark.container.image_size
