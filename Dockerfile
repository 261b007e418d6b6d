# An image that holds one static binary and nothing to run it with: no shell, no packages, no root.
FROM rust:1.95 AS builder

# SQLite and ring bring C code, which musl-gcc compiles for the machine at hand, x86_64 or aarch64. Another
# platform is built under emulation (docker buildx build --platform) or on such a machine.
ENV TARGET_CC=musl-gcc
RUN apt-get update \
    && apt-get install --yes --no-install-recommends musl-tools \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
RUN target="$(uname -m)-unknown-linux-musl" \
    && rustup target add "$target" \
    && printf '[build]\ntarget = "%s"\n' "$target" >>"$CARGO_HOME/config.toml"

# The dependencies alone, in a layer that stays good as long as they do.
COPY Cargo.toml Cargo.lock ./
RUN mkdir src \
    && echo 'fn main() {}' >src/main.rs \
    && cargo build --release --locked \
    && rm -r src

# COPY keeps the times of files, which may be older than what cargo has just built. The demo writes to /tmp.
ARG REVISION=
COPY . .
RUN find src -name '*.rs' -exec touch {} + \
    && BUILD_REVISION="$REVISION" cargo build --release --locked \
    && install -D --target-directory=/out target/*/release/openstack-heartbeat-exporter \
    && rm -r target \
    && install -d -m 1777 /out/tmp

FROM scratch
ARG VERSION=
ARG REVISION=
LABEL org.opencontainers.image.title="openstack-heartbeat-exporter" \
      org.opencontainers.image.description="Prometheus exporter that tells which OpenStack service is down, and why" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
COPY --from=builder /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=builder /out/ /
COPY LICENSE /
USER 65532:65532
EXPOSE 10390
ENTRYPOINT ["/openstack-heartbeat-exporter"]
