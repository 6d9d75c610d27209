#!/usr/bin/env bash
# image.sh CONTEXT NAME:TAG [build options]
# Builds CONTEXT's Dockerfile with docker, or else with buildah. Modules that are
# in the module cache of this machine are not fetched, so that a build needs no
# network once the cache is warm and the base images are there.
set -euo pipefail
[[ $# -ge 2 ]] || { echo "usage: image.sh CONTEXT NAME:TAG [build options]" >&2; exit 64; }
context=$1 name=$2
shift 2

# seen says whether the engine is there and answers: a docker without its
# daemon is none.
seen() {
  case $1 in
    docker) docker version >/dev/null 2>&1 ;;
    buildah) command -v buildah >/dev/null ;;
  esac
}

engine=${IMAGE_ENGINE:-}
for e in docker buildah; do
  [[ -z $engine ]] && seen $e && engine=$e
done
[[ -n $engine ]] || { echo "image.sh: neither docker (with its daemon) nor buildah is here; install one" >&2; exit 1; }

modules=$PWD/.image/mod/cache/download
mkdir -p "$modules"
if [[ -f $context/go.mod ]] && command -v go >/dev/null; then
  cache=$(go env GOMODCACHE)/cache/download
  case $engine in
    buildah) modules=$cache ;; # is bound into the build as it is
    docker)                    # is sent to the daemon: only what this project needs
      GOMODCACHE=${modules%/cache/download} GOFLAGS=-modcacherw GOSUMDB=off GOWORK=off GOPROXY="file://$cache" \
        go -C "$context" mod download 2>/dev/null ||
        echo "image.sh: the module cache lacks some modules; the build fetches them" >&2 ;;
  esac
fi

case $engine in
  docker) # BuildKit, for the named context
    DOCKER_BUILDKIT=1 docker build --build-context "modules=$modules" --tag "$name" "$@" "$context" ;;
  buildah) # docker's format: the other one has no health check
    buildah build --format docker --build-context "modules=$modules" --tag "$name" "$@" "$context" ;;
esac
