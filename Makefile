# Everything about the project that is more than one command. `make help` lists
# the targets. A fresh machine needs Go and make, nothing else.
export CGO_ENABLED := 0
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X churn/internal/cli.version=$(VERSION)
FUZZTIME ?= 5s

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## */  \1\t/' | expand -t 16

.PHONY: run
run: build ## build, and run the main job on simulated data
	./bin/churn run-all

.PHONY: demo-drift
demo-drift: build ## quiet, drift, alarm, retrain, recovery on simulated data, and the page about it; takes a minute or two
	go run ./bench/demo -churn ./bin/churn

VEGETA := v12.13.0

.PHONY: build
build: ## bin/churn: static and stripped, its version from git
	go build -trimpath -ldflags '$(LDFLAGS)' -o bin/churn .

IMAGE ?= churn:dev
.PHONY: image
image: ## the container image IMAGE (churn:dev), by docker or buildah, offline if modules and base images are there
	deploy/image.sh . $(IMAGE) --build-arg VERSION=$(VERSION) --build-arg REVISION=$$(git rev-parse HEAD 2>/dev/null || echo unknown) \
	  --build-arg CREATED=$$(git log -1 --format=%cI 2>/dev/null || echo 1970-01-01T00:00:00Z)

.PHONY: image-test
image-test: ## build the Dockerfile on stand-in base images, without a registry, and look at what comes out (needs buildah, skips without)
	deploy/test/image-test.sh

.PHONY: deploy-config
deploy-config: ## copy config.yaml to where kustomize may read it; a test holds the two equal
	cp config.yaml deploy/base/config.yaml

# What the cluster test needs beside the image: a load generator, and a program
# that fills volumes.
.PHONY: cluster-test
cluster-test: .bench/bin/vegeta-$(VEGETA) ## the manifests on the cluster of KUBECONFIG, under load: docs/cluster-test.md (needs docker or buildah, and kubectl)
	mkdir -p .image/tools
	cp .bench/bin/vegeta-$(VEGETA) .image/tools/vegeta
	go build -trimpath -o .image/tools/probe ./deploy/test/probe
	TOOLS=.image/tools deploy/test/cluster-test.sh

.PHONY: test
test: ## all tests
	go test -timeout 30m ./...

