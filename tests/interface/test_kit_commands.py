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
