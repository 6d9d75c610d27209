#!/usr/bin/env bash
# cluster-test.sh   the manifests on a real Kubernetes, from an empty cluster to
# one whose node is drained, with every request counted. `make cluster-test` calls
# it; docs/cluster-test.md has what it printed. It makes the namespace churn, and
# deletes it in the end unless KEEP=1.
#
#   KUBECTL        kubectl for the cluster (default: kubectl, and so KUBECONFIG)
#   CLUSTER_IMAGE  CONTEXT NAME:TAG [build options]: builds an image and makes it
#                  known to the nodes (default: cluster-image.sh, for kind, minikube,
#                  k3s, or a registry)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
read -ra KUBECTL <<<"${KUBECTL:-kubectl}"
read -ra CLUSTER_IMAGE <<<"${CLUSTER_IMAGE:-$here/cluster-image.sh}"
work=$(mktemp -d)
key=none

# --- words

began=$SECONDS
step() { printf '\n--- %d s: %s\n' $((SECONDS - began)) "$*"; }
ok() { printf 'ok: %s\n' "$*"; }
fail() {
  printf 'FAILED: %s\n' "$*" >&2
  k get pods,jobs -o wide >&2 || true
  exit 1
}
show() { # what a command prints, with the command
  case $1 in
    k) printf '$ kubectl -n churn %s\n' "${*:2}" ;;
    *) printf '$ %s\n' "$*" ;;
  esac
  "$@" 2>&1
}
k() { "${KUBECTL[@]}" -n churn "$@"; }
until_true() { # SECONDS WHAT COMMAND...
  local end=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < end)) || fail "$what did not happen"
    sleep 1
  done
}

# --- the cluster

# applied applies a folder. A warning of pod security is a failure: where it is
# only a warning for the Deployment, its pods are refused.
applied() {
  local said
  echo "\$ kubectl apply -k ${1/#$work/COPY}"
  said=$("${KUBECTL[@]}" apply -k "$1" 2>&1) || { echo "$said"; fail "apply -k $1"; }
  echo "$said"
  ! grep -qi '^warning' <<<"$said" || fail "apply -k $1 warns"
}
# variant makes a copy of the manifests with the API key of this test and a tag.
variant() { # TAG
  rm -rf "$work/deploy"
  cp -r deploy "$work/deploy"
  [[ ! -f $work/keys ]] || cp "$work/keys" "$work/deploy/base/api-keys.txt"
  sed -i "s/newTag: dev/newTag: $1/" "$work/deploy/kustomization.yaml"
}
pods() { k get pods -l app.kubernetes.io/component=serve --field-selector=status.phase=Running -o jsonpath='{range .items[*]}{.metadata.name}{"\n"}{end}'; }
churn() { k exec deploy/churn-serve -c serve -- /churn --config /etc/churn/config.yaml --log-level error "$@"; }
restarts() { k get pods -l app.kubernetes.io/component=serve -o jsonpath='{range .items[*]}{.metadata.name}{" "}{.status.containerStatuses[0].restartCount}{"\n"}{end}'; }
same_pods() { # WHAT; those of $before, none restarted
  [[ $(restarts) == "$before" ]] || fail "$1: pods were $before, are $(restarts)"
  ok "$1: the same pods, none restarted"
}
version_of() { k exec "$1" -c serve -- /churn healthcheck | sed 's/.*"model_version":"\([^"]*\)".*/\1/'; }
all_serve() { # VERSION
  local pod
  for pod in $(pods); do [[ $(version_of "$pod") == "$1" ]] || return 1; done
}
production() { churn --json registry list | sed -n 's/.*"production": *"\([^"]*\)".*/\1/p' | sed -n 1p; }
# job runs a CronJob's Job now and waits for its end.
job() { # NAME CRONJOB
  show k create job "$1" --from="cronjob/$2"
  until_true 900 "the end of job $1" ended "$1"
  show k logs "job/$1" --all-containers --prefix=false --tail=12 | grep -v '^time=\|^{"time"' || true
}
ended() { [[ -n $(k get job "$1" -o jsonpath='{.status.conditions[?(@.status=="True")].type}') ]]; }
outcome() { k get job "$1" -o jsonpath='{range .status.conditions[?(@.status=="True")]}{.type} {end}'; }
succeeded() { [[ $(outcome "$1") == *Complete* ]] || fail "job $1: $(outcome "$1")"; ok "job $1 is complete"; }
new_data() { show churn --set "generate.days=$1" --set "generate.drift=$2" generate; }

