"""Every preset with every choice of cloud and CI that the wizard offers after it."""

from pathlib import Path

import pytest

from github_parser import read_by_github
from greenlane.answers import Answers, resolve
from greenlane.combinations import templates
from greenlane.hygiene import problems
from greenlane.render import render
from greenlane.tree import File, Tree
from made import KIT, chosen, modules_of
from references import missing
from rendering import tool, write

pytestmark = pytest.mark.slow

Rendered = dict[str, tuple[Answers, Tree]]


@pytest.fixture(scope="module")
def rendered() -> Rendered:
    found: Rendered = {}
    for preset in KIT.presets:
        for choice in chosen():
            modules = ",".join(modules_of(preset, choice))
            answers = resolve(KIT, name="my-app", preset=preset, sets=[f"modules={modules}"])
            found[" + ".join([preset, *choice])] = answers, render(KIT, answers)
    return found


def test_all_are_there(rendered: Rendered) -> None:
    places, checks = (len(KIT.members(name)) for name in ("infrastructure", "ci"))
    assert (places, checks) == (5, 2)
    assert len(rendered) == len(KIT.presets) * (1 + places) * (1 + checks + 1)


def test_all_render_clean(rendered: Rendered) -> None:
    seen: set[tuple[str, bytes]] = set()
    for name, (answers, tree) in rendered.items():
        new = {path: file for path, file in tree.items() if (path, file.content) not in seen}
        assert problems(new, templates(KIT, answers)) == [], name
        seen |= {(path, file.content) for path, file in new.items()}


def test_all_have_what_they_name(rendered: Rendered) -> None:
    found = {
        problem: f"{problem} ({name})"
        for name, (_, tree) in rendered.items()
        for problem in missing(tree)
    }
    assert not found, "\n".join(sorted(found.values()))


@pytest.mark.parametrize(
    ("path", "text", "problem"),
    [
        ("docs/a.md", "Then `just nothing`.\n", "recipe nothing"),
        ("docs/a.md", "```console\n$ uv run just nothing now\n```\n", "recipe nothing"),
        (".gitlab-ci.yml", "a: uv run just nothing\n", "recipe nothing"),
        ("docs/a.md", "See [there](there.md#a).\n", "link there.md"),
        ("docs/a.md", "See `app/nothing.py`.\n", "file app/nothing.py"),
        ("docs/a.md", "Set `NOTHING_KNOWN=1`.\n", "setting NOTHING_KNOWN"),
        ("app/a.py", "from app.nothing import thing\n", "module app.nothing"),
    ],
)
def test_what_is_not_there_is_noticed(
    rendered: Rendered, path: str, text: str, problem: str
) -> None:
    _, tree = rendered["minimal"]
    assert [*missing(tree)] == []
    assert [*missing(Tree({**tree, path: File(text.encode())}))] == [f"{path}: {problem}"]


def different(rendered: Rendered, folder: Path, path: str) -> list[Path]:
    """The files at `path` of all trees, each content once, in folders of their own."""
    contents = {tree[path].content for _, tree in rendered.values() if path in tree}
    files = []
    for number, content in enumerate(sorted(contents)):
        file = folder / f"{number}-{path.replace('/', '-')}"
        file.write_bytes(content)
        files.append(file)
    return files


def test_all_are_formatted_and_linted(rendered: Rendered, tmp_path: Path) -> None:
    """Each by its own pyproject.toml, which ruff looks for. A file is not looked at twice."""
    seen: set[tuple[str, bytes]] = set()
    for name, (_, tree) in rendered.items():
        looked = {(path, tree[path].content) for path in tree if path.endswith((".py", ".md"))}
        new = {path: tree[path] for path, _ in looked - seen}
        always = {path: tree[path] for path in ("pyproject.toml", "app/__init__.py")}
        write(Tree({**new, **always}), tmp_path / name)
        seen |= looked
    for command in (["format", "--check"], ["check"]):
        done = tool("ruff", *command, "--no-cache", ".", cwd=tmp_path)
        assert done.returncode == 0, done.stdout[-4000:]


def test_all_pipelines_can_be_read(rendered: Rendered, parser: Path, tmp_path: Path) -> None:
    paths = {path for _, tree in rendered.values() for path in tree}
    github = [
        file
        for path in sorted(paths)
        if path.startswith(".github/workflows/")
        for file in different(rendered, tmp_path, path)
    ]
    assert len(github) >= 5
    assert read_by_github(parser, *github) == ""
    schemas = {
        "vendor.github-workflows": github,
        "custom.github-workflows-require-timeout": github,
        "vendor.gitlab-ci": different(rendered, tmp_path, ".gitlab-ci.yml"),
        "vendor.dependabot": different(rendered, tmp_path, ".github/dependabot.yml"),
    }
    for schema, files in schemas.items():
        done = tool("check-jsonschema", "--builtin-schema", schema, *map(str, files))
        assert done.returncode == 0, done.stdout


def test_workflows_are_secure(rendered: Rendered, tmp_path: Path) -> None:
    """Their files beside each other as in a repository, where zizmor looks for them."""
    for number, (_, tree) in enumerate(rendered.values()):
        found = {path: file for path, file in tree.items() if path.startswith(".github/")}
        same = Tree(found).digest() if found else ""
        if found and not (tmp_path / same).exists():
            write(Tree(found), tmp_path / same)
            done = tool("zizmor", "--offline", "--quiet", str(tmp_path / same / ".github"))
            assert done.returncode == 0, (number, done.stdout)
