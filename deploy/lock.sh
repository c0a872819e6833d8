#!/bin/sh
# Pin and hash the requirements files; each takes the versions that the smaller files have pinned.
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
compile -c requirements-extra.txt requirements-sources.in -o requirements-sources.txt
compile -c requirements.txt requirements-dask.in -o requirements-dask.txt
compile -c requirements.txt requirements-benchmark.in -o requirements-benchmark.txt
# Installed without dependencies: make quality reads the files in these packages, and imports neither.
compile --no-deps requirements-quality.in -o requirements-quality.txt
compile -c requirements-extra.txt -c requirements-sources.txt -c requirements-dask.txt -c requirements-granian.txt \
  -c requirements-benchmark.txt requirements-dev.in -o requirements-dev.txt
compile requirements-fuzz.in -o requirements-fuzz.txt
# Schemathesis runs in an environment of its own, so that no version pinned above restricts it.
compile tests/integration/schemathesis.in -o tests/integration/schemathesis.txt
