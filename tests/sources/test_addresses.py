"""What `--from` may say, what is recorded of it, and what the person's trust covers."""

from pathlib import Path

import pytest

from greenlane.errors import GreenlaneError
from greenlane.sources.address import is_trusted, parse, trust_file
from greenlane.sources.fetch import release_key


@pytest.mark.parametrize(
    ("text", "recorded", "url", "ref"),
    [
        ("gh:a/b", "gh:a/b", "https://github.com/a/b.git", ""),
        ("gl:a/b/c@1.2", "gl:a/b/c", "https://gitlab.com/a/b/c.git", "1.2"),
        ("https://x.org/a/b@v1", "https://x.org/a/b", "https://x.org/a/b", "v1"),
        ("git+https://x.org/a", "https://x.org/a", "https://x.org/a", ""),
        ("https://u:p@x.org/a.git", "https://x.org/a.git", "https://u:p@x.org/a.git", ""),
        ("https://tok@x.org:8443/a", "https://x.org:8443/a", "https://tok@x.org:8443/a", ""),
        ("https://x.org/a?token=1", "https://x.org/a", "https://x.org/a?token=1", ""),
        ("ssh://git@x.org/a", "ssh://git@x.org/a", "ssh://git@x.org/a", ""),
        ("git@x.org:a/b.git", "git@x.org:a/b.git", "git@x.org:a/b.git", ""),
        ("git@x.org:a/b.git@main", "git@x.org:a/b.git", "git@x.org:a/b.git", "main"),
    ],
)
def test_addresses(text: str, recorded: str, url: str, ref: str) -> None:
    address, found = parse(text)
    assert (address.text, address.url, found) == (recorded, url, ref)


def test_folders_are_recorded_in_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "at@home").mkdir()
    monkeypatch.chdir(tmp_path)
    assert parse("lib")[0].text == str(tmp_path / "lib")
    assert parse("./lib@1.0")[1] == "1.0"
    assert parse("at@home")[0].folder == tmp_path / "at@home"
    assert parse(f"file://{tmp_path}/lib")[0].folder == tmp_path / "lib"
    with pytest.raises(GreenlaneError, match="no folder"):
        parse("lob")


def test_two_refs() -> None:
    with pytest.raises(GreenlaneError, match="Give|names"):
        parse("gh:a/b@1", "2")


@pytest.mark.parametrize(
    ("line", "source", "trusted"),
    [
        ("gh:me/", "gh:me/lib", True),
        ("gh:me/lib", "gh:me/lib", True),
        ("gh:me/lib", "https://github.com/me/lib.git", True),
        ("gh:me/lib", "git@github.com:me/lib.git", True),
        ("https://GitHub.com/me/", "gh:me/lib", True),
        ("gh:me/lib/", "gh:me/lib", False),
        ("gh:me/lib", "gh:me/lib2", False),
        ("gh:me/lib", "gh:me/Lib", False),
        ("gh:me", "gh:me/lib", False),
        ("gh:me/", "gh:me2/lib", False),
        ("gh:me/", "https://github.com/me/../evil/lib", False),
        ("gh:me/", "https://github.com/me/%2e%2e/evil/lib", False),
        ("gh:me/", "https://github.com@evil.org/me/lib", False),
        ("gh:me/", "https://u:p@github.com/me/lib", False),
        ("gh:me/", "https://github.com.evil.org/me/lib", False),
        ("gh:me/", "https://github.com:8443/me/lib", False),
        ("gh:me/", "https://github.com/me//lib", False),
        ("gh:me/", "https://github.com/me/lib?x=1", False),
        ("gh:../", "gh:me/lib", False),
        ("nonsense", "gh:me/lib", False),
        ("", "gh:me/lib", False),
    ],
)
def test_trust(
    line: str, source: str, trusted: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("GREENLANE_TRUST", line)
    assert is_trusted(parse(source)[0]) is trusted
    monkeypatch.delenv("GREENLANE_TRUST")
    assert not is_trusted(parse(source)[0])
    trust_file().parent.mkdir()
    trust_file().write_text(f"# ours\n{line}\n")
    assert is_trusted(parse(source)[0]) is trusted


def test_trust_of_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))
    for name in ("ours/lib", "evil/lib"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "ours/link").symlink_to(tmp_path / "evil/lib")
    monkeypatch.setenv("GREENLANE_TRUST", f"{tmp_path}/ours/")
    assert is_trusted(parse(str(tmp_path / "ours/lib"))[0])
    assert is_trusted(parse(f"{tmp_path}/ours/lib/")[0])
    assert not is_trusted(parse(f"{tmp_path}/ours/../evil/lib")[0])
    assert not is_trusted(parse(str(tmp_path / "ours/link"))[0])
    assert not is_trusted(parse(str(tmp_path / "evil/lib"))[0])


def test_releases_are_sorted_as_pep_440_does() -> None:
    tags = [
        "1.10",
        "v1.9.9",
        "1.10.post1",
        "1!0.1",
        "2.0rc1",
        "2.0.dev1",
        "latest",
        "1.10.0",
        "2-1",
    ]
    found = sorted((key, tag) for tag in tags if (key := release_key(tag)))
    assert [tag for _, tag in found] == ["v1.9.9", "1.10", "1.10.0", "1.10.post1", "2-1", "1!0.1"]
