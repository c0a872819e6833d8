#!/bin/sh
# Run a scenario, stress by default, against a container of the web image with little memory, after a container
# of the worker image has trained its store; ends with PASS, FAIL or INVALID: benchmark/run.sh --help
set -eu
exec "$(dirname "$0")/run.sh" --container --scenario stress "$@"
