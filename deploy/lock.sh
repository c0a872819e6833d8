#!/bin/sh
# Pin and hash each requirements file, each within what the smaller one has pinned.
set -eu
uv=$1
compile() {
  "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
    --no-emit-index-url "$@"
}
compile requirements-web.in -o requirements-web.txt
compile -c requirements-web.txt requirements.in -o requirements.txt
compile -c requirements-web.txt requirements-granian.in -o requirements-granian.txt
compile -c requirements.txt requirements-extra.in -o requirements-extra.txt
compile -c requirements.txt requirements-dask.in -o requirements-dask.txt
compile -c requirements.txt requirements-benchmark.in -o requirements-benchmark.txt
compile -c requirements-extra.txt -c requirements-dask.txt -c requirements-granian.txt \
  -c requirements-benchmark.txt requirements-dev.in -o requirements-dev.txt
# An environment of its own, so that nothing of ours binds it.
compile tests/integration/schemathesis.in -o tests/integration/schemathesis.txt
