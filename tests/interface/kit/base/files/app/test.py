"""Fails when a file called `break` lies in the project."""

import sys
from pathlib import Path

print("looked for a file called break")
sys.exit(Path("break").exists())
