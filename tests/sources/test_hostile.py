"""Templates that mean harm: nothing is written outside, nothing is run, errors are clear."""

import os
from pathlib import Path
from typing import Any

import pytest

from greenlane.sources import collect, renderer
from samples_of_others import COOKIECUTTER
from sources_support import GIT, Person, Templates, files_of, git

SECRET = "top secret of the person"
COPIER = {"copier.yml": "name: x\n"}
COOKIE = {"cookiecutter.json": '{"name": "x"}'}
TREE = "{{cookiecutter.name}}"

pytestmark = pytest.mark.slow


@pytest.fixture
def victim(person: Person, monkeypatch: pytest.MonkeyPatch) -> Person:
    (person.folder.parent / "secret.txt").write_text(SECRET)
    monkeypatch.setenv("API_TOKEN", SECRET)
    return person


def refused(victim: Person, root: Path, *options: str) -> str:
    """The error of rendering it; whatever was tried, everything around is as before."""
    before = files_of(victim.folder.parent)
    told = victim.fails("new", "app", "--from", root, "--yes", *options)
    assert files_of(victim.folder.parent) == before
    assert SECRET not in told
    return told


def rendered(victim: Person, root: Path, *options: str) -> dict[str, Any]:
    """What was rendered, which holds no secret; all around is as before."""
    before = files_of(victim.folder.parent)
    victim.ok("new", "app", "--from", root, "--yes", *options)
    after = files_of(victim.folder.parent)
    made = {path: after.pop(path) for path in list(after) if path.startswith("work/app/")}
    assert after == before
    assert not any(SECRET.encode() in content for _, content in made.values())
    return made


def contained(victim: Person, root: Path) -> None:
    """It is refused, or what should not be seen is not there."""
    before = files_of(victim.folder.parent)
    status, out, err = victim.run("new", "app", "--from", root, "--yes")
    assert "Traceback" not in err
    assert status in {0, 2}, out + err
    after = files_of(victim.folder.parent)
    made = {path: after.pop(path) for path in list(after) if path.startswith("work/app/")}
    assert after == before
    if status == 0:
        assert made["work/app/a.txt"][1] == b""


LINKS = {
    "file": {"l": "../../secret.txt"},
    "absolute": {"l": "/etc/passwd"},
    "folder": {"l": "/etc"},
    "parent": {"l": "../"},
    "chain": {"sub/l": "../m", "m": "../../secret.txt"},
    "through a folder": {"deep/er/x": "y", "f": "deep/er", "l": "f/../../../secret.txt"},
    "dangling": {"l": "../../not-there"},
}


@pytest.mark.parametrize("links", LINKS.values(), ids=LINKS)
@pytest.mark.parametrize("kind", ["copier", "cookiecutter"])
def test_links_that_lead_out(
    victim: Person, templates: Templates, kind: str, links: dict[str, str]
) -> None:
    place = "" if kind == "copier" else f"{TREE}/"
    files = COPIER if kind == "copier" else COOKIE
    up = "" if kind == "copier" else "../"
    made = {place + k: Path(v.replace("../", up + "../", 1)) for k, v in links.items()}
    root = templates.make("bad", {**files, **made})
    assert "symbolic link" in refused(victim, root)


def test_links_that_copier_renders(victim: Person, templates: Templates) -> None:
    files = {
        "copier.yml": "_preserve_symlinks: true\nto: ../../secret.txt\n",
        "l.jinja": Path("{{ to }}"),
    }
    assert "symbolic link" in refused(victim, templates.make("bad", files))


def test_a_loop_of_links_is_harmless(victim: Person, templates: Templates) -> None:
    files = {"copier.yml": "_preserve_symlinks: true\n", "a": Path("b"), "b": Path("a")}
    assert rendered(victim, templates.make("bad", files))["work/app/a"] == ("link", b"b")


def test_a_destination_that_is_a_link(victim: Person, templates: Templates) -> None:
    (victim.folder / "elsewhere").mkdir()
    (victim.folder / "app").symlink_to("elsewhere")
    root = templates.make("good", {**COPIER, "a.txt": "a\n"})
    assert "symbolic link" in refused(victim, root)


