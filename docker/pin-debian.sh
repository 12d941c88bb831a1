#!/bin/sh
# Takes Debian's packages from snapshot.debian.org, as they were at one moment. Runs while the image is built.
#
# usage: pin-debian MOMENT        such as 20260701T000000Z; empty changes nothing
set -eu
[ -n "$1" ] || exit 0
case $1 in
  [0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]T[0-9][0-9][0-9][0-9][0-9][0-9]Z) ;;
  *) echo "pin-debian: '$1' is not a moment like 20260701T000000Z" >&2; exit 1 ;;
esac
. /etc/os-release
# Plain HTTP: the base has no certificates yet, and apt verifies the archive's signatures by itself. A snapshot's
# lists are older than apt accepts of a living archive.
rm -f /etc/apt/sources.list /etc/apt/sources.list.d/*
for suite in "$VERSION_CODENAME debian" "$VERSION_CODENAME-updates debian" "$VERSION_CODENAME-security debian-security"; do
  set -- "$1" $suite
  echo "deb [check-valid-until=no] http://snapshot.debian.org/archive/$3/$1 $2 main"
done > /etc/apt/sources.list
