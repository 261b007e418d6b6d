# An image that holds one static binary and nothing to run it with: no shell, no packages, no root.
#
# The same commit makes the same bytes, whoever builds it, from the same BASE and musl-tools, with the arguments that
# .github/workflows/release.yml gives. Where the registry of Docker is out of reach, BASE names a copy.
ARG BASE=docker.io/library/rust:1.95.0-slim-trixie@sha256:e14e87345b4d5964ddcc3491d27ee046a0f23820f340c3c1e24da6880141f7c0
FROM $BASE AS builder

# SQLite and ring bring C code, which musl-gcc compiles for the machine at hand, x86_64 or aarch64. Another
# platform is built under emulation (docker buildx build --platform) or on such a machine.
ENV TARGET_CC=musl-gcc
RUN apt-get update \
    && apt-get install --yes --no-install-recommends musl-tools \
    && rm -rf /var/lib/apt/lists/*

# No path of the builder gets into the binary.
WORKDIR /src
ENV TARGET_CFLAGS=-ffile-prefix-map=/usr/local/cargo/registry/src/=
RUN target="$(uname -m)-unknown-linux-musl" \
    && rustup target add "$target" \
    && printf '[build]\ntarget = "%s"\nrustflags = ["%s", "%s"]\n' "$target" \
        --remap-path-prefix=/usr/local/cargo/registry/src/= --remap-path-prefix=/src/= \
        >>"$CARGO_HOME/config.toml"

# The dependencies alone, in a layer that stays good as long as they do.
COPY Cargo.toml Cargo.lock ./
RUN mkdir src \
    && echo 'fn main() {}' >src/main.rs \
    && cargo build --release --locked \
    && rm -r src

# COPY keeps the times of files, which may be older than what cargo has just built. The demo writes to /tmp.
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
      org.opencontainers.image.description="Prometheus exporter that tells which OpenStack service is down, and why" \
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
# It knows the settings of the environment, and none that the command line of the container has.
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s \
    CMD ["/openstack-heartbeat-exporter", "healthcheck"]
ENTRYPOINT ["/openstack-heartbeat-exporter"]
