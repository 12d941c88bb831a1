#!/usr/bin/env bash
# Builds one target of the image, labelled with its version, its revision and the sources it holds.
#
# usage: docker/build.sh [cpu|gpu] [docker build options]     IMAGE=evenface TAG=cpu by default
set -euo pipefail
cd "$(dirname "$0")/.."
target=${1:-cpu}
shift || true

version=$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
if [ "$revision" != unknown ] && [ -n "$(git status --porcelain 2>/dev/null)" ]; then
  revision="$revision-modified"
fi
# pipeline/platforms/local/docker_image.py computes the same digest and refuses an image that holds other sources.
sources=$(
  find components pipeline docker/Dockerfile docker/install.sh docker/pin-debian.sh "docker/requirements-$target.txt" -type f \
    -not -path '*/.*' -not -path '*/__pycache__/*' -print0 |
    LC_ALL=C sort --zero-terminated | xargs -0 sha256sum | sha256sum | cut -c -16
)

docker build --file docker/Dockerfile --target "$target" --tag "${IMAGE:-evenface}:${TAG:-$target}" \
  --build-arg VERSION="$version" --build-arg REVISION="$revision" --build-arg SOURCES="$sources" "$@" .
