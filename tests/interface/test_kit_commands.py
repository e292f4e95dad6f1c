"""`greenlane kit`: what its authors see."""

from conftest import MakeKit
from interface.conftest import Greenlane


def test_lint(greenlane: Greenlane, make_kit: MakeKit) -> None:
    root = make_kit({"base/files/a.txt": "x\ny \n"})
    done = greenlane.run("kit", "lint", root)
    assert (done.returncode, done.stderr) == (1, "")
    assert "base/files/a.txt:2: ends with a space (clean)" in done.stdout
    assert "base/module.yml:5: features is declared under `sets`, but no template" in done.stdout
    document = greenlane.document("kit", "lint", root, status=1)
    assert {"clean", "sockets-read"} <= {item["rule"] for item in document["findings"]}
    assert "no kit here" in greenlane.fails("kit", "lint")[0]


def test_new_new_module_and_test(greenlane: Greenlane) -> None:
    begun = greenlane.document("kit", "new", "acme-kit")
    assert "modules/greeting/module.yml" in begun["files"]
    assert "files/app/badge/__init__.py" in greenlane.ok("kit", "new-module", "badge", "acme-kit")
    assert greenlane.ok("kit", "lint", "acme-kit") == "Every rule holds.\n"
    tried = greenlane.document("kit", "test", "acme-kit", "--random", "1")
    assert {trial["outcome"] for trial in tried["trials"]} == {"ok"}
    assert tried["trials"][0]["name"] == "preset acme-kit"
    broken = greenlane.folder / "acme-kit/modules/badge/slots/readme.md"
    broken.write_text("## Badge \n")
    done = greenlane.run("kit", "test", "acme-kit", "--random", "0", "--since", "HEAD")
    assert (done.returncode, done.stderr) == (1, "")
    assert "triage with badge: failed" in done.stdout
    assert "README.md: line" in done.stdout
    assert "update" in done.stdout


def test_the_pipeline(greenlane: Greenlane) -> None:
    greenlane.ok("kit", "new", "acme-kit")
    printed = greenlane.ok("kit", "test", "acme-kit", "--ci", "github")
    assert printed == (greenlane.folder / "acme-kit/.github/workflows/kit.yml").read_text()
    document = greenlane.document("kit", "test", "acme-kit", "--ci", "gitlab")
    assert document["path"] == ".gitlab-ci.yml"
