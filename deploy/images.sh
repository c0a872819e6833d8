#!/bin/sh
# Build the images that TARGETS names, all by default, with podman or docker: make images
set -eu
cd "$(dirname "$0")/.."
for engine in ${CONTAINER_ENGINE:-podman docker}; do
  "$engine" info >/dev/null 2>&1 && break || engine=
done
case $engine in
  "") echo "CONTAINER_ENGINE: ${CONTAINER_ENGINE:-podman or docker} does not work here; install one, or set CONTAINER_ENGINE to another" >&2; exit 2 ;;
  # Podman's own format has no health checks. Without times, equal contents give equal images.
  *podman) options="--format docker --timestamp 0" ;;
  *) options="" ;;
esac
for target in ${TARGETS:-web worker benchmark}; do
  # shellcheck disable=SC2086  $options is several words
  "$engine" build $options --target "$target" --tag "veilleuse-$target" --file Dockerfile.slim "$@" .
done
