#!/usr/bin/env bash
# Builds the programs of a real Kubernetes API, and the CSI driver beside this file, into a folder that is kept; prints its name.
# What is built already is not built again: the folder is named for all that goes into it.
set -euo pipefail
cd "$(dirname "$0")"

VERSION=v1.36.3
CACHE="${XDG_CACHE_HOME:-$HOME/.cache}/pachsnap/kubernetes"
mkdir -p "$CACHE"
CACHE="$(cd "$CACHE" && pwd)"
HASH="$(cat go.mod go.sum build.sh csidir/*.go | sha256sum | cut -c1-16)"
FOLDER="$CACHE/$HASH"

# Two at once would each take all cores for the same result.
exec 9>"$CACHE/lock"
flock 9

if [ ! -d "$FOLDER" ]; then
    if ! command -v go >/dev/null; then
        echo "missing: Go (https://go.dev/dl), which the Kubernetes API server for the tests is built with" >&2
        exit 1
    fi
    echo "building the programs of a Kubernetes API: 5 minutes on 2 cores the first time" >&2
    began=$SECONDS
    # Half-made folders of builds that were killed: whoever holds the lock is the only one who builds.
    rm -rf "$CACHE"/*.building
    mkdir "$FOLDER.building"
    version=k8s.io/component-base/version
    CGO_ENABLED=0 go build -trimpath \
        -ldflags "-s -w -X $version.gitVersion=$VERSION -X $version.gitMajor=1 -X $version.gitMinor=36" \
        -o "$FOLDER.building/" tool ./csidir 9>&- >&2
    # etcd's package is named `server`.
    mv "$FOLDER.building/server" "$FOLDER.building/etcd"
    crds="$(go list -m -f '{{.Dir}}' github.com/kubernetes-csi/external-snapshotter/client/v8)/config/crd"
    mkdir "$FOLDER.building/crds"
    for file in "$crds"/*.yaml; do
        if [ "$(basename "$file")" != kustomization.yaml ]; then cat "$file" >"$FOLDER.building/crds/$(basename "$file")"; fi
    done
    mv "$FOLDER.building" "$FOLDER"
    echo "building the programs of a Kubernetes API took $((SECONDS - began)) s" >&2
fi

# Half a gigabyte for each state of the sources: what nobody has asked for in a month goes.
touch "$FOLDER"
find "$CACHE" -mindepth 1 -maxdepth 1 -type d -mtime +30 -exec rm -rf {} + >&2
echo "$FOLDER"
