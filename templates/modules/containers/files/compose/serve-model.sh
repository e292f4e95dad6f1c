#!/bin/sh
# Starts llama-server with the file MODEL, if its SHA-256 is MODEL_SHA256; arguments are handed on.
set -eu

refuse() {
    echo "error: $1" >&2
    echo "hint: $2" >&2
    exit 1
}

[ -n "${MODEL_SHA256:-}" ] || refuse "MODEL_SHA256 is not set" "it is what sha256sum says of the file that was judged"
[ -n "${LLAMA_API_KEY:-}" ] || refuse "LLAMA_API_KEY is not set" "callers send it as a bearer token"
[ -r "$MODEL" ] || refuse "there is no model file $MODEL that can be read" "mount one there, readable for user $(id -u)"

found=$(sha256sum "$MODEL")
found=${found%% *}
[ "$found" = "$MODEL_SHA256" ] ||
    refuse "$MODEL is another file: its SHA-256 is $found, MODEL_SHA256 is $MODEL_SHA256" \
        "mount the file that was judged, or judge this one and change MODEL_SHA256"

exec "$LLAMA_SERVER" --model "$MODEL" --alias "$MODEL_NAME" --host 0.0.0.0 --port 8080 --metrics --no-webui "$@"