.PHONY: docs-test
docs-test: build ## every command of README.md and docs/ that is not marked otherwise, and what it prints (needs curl)
	go run ./internal/docstest -churn ./bin/churn README.md docs/*.md docs/adr/*.md

.PHONY: check
check: lint test-race fuzz-seeds ## what must hold before a change lands

.PHONY: lint
lint: format vet staticcheck tidy ## what a reader of the code would find first

.PHONY: format
format: ## fails if gofmt would change a file
	@files=$$(gofmt -l .); test -z "$$files" || { echo "gofmt would change:"; echo "$$files"; exit 1; }

.PHONY: vet
vet: ## go vet
	go vet ./...

.PHONY: staticcheck
staticcheck: ## staticcheck, of the version in go.mod
	go tool staticcheck ./...

.PHONY: tidy
tidy: ## fails if go mod tidy would change go.mod or go.sum
	go mod tidy -diff

.PHONY: test-race
test-race: ## all tests, the import table among them, with the race detector and in random order
	CGO_ENABLED=1 go test -race -shuffle=on -timeout 30m ./...

.PHONY: test-kill
test-kill: ## kills at random moments of promote, rollback, gc, retrain and score --shard
	CHURN_TEST_KILLS=75 go test -count=1 -timeout 30m -run '^TestKill(Re|Shards)' ./internal/cli

.deploy/venv/complete: .ci/deploy/requirements.txt
	rm -rf .deploy/venv
	python3 -m venv .deploy/venv
	.deploy/venv/bin/pip install --quiet --disable-pip-version-check -r $<
	touch $@

ACTIONLINT := v1.7.12
.PHONY: deploy-check
deploy-check: build .deploy/venv/complete .clients/promtool ## manifests, rules, dashboards, workflows and scripts against types, tests and the real program, without a cluster (needs Python, pip and Debian)
	CHURN_BINARY=$(CURDIR)/bin/churn go -C .ci/deploy test ./...
	go -C .ci/deploy vet ./...
	go -C .ci/deploy run . -repo $(CURDIR) -churn $(CURDIR)/bin/churn
	.clients/promtool check config deploy/monitoring/prometheus.yml
	cd deploy/monitoring && $(CURDIR)/.clients/promtool check rules rules.yml && $(CURDIR)/.clients/promtool test rules rules_test.yml rules_days_test.yml
	.deploy/venv/bin/yamllint --strict -c .ci/deploy/yamllint.yml $$(git ls-files '*.yml' '*.yaml')
	.deploy/venv/bin/shellcheck $$(git ls-files | xargs -d '\n' awk 'FNR == 1 && /^#!.*sh$$/ { print FILENAME } { nextfile }')
	PATH=$(CURDIR)/.deploy/venv/bin:$$PATH go run github.com/rhysd/actionlint/cmd/actionlint@$(ACTIONLINT)

.PHONY: monitoring-rules
monitoring-rules: ## deploy/monitoring/prometheusrule.yaml anew, from rules.yml
	@cd deploy/monitoring && { \
	  echo '# Made from rules.yml by `make monitoring-rules`.'; \
	  echo 'apiVersion: monitoring.coreos.com/v1'; echo 'kind: PrometheusRule'; \
	  echo 'metadata:'; echo '  name: churn'; echo '  labels:'; echo '    app.kubernetes.io/name: churn'; \
	  echo 'spec:'; sed -n '/^groups:/,$$p' rules.yml | sed -E 's/^(.)/  \1/'; } > prometheusrule.yaml

VERSITYGW := v1.8.0
.s3/bin/versitygw-$(VERSITYGW):
	GOBIN=$(CURDIR)/.s3/bin go install github.com/versity/versitygw/cmd/versitygw@$(VERSITYGW)
	mv .s3/bin/versitygw $@

.PHONY: test-s3
test-s3: .s3/bin/versitygw-$(VERSITYGW) ## the suites of the store and the registry on a real S3 server, killed in the middle of writes too
	CHURN_TEST_VERSITYGW=$(CURDIR)/$< go test -count=1 -run S3 ./registry/...

.PHONY: postgres-test
postgres-test: ## the parity of source.kind: postgres with files, on a PostgreSQL of its own (needs Debian's postgresql)
	.ci/postgres/run go test -count=1 -run Postgres ./internal/parity

.PHONY: trino-test
trino-test: ## the parity of source.kind: trino with files, on a Trino of its own (needs Debian's maven and openjdk-17-jdk-headless)
	.ci/trino/run go test -count=1 -run 'Trino$$' ./internal/parity

# Of what chdb would bring along nothing is needed.
.clickhouse/venv/complete: .ci/clickhouse/requirements.txt
	rm -rf .clickhouse/venv
	python3 -m venv .clickhouse/venv
	.clickhouse/venv/bin/pip install --quiet --disable-pip-version-check --no-deps -r $<
	touch $@

.PHONY: clickhouse-test
clickhouse-test: .clickhouse/venv/complete ## the parity of source.kind: clickhouse with files, on the embedded engine of ClickHouse (needs Python and pip)
	.ci/clickhouse/run .clickhouse/venv/bin/python go test -count=1 -run ClickHouse ./internal/parity

.clients/venv/complete: .ci/clients/requirements.txt
	rm -rf .clients/venv
	python3 -m venv .clients/venv
	.clients/venv/bin/pip install --quiet --disable-pip-version-check -r $<
	touch $@

# Debian's package, unpacked: its installation would start a Prometheus. go
# install makes one too, in minutes.
.clients/promtool:
	mkdir -p .clients/deb
	cd .clients/deb && apt-get download prometheus && dpkg-deb --extract prometheus_*.deb .
	mv .clients/deb/usr/bin/promtool $@
	rm -rf .clients/deb

.PHONY: test-clients
test-clients: build .clients/venv/complete .clients/promtool ## churn serve against curl, promtool, schemathesis and the clients of Triton and KServe (needs Python, pip, curl and Debian)
	BIN=$(CURDIR)/bin/churn VENV=$(CURDIR)/.clients/venv PROMTOOL=$(CURDIR)/.clients/promtool .ci/clients/run

.PHONY: test-shells
test-shells: ## completion in bash, zsh and fish, the manual page under man, groff and mandoc (installs them on Debian)
	@for c in bash zsh fish man groff mandoc; do command -v $$c || { apt-get update && apt-get install -y --no-install-recommends bash zsh fish man-db groff mandoc; break; }; done >/dev/null
	CHURN_TEST_SHELLS=1 go test -count=1 -run '^Test(Shells|Manual)$$' ./internal/cli

CHROMIUM ?= /usr/bin/chromium
.PHONY: test-browser
test-browser: build ## the dashboard in headless Chromium: looks, works, is accessible, with and without scripts (installs chromium and npm on Debian)
	@test -x $(CHROMIUM) || (apt-get update && apt-get install -y --no-install-recommends chromium) >/dev/null
	@command -v npm >/dev/null || (apt-get update && apt-get install -y --no-install-recommends nodejs npm) >/dev/null
	cd .ci/browser && npm ci --silent --no-audit --no-fund
	CHROMIUM=$(CHROMIUM) node .ci/browser/test.mjs bin/churn $(SHOTS)

.PHONY: fuzz-seeds
fuzz-seeds: ## the fuzz targets on their seeds
	go test -run '^Fuzz' ./...

.PHONY: fuzz
fuzz: ## each fuzz target for FUZZTIME
	@for p in $$(go list ./...); do \
	  for f in $$(go test -list '^Fuzz' $$p | grep '^Fuzz'); do \
	    echo "$$p $$f"; go test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 5x $$p || exit 1; \
	  done; done

GOVULNCHECK := v1.9.0
.PHONY: vuln
vuln: ## known vulnerabilities in what the program calls (asks vuln.go.dev)
	go run golang.org/x/vuln/cmd/govulncheck@$(GOVULNCHECK) ./...

.PHONY: scan
scan: ## known vulnerabilities in the image that `make image` built; fails at a serious one that can be mended (needs trivy)
	trivy image --exit-code 1 --ignore-unfixed --severity HIGH,CRITICAL $(or $(IMAGE),churn:dev)

# What people install: an archive for each platform, their digests and the list of
# what is inside. The same commit gives the same bytes, anywhere: paths are
# trimmed, and times are those of the commit. Needs GNU tar.
DIST ?= dist
PLATFORMS ?= linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64
CYCLONEDX := v1.10.0
EPOCH := $(shell git log -1 --format=%ct 2>/dev/null || echo 0)
.PHONY: release
release: ## DIST (dist): an archive for each of PLATFORMS, SBOMs and SHA256SUMS
	rm -rf $(DIST) && mkdir -p $(DIST)
	@set -e; for platform in $(PLATFORMS); do \
	  os=$${platform%/*} arch=$${platform#*/} name=churn_$(VERSION)_$${platform%/*}_$${platform#*/}; exe=churn; test $$os != windows || exe=churn.exe; \
	  mkdir $(DIST)/$$name && cp README.md CHANGELOG.md config.yaml $(DIST)/$$name; \
	  GOOS=$$os GOARCH=$$arch go build -trimpath -buildvcs=false -ldflags '$(LDFLAGS)' -o $(DIST)/$$name/$$exe .; \
	  tar -C $(DIST) --sort=name --mtime=@$(EPOCH) --owner=0 --group=0 --numeric-owner --mode=go=rX,u=rwX -cf - $$name | gzip -9n >$(DIST)/$$name.tar.gz; \
	  rm -r $(DIST)/$$name; echo $(DIST)/$$name.tar.gz; \
	done
	$(MAKE) --no-print-directory sbom
	cd $(DIST) && sha256sum * >SHA256SUMS

