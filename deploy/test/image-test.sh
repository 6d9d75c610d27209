#!/usr/bin/env bash
# image-test.sh   builds the Dockerfile with buildah without any registry, and
# looks at the image that comes out. The base images are stand-ins made here: Go
# is the one of this machine, the other base is empty but for certificates and a
# user. Everything lies in .image. It needs root, or a user namespace that
# buildah can make; where buildah cannot work at all it says so and skips.
set -euo pipefail
cd "$(dirname "$0")/../.."
limit=$((60 * 1000 * 1000)) # bytes of the image
root=$PWD/.image
name=churn:test version=v0.0.0-image-test
mkdir -p "$root/tmp"
export TMPDIR=$root/tmp BUILDAH_ISOLATION=chroot

skip() {
  echo "image-test: SKIPPED: $*"
  exit 0
}
fail() {
  echo "image-test: $*" >&2
  exit 1
}
check() { # WHAT COMMAND...
  local what=$1
  shift
  "$@" >/dev/null || fail "$what"
  echo "image-test: ok: $what"
}

command -v buildah >/dev/null || skip "buildah is not installed"
command -v go >/dev/null || skip "Go is not installed"
# A storage of its own, whose plain driver works on any file system; image.sh calls
# buildah through this too.
cat >"$root/storage.conf" <<C
[storage]
driver = "vfs"
graphroot = "$root/storage"
runroot = "$root/run"
C
cat >"$root/policy.json" <<'C'
{"default": [{"type": "insecureAcceptAnything"}]}
C
export CONTAINERS_STORAGE_CONF=$root/storage.conf
probe=$(buildah --signature-policy "$root/policy.json" from scratch 2>&1) || skip "buildah cannot work here: $probe"
mounted=$(buildah mount "$probe" 2>&1) || skip "buildah cannot mount here: $mounted"
trap 'buildah rm --all >/dev/null 2>&1 || true' EXIT

# with_shell copies the shell of this machine, what deploy/build.sh calls, and what
# they are linked with.
with_shell() {
  local file
  mkdir -p "$1/bin" "$1/usr/bin"
  for command in sh mkdir cp rm chmod; do
    file=$(readlink -f "$(command -v $command)")
    cp "$file" "$1/bin/$command"
    ldd "$file" | grep -o '/[^ ]*' | while read -r library; do
      mkdir -p "$1$(dirname "$library")"
      cp -Ln "$library" "$1$library" 2>/dev/null || true
    done
  done
}
stand_in() { # NAME FUNCTION
  local c m
  c=$(buildah from scratch)
  m=$(buildah mount "$c")
  mkdir -p "$m"/{etc/ssl/certs,tmp,root}
  chmod 1777 "$m/tmp"
  [[ ! -e /etc/ssl/certs/ca-certificates.crt ]] || cp -L /etc/ssl/certs/ca-certificates.crt "$m/etc/ssl/certs/"
  printf 'root:x:0:0::/root:/bin/sh\nnonroot:x:65532:65532::/home/nonroot:/bin/false\n' >"$m/etc/passwd"
  "$2" "$m" "$c"
  buildah umount "$c" >/dev/null
  buildah commit --signature-policy "$root/policy.json" --quiet --rm "$c" "$1" >/dev/null
}
golang() {
  with_shell "$1"
  mkdir -p "$1/usr/local/go" "$1/go"
  buildah config --env PATH=/usr/local/go/bin:/bin --env GOPATH=/go --env GOTOOLCHAIN=local --env GOCACHE=/var/cache/go-build "$2"
}
static() { buildah config --user 65532 "$2"; }
stand_in localhost/stand-in/golang golang
stand_in localhost/stand-in/static static

# The Go of this machine and its cache are bound into the build; with GOPROXY=off
# it fails if it has to fetch anything.
IMAGE_ENGINE=buildah deploy/image.sh . $name --pull-never --layers=false --quiet \
  --signature-policy "$root/policy.json" --iidfile "$root/id" \
  --volume "$(go env GOROOT):/usr/local/go:ro" --volume "$(go env GOCACHE):/var/cache/go-build" \
  --build-arg GOPROXY=off --build-arg GO_IMAGE=localhost/stand-in/golang --build-arg BASE_IMAGE=localhost/stand-in/static \
  --build-arg VERSION=$version >"$root/build.log" 2>&1 || { cat "$root/build.log" >&2; fail "the Dockerfile does not build"; }

image=$(cat "$root/id")
of() { buildah inspect --type image --format "{{.Docker.Config.$1}}" "$image"; }
c=$(buildah from --pull-never "$image")
m=$(buildah mount "$c")
size=$(du -sb "$m" | cut -f1)
echo "image-test: $size bytes, $(stat -c %s "$m/churn") of them the program"
check "at most $limit bytes" test "$size" -le $limit
check "its user is not root" test "$(of User)" = 65532:65532
check "the program is what starts" test "$(of Entrypoint)" = "[/churn]"
check "it serves unless told otherwise" test "$(of Cmd)" = "[serve]"
check "it asks itself how it does" grep -qF "[CMD /churn healthcheck]" <<<"$(of Healthcheck)"
check "it has labels" grep -qF "org.opencontainers.image.version:$version" <<<"$(of Labels)"
check "certificates are inside" test -s "$m/etc/ssl/certs/ca-certificates.crt"
check "the program needs nothing of the system" bash -c "! ldd '$m/churn' 2>/dev/null | grep -q '=>'"
check "its version is stamped" bash -c "'$m/churn' version | grep -qF 'churn $version '"
check "its folder is the user's" test "$(stat -c %u "$m/var/lib/churn")" = 65532

# The program in the image, as its user, with nothing but the image and a folder.
refused() { ! in_image healthcheck 2>/dev/null; }
in_image() { buildah run --user 65532:65532 "$c" -- /churn "$@"; }
check "run-all works inside, in a time zone" in_image --set source.timezone=America/Sao_Paulo --set generate.users=1000 run-all
check "the health check fails without a server" refused
echo "image-test: passed"
