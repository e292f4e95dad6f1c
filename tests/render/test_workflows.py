"""The rendered workflows, read by tools nobody here wrote, and each tool on planted mistakes."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from greenlane.kit import Kit
from rendering import tool
from workflow_steps import load

USES = re.compile(
    r"^ *(?:- )?uses: (?P<action>[\w./-]+)@(?P<commit>[0-9a-f]{40}) # (?P<tag>v[\d.]+)$"
)
Check = Callable[[Path], None]
PREVIEW_SECRETS = {"PREVIEW_KEY", "PREVIEW_KUBECONFIG", "PREVIEW_REGISTRY_PASSWORD"}


def zizmor(folder: Path) -> None:
    """Pinned actions, least permissions, no injection, no credentials left behind."""
    done = tool("zizmor", "--offline", "--quiet", "--persona=pedantic", str(folder / ".github"))
    assert done.returncode == 0, done.stdout


def schema(folder: Path) -> None:
    """The schema of workflows, and a time limit for each job."""
    files = [str(path) for path in workflows(folder)]
    for name in ("vendor.github-workflows", "custom.github-workflows-require-timeout"):
        done = tool("check-jsonschema", "--builtin-schema", name, *files)
        assert done.returncode == 0, done.stdout


def pins(folder: Path, actions: dict[str, dict[str, str]]) -> None:
    """Every action is one of versions.yml, at its commit, with its tag beside it."""
    for path in workflows(folder):
        lines = [line for line in path.read_text().splitlines() if "uses:" in line]
        assert lines, f"{path.name} uses no action"
        for line in lines:
            match = USES.match(line)
            assert match, f"{path.name}: not pinned by commit: {line.strip()}"
            assert actions.get(match["action"]) == {
                "tag": match["tag"],
                "commit": match["commit"],
            }, f"{path.name}: not as in versions.yml: {line.strip()}"


def workflows(folder: Path) -> list[Path]:
    found = sorted((folder / ".github/workflows").glob("*.yml"))
    assert found, "no workflow was rendered"
    return found


def actions_of(kit: Kit) -> dict[str, dict[str, str]]:
    actions = kit.versions["actions"]
    assert isinstance(actions, dict)
    return actions


def planted(rendered: Path, folder: Path, old: str, new: str) -> Path:
    """A copy of the workflows with the first `old` in ci.yml replaced by `new`.

    COMMIT and TAG in `old` stand for those of its first action.
    """
    shutil.copytree(rendered / ".github", folder / ".github")
    path = folder / ".github/workflows/ci.yml"
    text = path.read_text()
    first = next(match for line in text.splitlines() if (match := USES.match(line)))
    old = old.replace("COMMIT", first["commit"]).replace("TAG", first["tag"])
    assert old in text, f"ci.yml no longer has {old!r}: plant another mistake"
    path.write_text(text.replace(old, new, 1))
    return folder


def test_zizmor_finds_nothing(rendered: Path) -> None:
    zizmor(rendered)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('run: uv run just "$CHECK"', "run: uv run just ${{ github.event.pull_request.title }}"),
        ("        with:\n          persist-credentials: false\n", ""),
        ("permissions: {}", "permissions: write-all"),
        ("pull_request:", "pull_request_target:"),
        ("@COMMIT # TAG", "@v7"),
    ],
)
def test_zizmor_finds_a_planted_mistake(rendered: Path, tmp_path: Path, old: str, new: str) -> None:
    with pytest.raises(AssertionError, match=r"\d findings?"):
        zizmor(planted(rendered, tmp_path, old, new))


def test_the_schema_is_met(rendered: Path) -> None:
    schema(rendered)


@pytest.mark.parametrize(
    ("old", "new"),
    [("timeout-minutes: 15\n", "\n"), ("runs-on:", "run-on:"), ("needs: [", "needz: [")],
)
def test_the_schema_refuses_a_planted_mistake(
    rendered: Path, tmp_path: Path, old: str, new: str
) -> None:
    with pytest.raises(AssertionError, match="Schema validation errors"):
        schema(planted(rendered, tmp_path, old, new))


def test_actions_are_pinned_as_in_versions(rendered: Path, kit: Kit) -> None:
    pins(rendered, actions_of(kit))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("@COMMIT # TAG", "@v7"),
        ("@COMMIT", "@" + "0" * 40),
        (" # TAG", " # v6.0.0"),
        ("actions/checkout@", "action/checkout@"),
    ],
)
def test_a_pin_that_differs_is_refused(
    rendered: Path, kit: Kit, tmp_path: Path, old: str, new: str
) -> None:
    with pytest.raises(AssertionError, match=r"not (as in versions|pinned)"):
        pins(planted(rendered, tmp_path, old, new), actions_of(kit))


def test_every_pinned_action_is_used(kit: Kit) -> None:
    text = "".join(
        source.file.read_text()
        for part in kit.parts.values()
        for path, source in part.files.items()
        if path.startswith(".github/")
    )
    assert [name for name in actions_of(kit) if f'"{name}"' not in text] == []


def test_ci_runs_what_just_check_runs(rendered: Path) -> None:
    recipe = re.search(r"^check: (.+)$", (rendered / "justfile").read_text(), re.MULTILINE)
    assert recipe
    jobs = load(rendered / ".github/workflows/ci.yml")["jobs"]
    run = ["evals", *jobs["checks"]["strategy"]["matrix"]["check"]]
    assert sorted(run) == recipe[1].split()
    assert jobs["evals"]["steps"][-3]["run"] == 'uv run just evals --lane "$LANE"'


def test_the_required_job_needs_all_others_and_always_reports(rendered: Path) -> None:
    jobs: dict[str, Any] = load(rendered / ".github/workflows/ci.yml")["jobs"]
    required = jobs.pop("required")
    assert sorted(required["needs"]) == sorted(jobs)
    assert required["if"] == "${{ always() }}"
    for side in ("RESULTS", "EXPECTED"):
        pairs = required["steps"][0]["env"][side].replace("${{ ", "").split()
        named = [pair.partition("=")[0] for pair in pairs if re.match(r"[a-z]+=[a-z]", pair)]
        assert named == list(jobs), side


def test_nothing_needs_a_secret_and_what_runs_on_pull_requests_writes_nothing(
    rendered: Path,
) -> None:
    for path in workflows(rendered):
        if path.name == "update.yml":
            continue
        # That of an environment which cannot reach production.
        allowed = PREVIEW_SECRETS if path.name == "preview.yml" else set()
        assert set(re.findall(r"secrets\.(\w*)", path.read_text())) == allowed
        if path.name in ("preview.yml", "release.yml"):
            continue
        assert "write" not in str([job.get("permissions") for job in load(path)["jobs"].values()])


def test_only_the_update_may_write_and_it_can_do_without_a_secret(rendered: Path) -> None:
    path = rendered / ".github/workflows/update.yml"
    assert re.findall(r"secrets\.[^}]*", path.read_text()) == [
        "secrets.GREENLANE_TOKEN || github.token "
    ]
    (job,) = load(path)["jobs"].values()
    assert job["permissions"] == dict.fromkeys(["actions", "contents", "pull-requests"], "write")
    for step in job["steps"]:
        # Code that is fetched never sees a token.
        assert ("GH_TOKEN" in step.get("env", {})) == ("gh " in step.get("run", "")), step


def test_a_release_comes_from_a_tag_and_each_of_its_jobs_may_as_little_as_it_needs(
    rendered: Path,
) -> None:
    release = load(rendered / ".github/workflows/release.yml")
    assert release["on"] == {"push": {"tags": ["v*"]}}
    may = {
        name: {what for what, how in job["permissions"].items() if how == "write"}
        for name, job in release["jobs"].items()
    }
    assert may == {
        "build": {"attestations", "id-token", "packages"},
        "publish": {"contents"},
        "deploy": {"id-token"},
    }
    assert release["jobs"]["deploy"]["environment"] == "prod"
    # What was cached by an earlier run is not part of a release.
    assert "actions/cache@" not in (rendered / ".github/workflows/release.yml").read_text()
    for job in release["jobs"].values():
        for step in job["steps"]:
            assert step.get("with", {}).get("enable-cache") in (None, False)


def test_a_preview_is_let_in_by_an_environment_of_its_own_and_forks_get_none(
    rendered: Path,
) -> None:
    for name, job in load(rendered / ".github/workflows/preview.yml")["jobs"].items():
        assert job["permissions"] == {"contents": "read", "id-token": "write"}
        assert job["environment"] == "preview"
        assert "vars.PREVIEWS == 'true'" in job["if"]
        assert name == "sweep" or "head.repo.full_name == github.repository" in job["if"]


def test_what_is_deployed_was_verified_before(rendered: Path) -> None:
    steps = load(rendered / ".github/workflows/release.yml")["jobs"]["deploy"]["steps"]
    commands = [step["run"] for step in steps if "run" in step]
    assert commands[0].startswith("uv run app release verify --identity")
    assert commands[1] == "uv run just deploy prod"


def test_a_change_of_models_waits_for_the_environment_and_nothing_else_does(
    rendered: Path,
) -> None:
    jobs = load(rendered / ".github/workflows/ci.yml")["jobs"]
    assert [name for name, job in jobs.items() if "environment" in job] == ["review"]
    assert jobs["review"]["environment"] == "models"


def test_dependabot_waits_a_week(rendered: Path) -> None:
    path = rendered / ".github/dependabot.yml"
    done = tool("check-jsonschema", "--builtin-schema", "vendor.dependabot", str(path))
    assert done.returncode == 0, done.stdout
    updates = yaml.safe_load(path.read_text())["updates"]
    ecosystems = {update["package-ecosystem"] for update in updates}
    assert ecosystems == {"uv", "github-actions", "docker", "docker-compose"}
    assert all(update["cooldown"]["default-days"] >= 7 for update in updates)


def test_dependabot_schema_refuses_a_planted_mistake(rendered: Path, tmp_path: Path) -> None:
    text = (rendered / ".github/dependabot.yml").read_text()
    (tmp_path / "dependabot.yml").write_text(text.replace("default-days", "days"))
    done = tool(
        "check-jsonschema",
        "--builtin-schema",
        "vendor.dependabot",
        str(tmp_path / "dependabot.yml"),
    )
    assert done.returncode != 0


def test_owners_review_models_prompts_and_evals(rendered: Path) -> None:
    lines = (rendered / ".github/CODEOWNERS").read_text().splitlines()
    owned = {line.split()[0]: line.split()[1:] for line in lines if line and line[0] != "#"}
    for path in ("/app/ai/", "/prompts/", "/models.yaml", "/evals/", "/datasets/"):
        assert owned[path] == ["@acme/ml"]
    for path in owned:
        assert path in ("/models.lock",) or (rendered / path.lstrip("/")).exists(), path