# digest is that of the latest predictions on the volume.
digest() {
  k delete pod sums --ignore-not-found --wait >/dev/null
  k apply -f "$here/sums.yaml" >/dev/null
  until_true 60 "a digest" finished sums
  k logs sums
}

# --- the load

targets() {
  cat >"$work/predict.json" <<<'{"user_id":"u1","features":{"plan":"free","days_since_last_activity":12,"active_days_30d":4}}'
  for url in http://churn-serve:8080 http://127.0.0.1:8080; do
    printf '%s\n' "POST $url/predict" 'Content-Type: application/json' "X-API-Key: $key" '@/targets/predict.json' '' \
      "GET $url/users?limit=5" "X-API-Key: $key" '' >"$work/targets-${url//[^0-9]/}"
  done
  k create secret generic churn-load --from-file=targets="$work/targets-8080" --from-file=local="$work/targets-1270018080" \
    --from-file=predict.json="$work/predict.json" --dry-run=client -o yaml | k apply -f - >/dev/null
}
load() { # NAME RATE SECONDS [BODY]
  k delete pod "$1" --ignore-not-found --wait >/dev/null
  sed "s/@NAME@/$1/; s/@RATE@/$2/; s/@SECONDS@/$3/; s/@BODY@/${4:-0}/" "$here/load.yaml" | k apply -f - >/dev/null
}
loading() { k get pod "$1" -o jsonpath='{.status.initContainerStatuses[0].state.running.startedAt}' | grep . ; }
loaded() { # NAME; until it has begun, and its first requests are under way
  until_true 120 "the load $1" loading "$1"
  sleep 3
}
finished() { [[ $(k get pod "$1" -o jsonpath='{.status.phase}') == Succeeded ]]; }
# counted prints how many requests there were, and how many were not answered
# with 200.
counted() { # NAME
  until_true 600 "the end of the load $1" finished "$1"
  k logs "$1" -c report >"$work/report"
  requests=$(sed -n 's/^Requests .*\] *\([0-9]*\),.*/\1/p' "$work/report")
  answered=$(sed -n 's/^Status Codes .*[^0-9]200:\([0-9]*\).*/\1/p' "$work/report")
  failed=$((requests - ${answered:-0}))
  grep -E '^(Requests|Latencies|Status Codes)' "$work/report"
  printf '%s: %d requests, %d failed\n' "$1" "$requests" "$failed"
}
none_failed() { # NAME
  counted "$1"
  ((requests > 0 && failed == 0)) || { cat "$work/report"; fail "$1: $failed of $requests requests failed"; }
  ok "no request failed"
}
bodies() { k logs "$1" -c answers | sed -n 's/.*"code":200,.*"body":"\([^"]*\)".*/\1/p' | while read -r body; do base64 -d <<<"$body"; echo; done; }
# admitted: one request is let in; the key file has reached all pods.
admitted() {
  load one 5 1
  until_true 60 "an answer" finished one
  counted one && ((failed == 0))
}

# --- the test

cleanup() {
  [[ -n ${cordoned:-} ]] && "${KUBECTL[@]}" uncordon "$cordoned" >/dev/null 2>&1
  [[ ${KEEP:-} == 1 ]] || "${KUBECTL[@]}" delete namespace churn --ignore-not-found --wait=false >/dev/null 2>&1
  rm -rf "$work"
}
trap cleanup EXIT
"${KUBECTL[@]}" version 2>/dev/null | grep Server
! k get pods -o name 2>/dev/null | grep -q . || fail "the namespace churn is in use on this cluster; delete it first"

step "images"
"${CLUSTER_IMAGE[@]}" . churn:dev --build-arg VERSION=cluster-test-1 >"$work/image.log" 2>&1 || { tail -20 "$work/image.log"; fail "churn:dev"; }
"${CLUSTER_IMAGE[@]}" . churn:next --build-arg VERSION=cluster-test-2 >"$work/image.log" 2>&1 || { tail -20 "$work/image.log"; fail "churn:next"; }
"${CLUSTER_IMAGE[@]}" "$TOOLS" churn-test:dev -f "$here/Dockerfile" >"$work/image.log" 2>&1 || { tail -20 "$work/image.log"; fail "churn-test:dev"; }
ok "churn:dev, churn:next and churn-test:dev are built and loaded"

