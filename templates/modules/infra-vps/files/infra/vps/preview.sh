#!/usr/bin/env bash
# Show a pull request on the server for a while, with the key of a pipeline: docs/vps.md says how it is let in.
#
#   PREVIEW_HOST=deploy@203.0.113.7 infra/vps/preview.sh up 12
#   PREVIEW_HOST=... infra/vps/preview.sh down 12 | sweep | list
#
# IMAGE=registry.example.com/app@sha256:... shows one that is built already; the server pulls it.
# PREVIEW_KEY and PREVIEW_KNOWN_HOSTS hold the private key and the line of the server for ~/.ssh/known_hosts.
set -euo pipefail
cd "$(dirname "$0")/../.."

host=${PREVIEW_HOST:?"which server? PREVIEW_HOST=deploy@203.0.113.7"}
command=${1:?"what? up NUMBER, down NUMBER, sweep or list"}
number=${2:-}
case $command in
  up | down)
    if [ "$command" = down ]; then IMAGE=; fi
    if [[ ! $number =~ ^[1-9][0-9]{0,6}$ ]]; then
      echo "error: '$number' is no number of a pull request" >&2
      exit 2
    fi
    ;;
  sweep | list) number= IMAGE= ;;
  *)
    echo "usage: preview.sh up NUMBER | down NUMBER | sweep | list" >&2
    exit 2
    ;;
esac

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
options=(-o BatchMode=yes)
if [ -n "${PREVIEW_KEY:-}" ]; then
  (umask 077 && printf '%s\n' "$PREVIEW_KEY" >"$work/key")
  options+=(-o IdentitiesOnly=yes -i "$work/key")
fi
if [ -n "${PREVIEW_KNOWN_HOSTS:-}" ]; then
  printf '%s\n' "$PREVIEW_KNOWN_HOSTS" >"$work/known_hosts"
  options+=(-o StrictHostKeyChecking=yes -o "UserKnownHostsFile=$work/known_hosts")
fi

if [ "$command" = up ] && [ -z "${IMAGE:-}" ]; then
  image=$(sed -n 's/^NAME=//p' infra/vps/server.env)-preview:$number
  docker build --tag "$image" . >&2
  docker save "$image" | gzip | ssh "${options[@]}" -- "$host" "up $number"
else
  # shellcheck disable=SC2029  the words are meant to be filled in here; each was checked, or is there
  ssh "${options[@]}" -- "$host" "$command${number:+ $number}${IMAGE:+ $IMAGE}" </dev/null
fi
