"""What infra/kubernetes keeps of other files is what those say, and names metrics that exist."""

import re
import runpy
from pathlib import Path

import httpx2
import pytest

from app.delivery.rendering import argo
from app.delivery.rollout import load

FOLDER = Path("infra/kubernetes")
ROLLOUT = load(Path("rollout.yaml"))


def texts(folder: str) -> dict[str, str]:
    return {str(path): path.read_text() for path in sorted(FOLDER.glob(f"{folder}/**/*.yaml"))}


def test_the_rollout_is_that_of_rollout_yaml() -> None:
    for name, text in argo(ROLLOUT, "application", ROLLOUT.regions[0]).items():
        kept = (FOLDER / "base/rollout" / name).read_text()
        assert kept == text, f"{name} differs: run `just kubernetes-render`"


def test_the_rules_are_those_of_prometheus() -> None:
    made = runpy.run_path(str(FOLDER / "rules.py"))["manifest"]()
    kept = (FOLDER / "components/monitoring/rules.yaml").read_text()
    assert kept == made, "the rules differ: run `just kubernetes-render`"


@pytest.mark.anyio
async def test_workers_are_scaled_by_metrics_that_exist(client: httpx2.AsyncClient) -> None:
    scaling = {
        path: re.findall(r"sum\(max by \(queue\) \((\w+)\{", text)
        for folder in ("base", "overlays")
        for path, text in texts(folder).items()
        if "triggers" in text
    }
    shown = (await client.get("/metrics")).text
    assert len(scaling) == 3
    for path, names in scaling.items():
        assert names, f"no metric is found in {path}"
        for name in names:
            assert f"# TYPE {name} gauge" in shown, path


def test_no_manifest_holds_a_secret() -> None:
    for folder in ("base", "overlays", "components"):
        for path, text in texts(folder).items():
            assert not re.search(r"^kind: Secret$|secretGenerator", text, re.MULTILINE), path
