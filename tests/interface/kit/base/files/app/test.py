"""Fails when a file called `break` lies in the project."""

import sys
from pathlib import Path

sys.stdout.write("looked for a file called break\n")
sys.exit(Path("break").exists())
