"""Who counts as the caller, behind each proxy: limits of attempts to sign in are kept by address.

Uvicorn believes the first of `X-Forwarded-For` where FORWARDED_ALLOW_IPS is `*`, otherwise the last
one that is not listed. So `*` is only for a proxy that leaves nothing of the caller's standing, or
where the platform says the address in a header of its own.
"""

from pathlib import Path

from made import KIT

MODULES = KIT.root / "modules"
# They write the header anew: Caddy and Cloud Run do by themselves, and Kamal's proxy with TLS.
OVERWRITES = {
    "infra-gcp/files/infra/gcp/run.tf",
    "infra-vps/files/infra/vps/release.yaml",
    "one-click/files/config/deploy.yml.jinja",
}


def believing(folder: Path) -> dict[str, str]:
    """The files that say whom to believe, with the line that does and what follows it."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".tf", ".yaml", ".yml", ".toml", ".jinja") and path.is_file():
            _, name, rest = path.read_text(encoding="utf-8").partition("FORWARDED_ALLOW_IPS")
            if name:
                found[path.relative_to(folder).as_posix()] = rest
    return found


def mistaken(found: dict[str, str]) -> list[str]:
    return [
        file
        for file, rest in found.items()
        if '"*"' in "".join(rest.splitlines()[:2])
        and file not in OVERWRITES
        and "CLIENT_ADDRESS_HEADER" not in rest
    ]


def test_the_word_of_a_proxy_that_adds_to_the_header_is_not_all_true() -> None:
    found = believing(MODULES)
    assert {file.partition("/")[0] for file in found} == {
        "infra-aws",
        "infra-gcp",
        "infra-kubernetes",
        "infra-vps",
        "one-click",
    }
    assert mistaken(found) == []


def test_one_that_believes_all_is_found(tmp_path: Path) -> None:
    (tmp_path / "bad.tf").write_text('FORWARDED_ALLOW_IPS = "*"\n')
    (tmp_path / "bad.yaml").write_text('- key: FORWARDED_ALLOW_IPS\n  value: "*"\n')
    (tmp_path / "good.toml").write_text('FORWARDED_ALLOW_IPS = "*"\nCLIENT_ADDRESS_HEADER = "X"\n')
    assert mistaken(believing(tmp_path)) == ["bad.tf", "bad.yaml"]
