"""Stands in for what previews are shown on: each command notes how it was called, and with what."""

import re
from pathlib import Path

DIGEST = "sha256:" + "7" * 64
# None of a step's own: `uv run just RECIPE` without the installation that other tests make.
_UV = 'shift 2\nexec just "$@"\n'
_DOCKER = f"""\
case "$1" in
  login) sed 's/^/stdin: /' >> "$NOTES" ;;
  save) echo the image ;;
  push) echo "pr: digest: {DIGEST} size: 12" ;;
esac
"""
_SSH = """\
for it in "$@"; do
  case $it in
    */key) sed 's/^/key: /' "$it" ;;
    UserKnownHostsFile=*) sed 's/^/known: /' "${it#*=}" ;;
  esac
done >> "$NOTES"
case "$*" in *" up "*@*) ;; *" up "*) gunzip | sed 's/^/stdin: /' >> "$NOTES" ;; esac
"""
_KUBECTL = """\
if [ -n "$KUBECONFIG" ]; then sed 's/^/with: /' "$KUBECONFIG" >> "$NOTES"; fi
case "$*" in
  "get namespaces"*) printf 'my-app-pr-7 1\\nmy-app-pr-8 99999999999\\n' ;;
  "get secret"*) exit 1 ;;
  "get job"*) echo Complete ;;
  "create namespace"*) echo a namespace ;;
  kustomize*) cat "$2/kustomization.yaml" ;;
  "create secret"* | apply*) sed 's/^/stdin: /' >> "$NOTES" ;;
esac
"""


def stand_ins(folder: Path, just: str) -> tuple[Path, Path]:
    """Make them in `folder`: what PATH has to begin with, and the notes that they take."""
    programs, notes = folder / "places", folder / "notes"
    programs.mkdir(parents=True)
    (programs / "just").symlink_to(just)
    does = {"uv": _UV, "docker": _DOCKER, "ssh": _SSH, "kubectl": _KUBECTL}
    for name, text in does.items():
        noting = "" if name == "uv" else f'NOTES={notes}\necho "{name} $*" >> "$NOTES"\n'
        (programs / name).write_text(f"#!/bin/sh\n{noting}{text}")
        (programs / name).chmod(0o755)
    return programs, notes


def told(notes: Path) -> list[str]:
    """What was noted so far, from which it begins anew; folders of mktemp are called TMP."""
    if not notes.exists():
        return []
    text = re.sub(r"[^\s=]*/tmp\.\w+/", "TMP/", notes.read_text())
    notes.unlink()
    return text.splitlines()
