#!/usr/bin/env bash
# Build the image of what is committed, bring it to a server, and put it into service there.
#
#   infra/vps/ship.sh deploy@203.0.113.7
#
# IMAGE=registry.example.com/app@sha256:... ships one that is built already; the server pulls it.
set -euo pipefail
# shellcheck disable=SC2029  # names that this script made are meant to be filled in here
cd "$(dirname "$0")/../.."

host=${1:?"which server? infra/vps/ship.sh deploy@203.0.113.7"}
if [ -n "$(git status --porcelain)" ]; then
  echo "error: there are changes that no commit has; commit them, so that a release is what a commit says." >&2
  exit 2
fi
name=$(sed -n 's/^NAME=//p' infra/vps/server.env)
release=$(git rev-parse --short=12 HEAD)
folder=/srv/$name/releases/$release
incoming=/srv/$name/incoming

if [ -z "${IMAGE:-}" ]; then
  IMAGE=$name:$release
  docker build --tag "$IMAGE" .
  docker save "$IMAGE" | gzip | ssh "$host" "gunzip | docker load"
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp infra/vps/* .env.example slo.yaml "$work"
echo "$IMAGE" >"$work/image"
# Whole or not at all: a release that is there is complete.
tar -C "$work" -cf - . | ssh "$host" "rm -rf '$incoming' && mkdir -p '$incoming' '/srv/$name/releases' &&
  tar -C '$incoming' -xf - && rm -rf '$folder' && mv '$incoming' '$folder'"
ssh "$host" "python3 '$folder/deploy.py' deploy"