.PHONY: sbom
sbom: ## DIST/churn_VERSION.cdx.json: every module in the program, with its licence (CycloneDX)
	mkdir -p $(DIST)
	GOFLAGS=-buildvcs=false go run github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@$(CYCLONEDX) app -json -licenses -std -noserial -notimestamp -output $(DIST)/churn_$(VERSION).cdx.json -main . .

.PHONY: release-check
release-check: release ## the release once more, without the build cache: fails where its bytes are others
	GOCACHE=$$(mktemp -d) $(MAKE) --no-print-directory release DIST=$(DIST)-again
	cmp $(DIST)/SHA256SUMS $(DIST)-again/SHA256SUMS
	rm -rf $(DIST)-again

.PHONY: sign
sign: ## DIST/SHA256SUMS.sigstore.json: a signature without a key, by who runs it (needs cosign, and a login or a workflow's token)
	cosign sign-blob --yes --bundle $(DIST)/SHA256SUMS.sigstore.json $(DIST)/SHA256SUMS

.PHONY: publish-image
publish-image: ## push the image that `make image` built as IMAGE_TO (registry/name:tag), and sign its digest (needs docker and cosign; REGISTRY_USER, REGISTRY_PASSWORD)
	@test -n "$(IMAGE_TO)" || { echo "publish-image: say where to: make publish-image IMAGE_TO=registry/name:tag"; exit 1; }
	@echo "$$REGISTRY_PASSWORD" | docker login --username "$$REGISTRY_USER" --password-stdin $(firstword $(subst /, ,$(IMAGE_TO)))
	docker tag $(or $(IMAGE),churn:dev) $(IMAGE_TO)
	docker push $(IMAGE_TO)
	cosign sign --yes "$$(docker inspect --format '{{index .RepoDigests 0}}' $(IMAGE_TO))"

