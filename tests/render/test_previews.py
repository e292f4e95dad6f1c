"""The preview workflow for each place that the kit knows, with stand-ins for its commands."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from greenlane.combinations import selection
from greenlane.kit import Kit
from greenlane.project import create
from preview_places import DIGEST, stand_ins, told
from workflow_expressions import Payload
from workflow_steps import clean_environment, run_workflow

pytestmark = pytest.mark.slow

HOSTILE = "$(touch${IFS}PWNED);touch${IFS}PWNED"
HOST = "deploy@203.0.113.7"
OURS = "github.event.pull_request.head.repo.full_name == github.repository"


class Previews:
    """A repository with one place, pushed from a branch with a hostile name."""

    def __init__(self, kit: Kit, place: str, folder: Path, just: str) -> None:
        self.folder, self.repository = folder, folder / "my-app"
        create(kit, selection(kit, sorted(kit.apps)[0], ["ci-github", place]), self.repository)
        self.git("switch", "--quiet", "--create", HOSTILE)
        self._programs, self._notes = stand_ins(folder, just)
        self.path = f"{self._programs}:{clean_environment()['PATH']}"
        self._count = 0

    def git(self, *arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=self.repository, check=True)

    def event(
        self,
        action: str,
        *,
        of: str = "Acme/my-app",
        previews: str = "true",
        planted: tuple[str, str] = ("", ""),
    ) -> tuple[dict[str, str], list[str]]:
        """What became of each job that ran, and what the place was asked.

        `action` is schedule, or what became of a pull request from the repository `of`. The first
        one of `planted` is replaced by the second one in the workflow.
        """
        self._count += 1
        text = (self.repository / ".github/workflows/preview.yml").read_text()
        assert planted[0] in text
        workflow = self.folder / "preview.yml"
        workflow.write_text(text.replace(*planted) if planted[0] else text)
        head = {"ref": HOSTILE, "repo": {"full_name": of}}
        pull_request = {"head": head, "title": f'"; {HOSTILE}; "', "body": HOSTILE}
        event = {"action": action, "number": 12, "pull_request": pull_request}
        given: dict[str, Any] = {
            "env": {"PATH": self.path},
            # Any other one would be an error here.
            "vars": {
                "PREVIEWS": previews,
                "PREVIEW_HOST": HOST,
                "PREVIEW_KNOWN_HOSTS": "a host",
                "PREVIEW_REGISTRY_USER": "ada",
            },
            "secrets": {
                "PREVIEW_KEY": "the key",
                "PREVIEW_KUBECONFIG": "the kubeconfig",
                "PREVIEW_REGISTRY_PASSWORD": "the password",
            },
            "github": {
                "event": Payload({} if action == "schedule" else event),
                "event_name": "schedule" if action == "schedule" else "pull_request",
                "head_ref": HOSTILE,
            },
        }
        scratch = self.folder / f"run-{self._count}"
        runs = run_workflow(workflow, self.repository, scratch, given)
        failed = [run.log for run in runs if run.result == "failure"]
        assert not failed, failed
        done = {run.name: run.result for run in runs if run.result != "skipped"}
        return done, told(self._notes)

    def pwned(self) -> list[Path]:
        return list(self.folder.rglob("PWNED"))


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("previews")


@pytest.fixture(scope="module")
def vps(kit: Kit, folders: Path, just: str) -> Previews:
    return Previews(kit, "infra-vps", folders / "vps", just)


@pytest.fixture(scope="module")
def kubernetes(kit: Kit, folders: Path, just: str) -> Previews:
    return Previews(kit, "infra-kubernetes", folders / "kubernetes", just)


SHOWS = ["opened", "reopened", "synchronize"]


def on_server(words: str) -> list[str]:
    options = "-o BatchMode=yes -o IdentitiesOnly=yes -i TMP/key -o StrictHostKeyChecking=yes"
    asked = f"ssh {options} -o UserKnownHostsFile=TMP/known_hosts -- {HOST} {words}"
    return [asked, "key: the key", "known: a host"]


@pytest.mark.parametrize("action", SHOWS)
def test_a_server_shows_it(vps: Previews, action: str) -> None:
    done, notes = vps.event(action)
    assert done == {"show": "success"}
    # Both ends of a pipe begin together.
    assert sorted(notes) == sorted([
        "docker build --tag my-app-preview:12 .",
        "docker save my-app-preview:12",
        *on_server("up 12"),
        "stdin: the image",
    ])  # fmt: skip


@pytest.mark.parametrize(
    ("action", "job", "words"), [("closed", "end", "down 12"), ("schedule", "sweep", "sweep")]
)
def test_a_server_ends_it(vps: Previews, action: str, job: str, words: str) -> None:
    done, notes = vps.event(action)
    assert done == {job: "success"}
    assert notes == on_server(words)


@pytest.mark.parametrize("action", SHOWS)
def test_a_cluster_shows_it(kubernetes: Previews, action: str) -> None:
    done, notes = kubernetes.event(action)
    assert done == {"show": "success"}
    asked = [line for line in notes if not line.startswith("stdin: ")]
    image = "registry.example.com/my-app"
    wanted = [
        "docker login registry.example.com --username ada --password-stdin",
        f"docker build --tag {image}:pr-12 ../..",
        f"docker push {image}:pr-12",
        "kubectl create namespace my-app-pr-12",
        "kubectl label namespace my-app-pr-12 --overwrite preview=my-app expires=",
        "kubectl create secret generic app --namespace my-app-pr-12 --from-env-file /dev/stdin",
        "kubectl kustomize release.",
        "kubectl delete job migrate --namespace my-app-pr-12",
        "kubectl get job migrate --namespace my-app-pr-12",
        "kubectl delete job seed --namespace my-app-pr-12",
        "kubectl get job seed --namespace my-app-pr-12",
    ]
    places = [next(n for n, line in enumerate(asked) if line.startswith(want)) for want in wanted]
    assert places == sorted(places)
    stdin = [line.removeprefix("stdin: ") for line in notes if line.startswith("stdin: ")]
    assert stdin[0] == "the password"
    secrets = [line for line in stdin if re.fullmatch(r"[A-Z_]+=[0-9a-f]{64}", line)]
    assert "ACCESS_TOKEN" in {line.partition("=")[0] for line in secrets}
    assert len(set(secrets)) == len(secrets) > 1
    manifests = "\n".join(stdin)
    assert f'newName: "{image}", digest: "{DIGEST}"' in manifests
    assert "namespace: my-app-pr-12" in manifests
    assert "value: pr-12.my-app.example.com" in manifests


def test_a_cluster_ends_it(kubernetes: Previews) -> None:
    gone = "kubectl delete namespace my-app-pr-{} --wait=false"
    done, notes = kubernetes.event("closed")
    assert done == {"end": "success"}
    assert notes == [
        "kubectl delete namespace my-app-pr-12 --ignore-not-found --wait=false",
        "with: the kubeconfig",
    ]
    done, notes = kubernetes.event("schedule")
    assert done == {"sweep": "success"}
    deleted = [line for line in notes if "delete" in line]
    assert deleted == [gone.format(7)], "only that whose time is over"


@pytest.mark.parametrize("action", [*SHOWS, "closed"])
def test_a_fork_and_who_did_not_ask_for_it_get_nothing(vps: Previews, action: str) -> None:
    assert vps.event(action, of="Mallory/my-app") == ({}, [])
    assert vps.event(action, previews="") == ({}, [])


def test_the_schedule_sleeps_too(vps: Previews) -> None:
    assert vps.event("schedule", previews="") == ({}, [])


def test_a_fork_is_shown_where_nothing_asks_whose_it_is(vps: Previews) -> None:
    done, notes = vps.event("opened", of="Mallory/my-app", planted=(OURS, "true"))
    assert done == {"show": "success"}
    assert "key: the key" in notes


def test_a_hostile_branch_and_title_do_nothing(vps: Previews, kubernetes: Previews) -> None:
    for previews in (vps, kubernetes):
        for action in ("opened", "closed", "schedule"):
            assert previews.event(action)[0]
        assert previews.pwned() == []


@pytest.mark.parametrize("value", ["github.head_ref", "github.event.pull_request.title"])
def test_what_would_let_them_is_seen(vps: Previews, value: str) -> None:
    planted = ('just preview-deployed up "$NUMBER"', "just --list ${{ " + value + " }} || true")
    assert vps.event("opened", planted=planted)[0]
    found = vps.pwned()
    assert found
    for path in found:
        path.unlink()


@pytest.mark.parametrize("number", ["12; touch PWNED", "$(touch PWNED)", "../12", "-1", "0x1", ""])
def test_only_a_number_is_a_number(vps: Previews, kubernetes: Previews, number: str) -> None:
    for previews in (vps, kubernetes):
        for action in ("up", "down"):
            done = subprocess.run(
                ["just", "preview-deployed", action, number],
                cwd=previews.repository,
                env=clean_environment() | {"PATH": previews.path, "PREVIEW_HOST": HOST},
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert done.returncode == 2, done.stdout + done.stderr
            assert "is no number of a pull request" in done.stderr or number == ""
        assert previews.pwned() == []
        assert told(previews.folder / "notes") == []
