"""Which paths may be written."""

import pytest

from greenlane.paths import clashes, path_problem


@pytest.mark.parametrize(
    "path",
    [
        *("README.md", "app/main.py", ".github/workflows/ci.yml", "a b.txt", "-x", "x~", "~x"),
        *("Grüße.md", "日本.md", "😀.md", ".gitignore", ".gitattributes", "git", "a.git"),
        *("console.log", "com10", "nulls", "..a", "a..b", "x" * 255),
    ],
)
def test_good(path: str) -> None:
    assert path_problem(path) == ""


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("", "empty"),
        ("/etc/passwd", "absolute"),
        ("../x", '".."'),
        ("a/../../x", '".."'),
        ("./x", '"."'),
        ("~/x", '"~"'),
        ("a//b", "empty part"),
        ("a/", "empty part"),
        ("a\\b", "backslash"),
        ("C:\\x", "backslash"),
        ("C:x", "Windows forbids"),
        ("a\0b", "cannot be seen"),
        ("a\nb", "cannot be seen"),
        ("a\x1b[2Jb", "cannot be seen"),
        ("a\u202etxt.exe", "cannot be seen"),
        ("a\udcffb", "not UTF-8"),
        ("x.", "dot or a space"),
        ("x /y", "dot or a space"),
        ("CON", "device"),
        ("docs/nul.txt", "device"),
        ("Com1.tar.gz", "device"),
        ("lpt²", "device"),
        ("con .txt", "device"),
        (".git/hooks/pre-commit", ".git"),
        ("sub/.GIT/config", ".git"),
        ("GIT~1/config", ".git"),
        (".g\u200dit/config", "cannot be seen"),
        (".git./config", "dot or a space"),
        ("x" * 256, "255 bytes"),
        ("é" * 128, "255 bytes"),
        ("/".join(["abcd"] * 250), "1000 bytes"),
        ("e\u0301", "NFC"),
        ("{{ name }}.md", "template"),
        ("{% if x %}.md", "template"),
        ('a".md', "Windows forbids"),
        ("what?", "Windows forbids"),
    ],
)
def test_bad(path: str, problem: str) -> None:
    assert problem in path_problem(path)


@pytest.mark.parametrize(
    ("paths", "pairs"),
    [
        (["a", "b", "a/b/c"], [("a", "a/b/c")]),
        (["README.md", "readme.md"], [("README.md", "readme.md")]),
        (["Docs/a", "docs"], [("docs", "Docs/a")]),
        (["straße", "STRASSE"], [("STRASSE", "straße")]),
        (["É", "é"], [("É", "é")]),
        (["a.b", "a/b", "a-b"], []),
        (["a/b", "a/c", "ab"], []),
    ],
)
def test_clashes(paths: list[str], pairs: list[tuple[str, str]]) -> None:
    assert clashes(paths) == pairs
