# An image with one static binary and nothing else: no shell, no packages, no root.
#
# The build is reproducible: the same commit, BASE, musl-tools and build arguments (see .github/workflows/release.yml)
# give the same bytes. If you can't reach Docker's registry, set BASE to a copy of the image.
ARG BASE=docker.io/library/rust:1.95.0-slim-trixie@sha256:e14e87345b4d5964ddcc3491d27ee046a0f23820f340c3c1e24da6880141f7c0
FROM $BASE AS builder

# SQLite and ring contain C code, which musl-gcc compiles for this machine's architecture, x86_64 or aarch64. Build for
# the other one under emulation (docker buildx build --platform) or on such a machine.
ENV TARGET_CC=musl-gcc
RUN apt-get update \
    && apt-get install --yes --no-install-recommends musl-tools \
    && rm -rf /var/lib/apt/lists/*

# Removes the builder's paths from the binary.
WORKDIR /src
ENV TARGET_CFLAGS=-ffile-prefix-map=/usr/local/cargo/registry/src/=
RUN target="$(uname -m)-unknown-linux-musl" \
    && rustup target add "$target" \
    && printf '[build]\ntarget = "%s"\nrustflags = ["%s", "%s"]\n' "$target" \
        --remap-path-prefix=/usr/local/cargo/registry/src/= --remap-path-prefix=/src/= \
        >>"$CARGO_HOME/config.toml"

# Builds only the dependencies, in a layer that is cached until they change.
COPY Cargo.toml Cargo.lock ./
RUN mkdir src \
    && echo 'fn main() {}' >src/main.rs \
    && cargo build --release --locked \
    && rm -r src

# COPY keeps the times of files, which may be older than cargo's last build: touch makes cargo build again. The demo
# writes to /tmp.
ARG REVISION=
ARG SOURCE_DATE_EPOCH=0
COPY . .
RUN find src -name '*.rs' -exec touch {} + \
    && BUILD_REVISION="$REVISION" cargo build --release --locked \
    && install -D --target-directory=/out target/*/release/openstack-heartbeat-exporter \
    && install -D -m 644 --target-directory=/out LICENSE \
    && install -D -m 644 --target-directory=/out/etc/ssl/certs /etc/ssl/certs/ca-certificates.crt \
    && packaging/licences >/out/THIRD-PARTY-LICENCES \
    && install -d -m 1777 /out/tmp \
    && rm -r target \
    && find /out -exec touch --date="@$SOURCE_DATE_EPOCH" {} +

FROM scratch
ARG VERSION=
ARG REVISION=
LABEL org.opencontainers.image.title="openstack-heartbeat-exporter" \
      org.opencontainers.image.description="Prometheus exporter that shows which OpenStack service is down, and why" \
      org.opencontainers.image.url="https://github.com/openstack-heartbeat-exporter/openstack-heartbeat-exporter" \
      org.opencontainers.image.source="https://github.com/openstack-heartbeat-exporter/openstack-heartbeat-exporter" \
      org.opencontainers.image.documentation="https://github.com/openstack-heartbeat-exporter/openstack-heartbeat-exporter/blob/main/README.md" \
      org.opencontainers.image.vendor="openstack-heartbeat-exporter" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
COPY --from=builder /out/ /
USER 65532:65532
EXPOSE 10390
# The health check uses the environment's settings. It does not know the flags of the container's command line.
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s \
    CMD ["/openstack-heartbeat-exporter", "healthcheck"]
ENTRYPOINT ["/openstack-heartbeat-exporter"]
