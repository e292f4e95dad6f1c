"""What it costs to know who sends a bearer request, beside the same route without asking.

    python benchmarks/auth.py [--requests 4000] [--strict]

Renders a repository with the login, and one with people, whose directory is asked at each request;
measures in their own environment: the access token of a program and of a person, verified with the
issuer's key. The routes are asked in turn, inside one process, with no network. Then tokens of
2,000 unknown keys come at once. With --strict, exit status 1 when a target is missed.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from side_by_side import check

HERE = Path(__file__).parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=4_000)
    parser.add_argument("--strict", action="store_true")
    options = parser.parse_args()
    missed = []
    for modules in ("auth", "auth,users"):
        with tempfile.TemporaryDirectory(prefix="greenlane-bench-") as folder:
            found = measured(Path(folder) / "app", modules, options.requests)
        missed += judged(modules, found, options.requests)
    sys.exit(1 if missed and options.strict else 0)


def measured(app: Path, modules: str, requests: int) -> dict:
    make = [sys.executable, "-m", "greenlane", "new", str(app), "--preset", "minimal"]
    subprocess.run([*make, "--with", modules, "--json"], check=True, capture_output=True)
    subprocess.run(["uv", "sync", "--quiet"], cwd=app, check=True)
    text = (HERE / "auth_inside.py").read_text(encoding="utf-8")
    done = subprocess.run(
        ["uv", "run", "--quiet", "python", "-c", text, str(requests)],
        cwd=app,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def judged(modules: str, found: dict, requests: int) -> list[str]:
    """Print what was measured; return the targets that were missed."""
    print(f"\nWith {modules}: one request, median of {requests} each, in turn")
    missed = []
    for name in ("bare", "program", "person"):
        low, middle, high = found[name]
        added = middle - found["bare"][1]
        print(f"  {name:<9} {middle:7.3f} ms   5% {low:.3f}   95% {high:.3f}   added {added:.3f}")
        if name != "bare":
            missed += check(f"{name}: at most 1 ms more at the median", added <= 1)
    print(
        f"\n{found['flood']} tokens of unknown keys at once: {found['fetches']} fetches of the keys"
    )
    missed += check("a flood fetches the keys once in a cooldown at most", found["fetches"] <= 1)
    return missed


if __name__ == "__main__":
    main()
