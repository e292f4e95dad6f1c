"""What it costs to know who sends a bearer request, beside the same route without asking.

    python benchmarks/auth.py [--requests 4000] [--strict]

Renders a repository with the login, and measures in its own environment: the access token of a
program and of a person, verified with the issuer's key. The routes are asked in turn, inside one
process, with no network. Then tokens of 2,000 unknown keys come at once. With --strict,
exit status 1 when a target is missed.
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
    with tempfile.TemporaryDirectory(prefix="greenlane-bench-") as folder:
        app = Path(folder) / "app"
        make = [sys.executable, "-m", "greenlane", "new", str(app), "--preset", "minimal"]
        subprocess.run([*make, "--with", "auth", "--json"], check=True, capture_output=True)
        subprocess.run(["uv", "sync", "--quiet"], cwd=app, check=True)
        measure = ["uv", "run", "--quiet", "python", "-c"]
        text = (HERE / "auth_inside.py").read_text(encoding="utf-8")
        done = subprocess.run(
            [*measure, text, str(options.requests)],
            cwd=app,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
    found = json.loads(done.stdout.splitlines()[-1])
    print(f"\nOne request, median of {options.requests} each, in turn")
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
    sys.exit(1 if missed and options.strict else 0)


if __name__ == "__main__":
    main()
