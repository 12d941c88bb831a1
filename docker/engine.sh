#!/usr/bin/env bash
# Makes sure that a Docker engine answers: where there is none, installs Debian's and starts it.
# Exit code 0: an engine answers. 1: none can be started here; the one line printed says why.
set -euo pipefail
log=/var/log/evenface-dockerd.log

answers() { docker info >/dev/null 2>&1; }
give_up() {
  echo "engine: no Docker engine here: $1" >&2
  exit 1
}

if command -v docker >/dev/null && answers; then
  echo "engine: Docker $(docker version --format '{{.Server.Version}}') answers"
  exit 0
fi
[ "$(id -u)" = 0 ] || give_up "starting one needs root; start Docker and try again"

if ! command -v dockerd >/dev/null || ! command -v docker >/dev/null; then
  command -v apt-get >/dev/null || give_up "it is not installed and this is not Debian; install Docker"
  export DEBIAN_FRONTEND=noninteractive
  { apt-get update -qq && apt-get install -y -qq --no-install-recommends docker.io; } >/dev/null 2>&1 ||
    give_up "Debian's package docker.io can't be installed; run apt-get install docker.io to see why"
fi
answers && exit 0

# A killed engine leaves its process ID behind, and the next one then refuses to start.
if [ -f /run/docker.pid ] && ! kill -0 "$(cat /run/docker.pid)" 2>/dev/null; then
  rm -f /run/docker.pid
fi
setsid dockerd >"$log" 2>&1 </dev/null &
engine=$!
for _ in $(seq 60); do
  if answers; then
    echo "engine: started Docker $(docker version --format '{{.Server.Version}}')"
    exit 0
  fi
  kill -0 "$engine" 2>/dev/null || break
  sleep 1
done
kill "$engine" 2>/dev/null || true
give_up "dockerd did not start ($(tail -n 1 "$log" | tr -d '\n')); see $log"
