#!/bin/sh
# Play a scenario, stress unless told otherwise, against the web image's container with little memory,
# after a worker's has trained what it serves; say PASS, FAIL or INVALID: benchmark/run.sh --help
set -eu
exec "$(dirname "$0")/run.sh" --container --scenario stress "$@"
