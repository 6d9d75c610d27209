# One image for every role: `docker run churn COMMAND`. `make image` builds it
# with docker or buildah; the two stages fetch nothing but modules, and not even
# those where `make image` finds them in the module cache of this machine.
ARG GO_IMAGE=docker.io/library/golang:1.26
ARG BASE_IMAGE=gcr.io/distroless/static-debian12:nonroot

# Modules that are there already, as a file tree of the proxy protocol: empty,
# unless the build is given a context of this name.
FROM scratch AS modules

FROM ${GO_IMAGE} AS build
WORKDIR /src
ENV CGO_ENABLED=0
# The modules are a layer of their own: a change of the code does not fetch them again.
ARG GOPROXY
COPY go.mod go.sum ./
RUN --mount=type=bind,from=modules,target=/modules \
    GOPROXY="file:///modules,$(go env GOPROXY)" go mod download
COPY . .
# main.go links the time zones into the program; -trimpath makes the same
# bytes in every folder.
ARG VERSION=dev
RUN deploy/build.sh /out/churn "-s -w -X churn/internal/cli.version=${VERSION}" \
    && mkdir -p /out/work

FROM ${BASE_IMAGE}
ARG VERSION=dev
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="churn" \
      org.opencontainers.image.description="Who is about to leave an e-learning portal, why, and whom to contact first" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
COPY --from=build /out/churn /churn
# Everything that is written lies below here: data/ and artifacts/, as the
# settings call them. It belongs to the user of the base image, and so does a
# volume that docker makes for it; the rest of the file system can be read-only.
COPY --from=build --chown=65532:65532 /out/work /var/lib/churn
WORKDIR /var/lib/churn
VOLUME /var/lib/churn
USER 65532:65532
# A server that only its own container reaches is of no use. Beyond it churn
# asks for API keys, and does not start without any.
ENV CHURN_SERVE_ADDRESS=:8080
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["/churn", "healthcheck"]
ENTRYPOINT ["/churn"]
CMD ["serve"]
