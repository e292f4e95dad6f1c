"""Says where it serves, then waits to be stopped."""

import sys
import time

sys.stdout.write(f"serving {' '.join(sys.argv[1:])}\n")
sys.stdout.flush()
try:
    time.sleep(60)
except KeyboardInterrupt:
    sys.stdout.write("stopped cleanly\n")