PATHS = {
    "up": "../out.txt",
    "up twice": "a/../../out.txt",
    "git": ".git/hooks/pre-commit",
    "Git": ".GIT/config",
    "git's short name": "GIT~1/config",
    "git with a dot": ".git./config",
    "backslash": "a\\\\b",
    "newline": "a\\nb",
    "escape": "a\\eb",
    "invisible": ".g\\u200dit/config",
    "too long": "n" * 300,
    "record": ".greenlane/project.yml",
}


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_paths_from_answers_of_copier(victim: Person, templates: Templates, path: str) -> None:
    files = {"copier.yml": f'path: "{path}"\n', "{{ path }}": "harm\n"}
    refused(victim, templates.make("bad", files))


@pytest.mark.parametrize("name", ["../x", "../../x", "a/../../x", "/tmp/x", "."])
def test_names_of_cookiecutter(victim: Person, templates: Templates, name: str) -> None:
    root = templates.make("bad", {**COOKIE, f"{TREE}/a.txt": "harm\n"})
    refused(victim, root, "--set", f"name={name}")


@pytest.mark.parametrize("path", ["../out.txt", "../../out.txt", "/tmp/out.txt", ".git/config"])
def test_paths_from_answers_of_cookiecutter(
    victim: Person, templates: Templates, path: str
) -> None:
    files = {"cookiecutter.json": f'{{"name": "x", "path": "{path}"}}'}
    files[f"{TREE}/{{{{cookiecutter.path}}}}"] = "harm\n"
    files[f"{TREE}/a.txt"] = "a\n"
    refused(victim, templates.make("bad", files))


def test_twins(victim: Person, templates: Templates) -> None:
    root = templates.make("bad", {**COPIER, "Readme": "a\n", "README": "b\n"})
    assert "cannot exist together" in refused(victim, root)


MANIFESTS = {
    "python": "x: !!python/object/apply:os.system ['touch /tmp/pwned']\n",
    "included folder": "_a: !include /etc/*\n",
    "subdirectory": "_subdirectory: ../..\n",
    "answers": "_answers_file: ../out.yml\nx: 1\n",
    "external": "_external_data: {s: ../../../secret.txt}\nx: '{{ _external_data.s }}'\n",
    "duplicates": "x: {type: nonsense}\n",
    "own default": "x: '{{ x }}{{ x.y.z }}'\n",
    "not YAML": "x: [\n",
    "bomb": "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
    + "".join(f"{c}: &{c} [{', '.join(f'*{p}' for _ in range(10))}]\n" for p, c in
              zip("abcdefgh", "bcdefghi", strict=True))
    + "z: {default: '{{ 1 }}', choices: *i}\n",
}  # fmt: skip


@pytest.mark.parametrize("manifest", MANIFESTS.values(), ids=MANIFESTS)
def test_manifests(victim: Person, templates: Templates, manifest: str, monkeypatch: Any) -> None:
    monkeypatch.setattr(renderer, "SECONDS", 5)
    out = "{{ _copier_conf.answers_file }}.jinja"
    refused(victim, templates.make("bad", {"copier.yml": manifest, out: "{{ x }}", "a": "a\n"}))


def test_an_include_from_outside_includes_nothing(victim: Person, templates: Templates) -> None:
    manifest = "x: {choices: !include ../../secret.txt, default: a}\n"
    rendered(victim, templates.make("bad", {"copier.yml": manifest, "a.jinja": "{{ x }}"}))


ESCAPES = [
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ cycler.__init__.__globals__.os.system('touch ../../../pwned') }}",
    "{{ lipsum.__globals__['os'].popen('id').read() }}",
    "{{ self.__init__.__globals__.__builtins__.open('/etc/passwd').read() }}",
    "{{ '{0.__class__.__init__.__globals__}'.format(self) }}",
    "{{ ''|attr('format')|attr('__self__')|attr('__class__') }}",
    "{{ ('{0.__class__}'|attr('format'))('').mro }}",
    "{% set f = '{0.__class__}'.format %}{{ [''] | map(f) | list | first | int(base=99) }}",
    "{{ namespace.__init__.__globals__ }}",
    "{{ ''['__cla' ~ 'ss__'].mro() }}",
    "{{ joiner|attr('\\x5f\\x5finit\\x5f\\x5f')|attr('\\x5f\\x5fglobals\\x5f\\x5f') }}",
    "{{ (1).from_bytes.__self__.__class__.mro()[1].__subclasses__() }}",
    "{{ request.application.__globals__ }}",
    "{% include '../../../secret.txt' %}",
    "{% include '/etc/passwd' %}",
    "{% import '../../secret.txt' as x %}{{ x }}",
    "{{ 'a' * 10 ** 11 }}",
    "{% for i in range(100000) %}{% for j in range(100000) %}x{% endfor %}{% endfor %}",
]