step "a fresh apply converges by itself"
applied deploy
ok "no warning of pod security"
until_true 300 "churn-serve alive without a model" bash -c "[[ \$(${KUBECTL[*]} -n churn get pods -l app.kubernetes.io/component=serve -o jsonpath='{.items[*].status.containerStatuses[0].started}') == 'true true' ]]"
show k get pods
until_true 1200 "the end of the seed" ended churn-seed
succeeded churn-seed
show k logs job/churn-seed --tail=12
show k rollout status deployment/churn-serve --timeout=120s
show k get deployment,pods,job,cronjob,hpa,pdb,pvc
before=$(restarts)
[[ $(awk '{s += $2} END {print s}' <<<"$before") == 0 ]] || fail "pods restarted while they waited: $before"
ok "no pod restarted while it waited for the seed"

step "an API key, without a restart"
targets
load one 5 1
counted one
((failed == requests)) || fail "the example key file lets somebody in"
ok "the example lets nobody in"
churn --json key new cluster-test --scopes predict,read >"$work/key.json"
key=$(sed -n 's/.*"key": *"\([^"]*\)".*/\1/p' "$work/key.json")
sed -n 's/.*"line": *"\([^"]*\)".*/\1/p' "$work/key.json" >"$work/keys"
targets
variant dev
applied "$work/deploy" | sed "/unchanged$/d"
until_true 300 "the key in force" admitted
same_pods "keys"

step "a prediction through the Service"
load answer 2 1 -1
none_failed answer
bodies answer >"$work/bodies"
cut -c1-300 "$work/bodies"
grep -q '^{"user_id":"u1","churn_risk":0\.' "$work/bodies" || fail "no prediction"

step "new data, scored and watched: a drift that shows as a failed Job"
new_data 373 acquisition@2026-01-06
job score-1 churn-score
succeeded score-1
job monitor-1 churn-monitor
show k get job monitor-1
k get job monitor-1 -o jsonpath='{range .status.conditions[?(@.type=="Failed")]}{.reason}: {.message}{"\n"}{end}'
[[ $(outcome monitor-1) == *Failed* ]] || fail "the alarm does not show: $(outcome monitor-1)"
[[ $(k get pods -l job-name=monitor-1 -o jsonpath='{.items[*].status.containerStatuses[0].state.terminated.exitCode}') == 2 ]] || fail "not one pod with exit code 2"
ok "one pod, exit code 2, not tried again"

step "and, by policy, a retrain"
job drift-1 churn-retrain-on-drift
succeeded drift-1

step "a retrain under load: promoted or held, and followed without a restart"
new_data 540 engagement@2026-01-02
load retrain 20 120
loaded retrain
job retrain-1 churn-retrain
succeeded retrain-1
was=$(production)
latest=$(churn --json registry list | sed -n 's/.*"version": *"\(v[0-9]*\)".*/\1/p' | sort | tail -1)
printf 'in production: %s, latest: %s\n' "$was" "$latest"
[[ $latest != v0002 ]] || fail "the retrain made no version"
if [[ $was != "$latest" ]]; then
  echo "held: promoted by hand, so that there is something to follow"
  show churn promote "$latest" --force --reason "cluster test" | sed -n 1,2p
fi
until_true 30 "churn-serve follows to $latest" all_serve "$latest"
ok "every pod serves $latest"
none_failed retrain
same_pods "retrain"

step "roll back under load"
load rollback 50 25
loaded rollback
show churn registry rollback --reason "cluster test"
back=$(production)
[[ $back != "$latest" ]] || fail "nothing was rolled back"
until_true 30 "churn-serve follows to $back" all_serve "$back"
ok "every pod serves $back again"
none_failed rollback
same_pods "rollback"

