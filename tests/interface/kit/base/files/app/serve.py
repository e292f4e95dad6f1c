"""Says where it serves, then waits to be stopped."""

import sys
import time

print("serving", *sys.argv[1:], flush=True)
try:
    time.sleep(60)
except KeyboardInterrupt:
    print("stopped cleanly", flush=True)
