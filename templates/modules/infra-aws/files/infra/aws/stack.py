"""One environment's stack, as Terraform or OpenTofu keep it."""

import json
import os
import re
import shutil
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import click

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@dataclass(frozen=True, slots=True)
class Step:
    """So many percent for the candidate, watched for so many minutes."""

    percent: int
    minutes: float


@dataclass(frozen=True, slots=True)
class Images:
    """Which image answers everyone, which is tried, and the percentage of requests that it gets.

    A `weight` of None: no candidate runs. 0: it runs and gets nothing. `previous` answered everyone
    before `stable` did.
    """

    stable: str
    candidate: str
    weight: int | None = None
    previous: str | None = None


@dataclass(frozen=True, slots=True)
class Deployed:
    """The stack's outputs, as far as a deployment needs them."""

    images: Images
    cluster: str
    services: dict[str, str]
    """Name -> task definition that it should run."""
    alarms: list[str]
    migration: str
    subnets: list[str]
    group: str
    log_group: str
    url: str
    token: str
    """The secret that holds the access token."""


@dataclass(frozen=True, slots=True)
class Stack:
    environment: str
    project: str
    region: str
    domain: str
    lasting: bool
    variables: Path

    @classmethod
    def of(cls, environment: str) -> Self:
        """From pyproject.toml and the .tfvars. Raises ClickException for a bad name."""
        if not re.fullmatch(r"[a-z][a-z0-9-]{0,8}[a-z0-9]", environment):
            raise click.ClickException(
                f"{environment!r} cannot name a stack: 2 to 10 lower-case letters, digits, dashes"
            )
        production = HERE / "prod.tfvars"
        variables = production if environment == "prod" else HERE / "preview.tfvars"
        domain = _read(production, "domain")
        return cls(
            environment=environment,
            project=tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["name"],
            region=_read(variables, "region"),
            domain=domain if environment == "prod" else f"{environment}.{domain}",
            lasting=_read(variables, "lasting") == "true",
            variables=variables,
        )

    def steps(self, *, at_once: bool) -> list[Step]:
        """As rollout.yaml has them; `at_once` is blue/green."""
        made = json.loads((HERE / "rollout.auto.tfvars.json").read_text())
        if at_once:
            return [Step(100, made["blue_green_watch_minutes"])]
        return [Step(step["candidate"], step["minutes"]) for step in made["rollout_steps"]]

    def init(self, account: str) -> None:
        key = "prod" if self.environment == "prod" else f"preview/{self.environment}"
        settings = {
            "bucket": f"{self.project}-state-{account}",
            "key": f"{key}.tfstate",
            "region": self.region,
        }
        options = [f"-backend-config={name}={value}" for name, value in settings.items()]
        self._run("init", "-input=false", "-reconfigure", *options)

    def plan(self, images: Images) -> None:
        self._run("plan", *self._options(images))

    def apply(self, images: Images, *, paused: bool = False, refresh: bool = True) -> None:
        """Without `refresh`, what is there is not read first: much quicker just after an apply."""
        options = (f"-var=paused={str(paused).lower()}", f"-refresh={str(refresh).lower()}")
        self._run("apply", "-auto-approve", *self._options(images), *options)

    def destroy(self, images: Images) -> None:
        self._run("destroy", "-auto-approve", *self._options(images))

    def deployed(self) -> Deployed | None:
        """What runs now; None where nothing does yet."""
        outputs = json.loads(self._run("output", "-json", captured=True))
        if "deployed" not in outputs:
            return None
        value: dict[str, Any] = outputs["deployed"]["value"]
        images = Images(
            value["stable_image"],
            value["candidate_image"],
            value.get("candidate_weight"),
            value.get("previous_image"),
        )
        names = Deployed.__dataclass_fields__.keys() - {"images"}
        return Deployed(images=images, **{name: value[name] for name in names})

    def _options(self, images: Images) -> list[str]:
        values = {
            "environment": self.environment,
            "domain": self.domain,
            "stable_image": images.stable,
            "candidate_image": images.candidate,
        }
        # Null cannot be given: it is null when it is not given.
        if images.weight is not None:
            values["candidate_weight"] = str(images.weight)
        if images.previous is not None:
            values["previous_image"] = images.previous
        return [
            "-input=false",
            f"-var-file={self.variables.name}",
            *(f"-var={name}={value}" for name, value in values.items()),
        ]

    def _run(self, *arguments: str, captured: bool = False) -> str:
        program = next(filter(shutil.which, ("terraform", "tofu")), None)
        if program is None:
            raise click.ClickException(
                "neither terraform nor tofu is installed; docs/aws.md says more"
            )
        # A folder of its own: one environment's settings never meet another one's state.
        environment = os.environ | {"TF_DATA_DIR": f".terraform/{self.environment}"}
        done = subprocess.run(  # noqa: S603  no shell
            [program, *arguments],
            cwd=HERE,
            env=environment,
            stdout=subprocess.PIPE if captured else None,
            text=True,
            check=False,
        )
        if done.returncode:
            raise click.ClickException(f"{program} {arguments[0]} failed; it says why above")
        return done.stdout or ""


def _read(path: Path, name: str) -> str:
    found = re.search(rf'^{name}\s*=\s*"?([^"\n#]*?)"?\s*(#.*)?$', path.read_text(), re.MULTILINE)
    if not found:
        raise click.ClickException(f"{path.name} has no line `{name} = ...`")
    return found[1]