@pytest.mark.parametrize("escape", ESCAPES)
@pytest.mark.parametrize("kind", ["copier", "cookiecutter"])
def test_ways_out_of_the_sandbox(
    victim: Person, templates: Templates, kind: str, escape: str, monkeypatch: Any
) -> None:
    monkeypatch.setattr(renderer, "SECONDS", 3)
    name = "a.txt.jinja" if kind == "copier" else f"{TREE}/a.txt"
    files = COPIER if kind == "copier" else COOKIE
    contained(victim, templates.make("bad", {**files, name: escape}))


OF_COPIER = [
    "{{ _copier_conf.src_path.parser.os.system('touch ../../../pwned') }}",
    "{{ _copier_conf.dst_path.parser.os.environ }}",
    "{{ _copier_conf.src_path.read_text('/etc/passwd') }}",
    "{{ '/etc/*' | fileglob | first | length / 0 }}",
    "{{ pathjoin.__globals__ }}",
    "{{ 'x' | regex_search('x') | regex_search('(x+x+)+y') | length }}",
    "{{ _copier_conf.settings.from_file('/etc/passwd') }}",
]


@pytest.mark.parametrize("escape", OF_COPIER)
def test_what_copier_hands_to_templates(victim: Person, templates: Templates, escape: str) -> None:
    contained(victim, templates.make("bad", {**COPIER, "a.txt.jinja": escape}))


def test_patterns_that_never_end(victim: Person, templates: Templates, monkeypatch: Any) -> None:
    monkeypatch.setattr(renderer, "SECONDS", 2)
    manifest = (
        "x:\n  default: a\n  validator: \"{{ ('a' * 40 ~ '!') | regex_search('(a+)+$') }}\"\n"
    )
    assert "more than 2 s" in refused(victim, templates.make("bad", {"copier.yml": manifest}))


def test_a_file_name_with_statements(victim: Person, templates: Templates) -> None:
    name = f"{TREE}/a'{{% set x = ''.__class__.__mro__ %}}{{{{ x }}}}\".txt"
    refused(victim, templates.make("bad", {**COOKIE, name: "a\n"}))


def test_too_much_is_written(victim: Person, templates: Templates, monkeypatch: Any) -> None:
    monkeypatch.setattr(collect, "MOST_FILES", 50)
    many = {"copier.yml": "_x: 1\n", "{% yield i from range(80) %}f{{ i }}{% endyield %}": "x\n"}
    assert "more than 50 files" in refused(victim, templates.make("many", many))
    monkeypatch.setattr(collect, "MOST_BYTES", 1 << 20)
    big = {**COPIER, "big.jinja": "{{ 'x' * 2000000 }}"}
    assert "more than 1 MiB" in refused(victim, templates.make("big", big))


CODE = {
    "tasks": {"copier.yml": "_tasks: ['touch {0}/pwned', 'echo x > ran.txt']\nx: 1\n", "a": "a\n"},
    "migrations": {"copier.yml": "_migrations: ['touch {0}/pwned']\nx: 1\n", "a": "a\n"},
    "extension": {
        "copier.yml": "_jinja_extensions: [harm.Harm]\nx: 1\n",
        "harm.py": "open('{0}/pwned', 'w')\nraise SystemExit\n",
        "a": "a\n",
    },
    "hook": {
        **COOKIE,
        f"{TREE}/a": "a\n",
        "hooks/post_gen_project.sh": "#!/bin/sh\ntouch {0}/pwned; echo x > ran.txt\n",
        "hooks/pre_prompt.py": "open('{0}/pwned', 'w')\n",
        "hooks/pre_gen_project.py": "open('{0}/pwned', 'w')\n",
    },
    "extension of cookiecutter": {
        "cookiecutter.json": '{{"name": "x", "_extensions": ["harm.Harm"]}}',
        "harm.py": "open('{0}/pwned', 'w')\n",
        f"{TREE}/a": "a\n",
    },
}


