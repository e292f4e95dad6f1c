"""fleet.yml: what it may say, and how a mistake in it is told."""

from pathlib import Path

import pytest

from greenlane.errors import GreenlaneError
from greenlane.fleet.targets import BRANCH, Target, find_clones, read_fleet

EXAMPLE = """\
defaults:
  base: origin/main
  sets: {license: MIT}
work_folder: clones
repositories:
  - path: ../desk
  - url: https://github.com/acme/shop.git
    base: main
    branch: kit-{version}
    sets: {region: eu, loud: true, port: 80, modules: [mail, jobs]}
  - url: git@github.com:acme/desk.git
"""


def read(folder: Path, text: str) -> list[Target]:
    folder.mkdir(exist_ok=True)
    (folder / "fleet.yml").write_text(text)
    return read_fleet(folder / "fleet.yml")


def test_paths_urls_and_defaults(tmp_path: Path) -> None:
    desk, shop, other = read(tmp_path / "here", EXAMPLE)
    license_ = ("license=MIT",)
    assert desk == Target("desk", tmp_path / "desk", "", license_, BRANCH, "origin/main")
    assert shop.path.parent == tmp_path / "here/clones"
    assert (shop.name, shop.base, shop.branch) == ("shop", "main", "kit-{version}")
    assert shop.sets == (*license_, "region=eu", "loud=true", "port=80", "modules=mail,jobs")
    assert (other.name, other.url) == ("desk-2", "git@github.com:acme/desk.git")
    assert other.path != shop.path


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("repository: []\n", '"repository" is not a key known here', '"repositories"'),
        ("repositories: [{path: a, brunch: b}]\n", "brunch", '"branch"'),
        ("defaults: {bse: x}\nrepositories: [{path: a}]\n", "bse", '"base"'),
        ("repositories: []\n", "names no repository", "- path"),
        ("repositories: [desk]\n", "list of mappings", ""),
        ("repositories: [{branch: x}]\n", 'either "path" or "url"', "- path"),
        ("repositories: [{path: a, url: 'https://b/c'}]\n", 'either "path" or "url"', ""),
        ("repositories: [{path: a}, {path: ./b/../a}]\n", "a second time", ""),
        ("repositories: [{path: a, base: -x}]\n", "no revision", "base:"),
        ("repositories: [{path: a, sets: {b: {c: d}}}]\n", "a mapping, expected an answer", ""),
        ("repositories: [{path: 1}]\n", "a number, expected a text", "quotes"),
        ("repositories: [\n", "is not YAML", ""),
        ("- path: a\n", "a list, expected a mapping", ""),
    ],
)
def test_a_mistake_is_told_with_its_place(
    tmp_path: Path, text: str, message: str, hint: str
) -> None:
    with pytest.raises(GreenlaneError) as error:
        read(tmp_path, text)
    assert message in error.value.message
    assert "fleet.yml" in error.value.message
    assert hint in error.value.hint


@pytest.mark.parametrize(
    "url",
    [
        "ext::sh -c touch% /tmp/owned",
        "ext://sh",
        "http://github.com/acme/shop",
        "git://github.com/acme/shop",
        "--upload-pack=touch /tmp/owned",
        "-oProxyCommand=touch",
        "ssh://-oProxyCommand=touch/x",
        "ssh://git@-oProxyCommand=touch/x",
        "-oProxyCommand=touch:x",
        "fd::17/foo",
        "https://ada:secret@github.com/acme/shop",
        "https://github.com/acme/shop\n--upload-pack=x",
        "/somewhere",
    ],
)
def test_addresses_that_are_not_fetched_from(tmp_path: Path, url: str) -> None:
    import json

    with pytest.raises(GreenlaneError, match=r"address|host|password|single"):
        read(tmp_path, f"repositories: [{{url: {json.dumps(url)}}}]\n")


def test_a_folder_of_clones(tmp_path: Path) -> None:
    for name in ("b/.git", "a/.git", "c/x", ".hidden/.git"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "file").touch()
    assert [(x.name, x.listed) for x in find_clones(tmp_path)] == [("a", False), ("b", False)]
    assert [x.path for x in find_clones(tmp_path / "a")] == [tmp_path / "a"]
    with pytest.raises(GreenlaneError, match="no clone"):
        find_clones(tmp_path / "c")
