#!/usr/bin/env bash
# Makes sure that the base image is available: pulls it, or builds a stand-in from Debian's packages
# where no image registry can be reached. The stand-in trusts the authorities that this machine trusts.
#
# usage: docker/base-image.sh [IMAGE]        default: debian:bookworm-slim
set -euo pipefail
base=${1:-debian:bookworm-slim}

if docker image inspect "$base" >/dev/null 2>&1; then
  echo "base-image: $base is here"
  exit 0
fi
# An unreachable registry may not answer at all, so the wait is bounded.
if timeout "${PULL_TIMEOUT_SECONDS:-60}" docker pull --quiet "$base" 2>/dev/null; then
  exit 0
fi

if [ "$base" != debian:bookworm-slim ]; then
  echo "base-image: $base can't be pulled, and only debian:bookworm-slim has a stand-in: check the name" >&2
  exit 1
fi
if [ "$(id -u)" != 0 ]; then
  echo "base-image: $base can't be pulled, and its stand-in needs root: run this as root" >&2
  exit 1
fi
if ! command -v debootstrap >/dev/null; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends debootstrap >/dev/null
fi

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
echo "base-image: $base can't be pulled; building a stand-in with debootstrap"
if ! debootstrap --variant=minbase --include=ca-certificates bookworm "$root" >"$root.log" 2>&1; then
  tail -n 20 "$root.log" >&2
  exit 1
fi
rm -f "$root.log"
cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/usr/share/{doc,man,locale}/*
tar --directory "$root" --create . | docker import - "$base" >/dev/null
echo "base-image: built $base"
