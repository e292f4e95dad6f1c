"""`app policy`: judge this repository by its policies, and the policies by their own cases."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from app.core import options
from app.core.problems import ConfigurationError

REPORTS = Path("var/reports")


@click.group("policy")
def cli() -> None:
    """Judge the API, containers, infrastructure, workflows and models by policies/."""


@cli.command("check")
@click.option(
    "--input",
    "given",
    multiple=True,
    metavar="POLICY=FILE",
    help="Judge this file too, such as terraform=plan.json.",
)
@options.as_json
def check(given: tuple[str, ...], as_json: bool) -> None:
    """Fail when a policy refuses something, or when a policy's own test does."""
    from app.policy import exceptions, report
    from app.policy.rego import Policies, read_yaml
    from app.policy.subjects import collect
    from app.settings import Settings

    settings, folder = Settings(), Path("policies")
    policies = Policies(folder)
    broken = [line for name in policies.names for line in policies.check(name)]
    if broken:
        raise click.ClickException("the policies are wrong themselves:\n  " + "\n  ".join(broken))
    data = read_yaml(folder / "data.yaml") | {"access": read_yaml(settings.access_file)}
    subjects = collect(Path(), settings, _given(given, policies.names))
    findings = [
        finding
        for it in subjects
        for finding in policies.findings(it.policy, it.content, data, it.file)
    ]
    listed = folder / "exceptions.yaml"
    judged = {it.policy for it in subjects}
    findings = sorted(exceptions.apply(findings, exceptions.load(listed), judged, str(listed)))
    report.write(findings, REPORTS)
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            click.echo(f"{click.style(finding.rule, fg='red')}  {finding.file}")
            click.echo(f"    {finding.message}")
    if findings:
        raise click.ClickException(
            f"the policies refuse {len(findings)} things. Mend them; what has to stay goes "
            f"into {listed} with a reason and an end"
        )
    if not as_json:
        click.echo(f"{len(subjects)} inputs keep every policy: {', '.join(sorted(judged))}")


def _given(pairs: tuple[str, ...], names: list[str]) -> dict[str, list[Path]]:
    given: dict[str, list[Path]] = {}
    for pair in pairs:
        name, separator, path = pair.partition("=")
        if not separator or name not in names:
            raise ConfigurationError(
                f"--input {pair}: expected POLICY=FILE, with one of {', '.join(names)}"
            )
        given.setdefault(name, []).append(Path(path))
    return given