step "shards: an Indexed Job writes what one process writes"
show k create job shards-1 --from=cronjob/churn-score-shards
until_true 300 "the end of job shards-1" ended shards-1
show k logs -l job-name=shards-1 --prefix --tail=3 | grep -v 'time=\|{"time"'
succeeded shards-1
digest | tee "$work/shards"
job score-2 churn-score
succeeded score-2
digest | tee "$work/one"
cmp "$work/one" "$work/shards" || fail "shards and one process differ"
ok "the same bytes"

step "a rolling update of the image under load"
load update 50 75
loaded update
variant next
show k delete job churn-seed --ignore-not-found # a Job cannot be changed
applied "$work/deploy" | sed "/unchanged$/d"
show k rollout status deployment/churn-serve --timeout=180s
churn version
[[ $(churn version) == *cluster-test-2* ]] || fail "the image is the old one"
none_failed update

step "a changed setting is a rolling update, and a fault in it does not get through"
variant next
echo 'CHURN_SCORE_REASONS=99' >>"$work/deploy/base/cluster.env"
load setting 50 40
loaded setting
k delete job churn-seed --ignore-not-found >/dev/null
applied "$work/deploy" | sed "/unchanged$/d"
until_true 60 "a pod that refuses the setting" bash -c "${KUBECTL[*]} -n churn get pods -l app.kubernetes.io/component=serve -o jsonpath='{.items[*].status.containerStatuses[0].lastState.terminated.exitCode}' | grep -w 78"
show k get pods -l app.kubernetes.io/component=serve
show k rollout undo deployment/churn-serve
show k rollout status deployment/churn-serve --timeout=120s
none_failed setting
variant next
k delete job churn-seed --ignore-not-found >/dev/null
applied "$work/deploy" | sed "/unchanged$/d"
k rollout status deployment/churn-serve --timeout=120s

step "a pod deleted under load"
load deleted 50 40
loaded deleted
show k delete pod "$(pods | sed -n 1p)" --wait=false
none_failed deleted
k rollout status deployment/churn-serve --timeout=120s

step "a pod killed under load"
load killed 50 40
loaded killed
show k delete pod "$(pods | sed -n 1p)" --grace-period=0 --force
counted killed
((failed <= requests / 50)) || fail "more than 2% of the requests failed"
[[ $failed == 0 ]] || grep -A5 '^Error Set' "$work/report"
k rollout status deployment/churn-serve --timeout=120s
ok "$failed of $requests requests failed; two pods are ready again"

step "a node drained against the budget, under load"
node=$(k get pod "$(pods | sed -n 1p)" -o jsonpath='{.spec.nodeName}')
cordoned=$node
load drained 50 60
loaded drained
show k get pdb churn-serve
"${KUBECTL[@]}" drain "$node" --ignore-daemonsets --delete-emptydir-data --timeout=40s --pod-selector=app.kubernetes.io/component=serve 2>&1 | sort | uniq -c | sort -rn || true
show k get pods -l app.kubernetes.io/component=serve
"${KUBECTL[@]}" uncordon "$node"
cordoned=
none_failed drained
show k rollout status deployment/churn-serve --timeout=120s

step "a full volume"
k apply -f "$here/full-volume.yaml" >/dev/null
until_true 300 "a server on a volume of 64 MiB" bash -c "[[ \$(${KUBECTL[*]} -n churn get pod churn-full -o jsonpath='{.status.containerStatuses[?(@.name==\"serve\")].ready}') == true ]]"
inside() { k exec churn-full -c serve -- /churn --log-level error "$@"; }
show k exec churn-full -c tools -- /probe fill /var/lib/churn/filler
if show inside score; then fail "scoring onto a full volume succeeded"; fi
if show inside retrain --force; then fail "a retrain onto a full volume succeeded"; fi
show inside healthcheck
ok "it fails with a reason, and what is served goes on"
show k exec churn-full -c tools -- /probe free /var/lib/churn/filler
show inside score
show inside registry verify | tail -3
k exec churn-full -c tools -- /vegeta report /out/results | grep -E '^(Requests|Status)'
[[ $(k get pod churn-full -o jsonpath='{.status.containerStatuses[*].restartCount}') == "0 0" ]] || fail "a container restarted"
ok "with space, the same command succeeds; no container restarted"

step "in the end"
show k get deployment,pods,jobs,hpa,pdb
printf '\npassed in %d s\n' $((SECONDS - began))
