#!/bin/sh
# Build the images, all or those that TARGETS names, with podman or docker: make images
set -eu
cd "$(dirname "$0")/.."
for engine in ${CONTAINER_ENGINE:-podman docker}; do
  "$engine" info >/dev/null 2>&1 && break || engine=
done
case $engine in
  "") echo "${CONTAINER_ENGINE:-podman or docker} does not work here: CONTAINER_ENGINE names another" >&2; exit 2 ;;
  # Its own format has no health checks. Without times, equal contents are equal images.
  *podman) options="--format docker --timestamp 0" ;;
  *) options="" ;;
esac
for target in ${TARGETS:-web worker benchmark}; do
  # shellcheck disable=SC2086  several words
  "$engine" build $options --target "$target" --tag "veilleuse-$target" --file Dockerfile.slim "$@" .
done
