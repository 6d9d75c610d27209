#!/bin/sh
# build.sh OUT LDFLAGS   builds the program for the image, which is to stay below
# 60 MB, without what nobody would miss: libraries that no hot path runs through
# (clients of stores, the command line, drawing) are compiled
# without inlining, and of the twelve fonts that gonum.org/v1/plot brings along
# the program carries the one by which its charts measure texts.
set -eu
out=$1 ldflags=$2

made=/tmp/churn-build # the program names this folder: the same bytes every time
rm -rf "$made"
mkdir "$made"
trap 'rm -rf "$made"' EXIT
fonts=codeberg.org/go-fonts/liberation kept=liberationsansregular
cp -R "$(go list -m -f '{{.Dir}}' "$fonts")" "$made/fonts"
chmod -R u+w "$made/fonts"
for folder in "$made"/fonts/liberation*/; do
  name=${folder%/}
  name=${name##*/}
  [ "$name" = "$kept" ] && continue
  rm "$folder"*
  printf 'package %s\n\nimport "%s/%s"\n\nvar TTF = %s.TTF\n' "$name" "$fonts" "$kept" "$kept" >"$folder$name.go"
done
cp go.mod go.sum "$made"
go mod edit -replace "$fonts=$made/fonts" "$made/go.mod"

set --
for library in cloud.google.com codeberg.org github.com/AzureAD github.com/Azure github.com/aws github.com/golang-jwt github.com/googleapis \
  github.com/spf13 github.com/urfave go.opentelemetry.io gocloud.dev golang.org/x/image golang.org/x/oauth2 gonum.org/v1/plot google.golang.org; do
  set -- "$@" "-gcflags=$library/...=-l"
done
go build -trimpath -buildvcs=false -modfile "$made/go.mod" "$@" -ldflags "$ldflags" -o "$out" .
