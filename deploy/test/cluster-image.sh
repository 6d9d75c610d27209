#!/usr/bin/env bash
# cluster-image.sh CONTEXT NAME:TAG [build options]
# Builds an image and makes it known to the nodes of the cluster that kubectl
# talks to: of kind, minikube and k3s (on this machine) directly. For others push
# the images churn and churn-test to a registry yourself, name it in an overlay, and set
# CLUSTER_IMAGE to a command that does.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
name=$2
"$here/../image.sh" "$@"
context=$(kubectl config current-context)
tar=$(mktemp)
trap 'rm -f "$tar"' EXIT
if docker image inspect "$name" >/dev/null 2>&1; then
  docker save --output "$tar" "$name"
else
  rm "$tar" # buildah wants to make it
  buildah push --quiet "$name" "docker-archive:$tar:$name"
fi
case $context in
  kind-*) kind load image-archive "$tar" --name "${context#kind-}" ;;
  minikube*) minikube image load "$tar" --profile "$context" ;;
  *k3s* | default) k3s ctr images import "$tar" ;;
  *) echo "cluster-image.sh: how do the nodes of $context get images? Set CLUSTER_IMAGE" >&2; exit 1 ;;
esac
