"""What an image or a container may do that it need not."""

import re

from docker_engine import Engine

READ_ONLY = ("--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--tmpfs=/tmp")


def of_image(engine: Engine, image: str, *command: str) -> list[str]:
    """Why an image is refused: it would run as root, or what it starts with wants to write."""
    found = []
    user = engine.inspect(image)["Config"]["User"]
    if user.split(":")[0] in ("", "0", "root"):
        found.append("it runs as root")
    started = engine.try_docker("run", "--rm", "--network=none", *READ_ONLY, image, *command)
    if started.returncode:
        found.append(f"it does not run on a read-only disk: {started.stdout[-500:]}")
    return found


def of_container(engine: Engine, container: str) -> list[str]:
    """What the kernel says of the container's first process."""
    found = []
    status = engine.docker("exec", container, "cat", "/proc/1/status")
    fields = dict(re.findall(r"^(\w+):\s+(.*)$", status, re.MULTILINE))
    if "0" in fields["Uid"].split():
        found.append("it runs as root")
    if int(fields["CapEff"], 16) or int(fields["CapBnd"], 16):
        found.append("it has capabilities")
    if fields["NoNewPrivs"] != "1":
        found.append("it may gain privileges")
    mounts = engine.docker("exec", container, "cat", "/proc/mounts")
    root = next(line.split() for line in mounts.splitlines() if line.split()[1] == "/")
    if "ro" not in root[3].split(","):
        found.append("its disk can be written")
    return found