FUZZSERVER ?= 60
.PHONY: fuzz-server
fuzz-server: ## each decoder of the server for FUZZSERVER seconds, one on a core; what a target finds stays in its testdata/fuzz
	@for p in $$(go list ./server ./internal/serving/...); do go test -list '^Fuzz' $$p | sed -n "s|^Fuzz.*|$$p &|p"; done | \
	xargs -n 2 -P $$(nproc) sh -c 'echo "$$1 for $(FUZZSERVER)s"; go test -run "^$$" -fuzz "^$$1$$" -fuzztime $(FUZZSERVER)s -fuzzminimizetime 5x -parallel 1 $$0'

.PHONY: bench
bench: build ## benchmarks of the packages, then a table of the data path
	go test -run '^$$' -bench . -benchtime 1x ./...
	go run ./bench/datapath -churn ./bin/churn -runs 9

.PHONY: bench-large
bench-large: build ## 100 million events under prepare.memory = 2GiB; takes about 20 GB of disk
	go run ./bench/datapath -churn ./bin/churn -users 875000 -days 120 -runs 1 -memory 2GiB

.PHONY: bench-scale
bench-scale: build ## 1, 10 and 100 million events beside DuckDB and polars, which pip installs; takes about 15 GB of disk and 20 minutes
	go run ./bench/scale -churn ./bin/churn

.PHONY: bench-health
bench-health: build ## what data health finds on every day of three simulated portals in which nothing is wrong
	@for seed in 1 2 3; do \
	  dir=$$(mktemp -d); set="--log-level error --set paths.data=$$dir --set paths.artifacts=$$dir/artifacts --set generate.seed=$$seed --set generate.users=2000"; \
	  ./bin/churn $$set generate >/dev/null && ./bin/churn $$set prepare >/dev/null && go run ./bench/health $$dir/processed/timelines.bin || exit 1; \
	  rm -r $$dir; done

.PHONY: bench-postgres
bench-postgres: build ## churn prepare from a PostgreSQL of its own beside files, and the memory of the program from 20,000 to 2,000,000 users (needs Debian's postgresql)
	.ci/postgres/run go run ./bench/warehouse -churn ./bin/churn

.PHONY: bench-peers
bench-peers: build ## quality and speed against scikit-learn and LightGBM, which pip installs into an environment of their own
	go run ./bench/peers -churn ./bin/churn

.PHONY: bench-gate
bench-gate: ## error rates of the gate by simulation; fails if one is out of its limit
	go run ./bench/gate

.bench/bin/vegeta-$(VEGETA):
	GOBIN=$(CURDIR)/.bench/bin go install github.com/tsenart/vegeta/v12@$(VEGETA)
	mv .bench/bin/vegeta $@

SOAK ?= 10m
.PHONY: bench-serve
bench-serve: build .bench/bin/vegeta-$(VEGETA) ## churn serve beside bare Echo and FastAPI, and its memory over SOAK (needs wrk, Python and pip)
	@command -v wrk >/dev/null || (apt-get update && apt-get install -y --no-install-recommends wrk) >/dev/null
	go build -o .bench/bin/serve ./bench/serve
	.bench/bin/serve -churn ./bin/churn -vegeta .bench/bin/vegeta-$(VEGETA) -soak $(SOAK)

.PHONY: bench-monitor
bench-monitor: ## false alarms and detection of the drift monitor, and estimates without labels, by simulation; fails if one is out of its limit
	go run ./bench/monitor

.PHONY: parity-goldens
parity-goldens: ## make the tables anew that tests compare with, by scikit-learn, LightGBM and others (needs Python and pip)
	python3 -m venv .parity-venv
	.parity-venv/bin/pip install --quiet -r .ci/parity/requirements.txt
	for script in .ci/parity/*.py; do \
	  .parity-venv/bin/python $$script > model/$$(basename $$script .py)/testdata/parity.json || exit 1; done
	.parity-venv/bin/python .ci/parity/monitor/trend.py > pipeline/monitor/testdata/trend.json