@pytest.mark.parametrize("files", CODE.values(), ids=CODE)
def test_no_code_is_run(victim: Person, templates: Templates, files: dict[str, str]) -> None:
    place = str(victim.folder.parent)
    files = {
        path: text.replace("{0}", place).replace("{{\"", "{\"").replace("]}}", "]}")
        for path, text in files.items()
    }  # fmt: skip
    root = templates.make("bad", files)
    made = rendered(victim, root)
    assert "work/app/ran.txt" not in made
    told = victim.document("status", inside="app")
    assert told["behind"] is False
    note = victim.document("update", inside="app")["notes"]
    assert any("--trust" in text or "not run" in text for text in note)


def test_code_is_run_when_trusted(
    person: Person, templates: Templates, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = "import os\nos.remove('LICENSE')\nopen('ran.txt', 'w').write('x')\n"
    root = templates.make("lib", {**COOKIECUTTER, "hooks/post_gen_project.py": hook})
    person.ok("new", "app", "--from", root, "--trust", "--yes")
    assert (person.folder / "app/ran.txt").is_file()
    assert not (person.folder / "app/LICENSE").exists()
    # Without its code an update would bring the deleted file back, and take ran.txt away.
    assert "--trust" in person.fails("update", inside="app")
    monkeypatch.setenv("GREENLANE_TRUST", f"{templates.folder}/")
    assert person.document("update", inside="app")["changed"] is False


def test_no_filter_hook_or_submodule_of_its_repository(
    victim: Person, templates: Templates
) -> None:
    other = templates.make("other", {"secret.txt": SECRET})
    root = templates.make("bad", {**COPIER, ".gitattributes": "* filter=harm\n", "a.txt": "a\n"})
    env = {**os.environ, **GIT}
    git(root, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(other), "sub")
    git(root, "commit", "-q", "-m", "sub")
    harm = f"touch {victim.folder.parent}/pwned; cat"
    for key in ("filter.harm.smudge", "filter.harm.process", "core.fsmonitor", "core.sshCommand"):
        git(root, "config", key, harm)
    hook = root / ".git/hooks/post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\n{harm}\n")
    hook.chmod(0o755)
    assert env
    made = rendered(victim, root)
    assert made["work/app/a.txt"] == ("-", b"a\n")


SOURCES = [
    "ext::sh -c 'touch pwned'",
    "git+ext::sh -c touch% pwned",
    "--upload-pack=touch pwned",
    "-oProxyCommand=touch pwned",
    "ssh://-oProxyCommand=touch/x",
    "http://example.com/x.git",
    "git://example.com/x.git",
    "file://host/x",
    "fd::17",
    "hg+https://example.com/x",
    "gh:../../x\n",
]


@pytest.mark.parametrize("source", SOURCES)
def test_addresses(victim: Person, source: str) -> None:
    before = files_of(victim.folder.parent)
    victim.fails("new", "app", "--yes", f"--from={source}")
    assert files_of(victim.folder.parent) == before


@pytest.mark.parametrize(
    "ref", ["--upload-pack=x", "-x", "a..b", "a b", "a:b", "@{-1}", "a^", "a\n"]
)
def test_refs(victim: Person, templates: Templates, ref: str) -> None:
    root = templates.make("good", {**COPIER, "a.txt": "a\n"})
    refused(victim, root, f"--ref={ref}")


def test_a_record_that_lies(victim: Person, templates: Templates) -> None:
    root = templates.make("good", {**COPIER, "a.txt": "a\n"})
    victim.ok("new", "app", "--from", root, "--yes")
    record = victim.folder / "app/.greenlane/project.yml"
    good = record.read_text()
    for old, new in (
        (str(root), "ext::sh -c touch% pwned"),
        (str(root), "--upload-pack=x"),
        ('folder: "app"', 'folder: "../app"'),
        ("kind: copier", "kind: copier\nref: '--x'"),
        ("kind: copier", "kind: copier\ndirectory: ../.."),
        ("kind: copier", "kind: copier\nanswers: 5"),
        ('commit: "', 'commit: "--x'),
    ):
        record.write_text(good.replace(old, new))
        victim.commit("app")
        before = files_of(victim.folder.parent, "home")
        status, out, err = victim.run("update", inside="app")
        assert status == 2, (new, out)
        assert "Traceback" not in err
        assert files_of(victim.folder.parent, "home") == before
