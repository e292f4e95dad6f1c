"""Two small templates that use what the libraries offer."""

from pathlib import Path

COPIER: dict[str, str | bytes | Path] = {
    "copier.yml": """\
_subdirectory: template
_templates_suffix: .jinja
_preserve_symlinks: true
_exclude: ["{% if not docs %}docs{% endif %}", "*.skip"]
_answers_file: .copier-answers.yml
name:
  type: str
  help: What is it called?
  validator: "{% if name|length < 3 %}at least three letters{% endif %}"
  default: my-lib
package:
  type: str
  default: "{{ name|replace('-', '_') }}"
  when: false
license:
  type: str
  choices: {MIT License: MIT, Apache 2.0: Apache-2.0}
  default: MIT
python:
  type: str
  multiselect: true
  choices: ["3.11", "3.12", "3.13"]
  default: ["3.12", "3.13"]
docs:
  type: bool
  default: true
theme:
  type: str
  default: plain
  when: "{{ docs }}"
limits:
  type: yaml
  default: {cpu: 2, memory: 1.5}
token:
  type: str
  secret: true
  default: none
""",
    "template/README.md.jinja": (
        "# {{ name }}\n\n{{ license }} {{ python|join(' ') }} {{ limits.cpu }}\n"
    ),
    "template/src/{{ package }}/__init__.py.jinja": 'NAME = "{{ name }}"\n',
    "template/docs/index.md.jinja": "Docs of {{ name }} in {{ theme }}, for {{ _folder_name }}\n",
    "template/run.sh": "#!/bin/sh\necho run\n",
    "template/logo.bin": bytes(range(256)),
    "template/latest": Path("docs/index.md"),
    "template/notes.skip": "left out\n",
    "template/{{ _copier_conf.answers_file }}.jinja": "{{ _copier_answers|to_nice_yaml }}",
}

COOKIECUTTER: dict[str, str | bytes | Path] = {
    "cookiecutter.json": """\
{
  "name": "My Lib",
  "slug": "{{ cookiecutter.name|lower|replace(' ', '-') }}",
  "license": ["MIT", "Apache-2.0"],
  "docs": true,
  "people": {"ada": {"role": "{{ cookiecutter.name }} lead"}},
  "_copy_without_render": ["raw/*", "*.html"],
  "__shout": "{{ cookiecutter.name|upper }}",
  "__prompts__": {
    "name": "What is it called?",
    "license": {"__prompt__": "Which license?", "MIT": "anyone may use it"}
  }
}
""",
    "{{cookiecutter.slug}}/README.md": "# {{ cookiecutter.name }}\n{{ cookiecutter.__shout }}\n",
    "{{cookiecutter.slug}}/LICENSE": (
        "{{ cookiecutter.license }} {{ cookiecutter.people.ada.role }}\n"
    ),
    "{{cookiecutter.slug}}/raw/keep.txt": "{{ not.rendered }}\n",
    "{{cookiecutter.slug}}/page.html": "{{ neither }}\n",
    "{{cookiecutter.slug}}/windows.txt": "a {{ cookiecutter.slug }}\r\nb\r\n",
    "{{cookiecutter.slug}}/run.sh": "#!/bin/sh\necho {{ cookiecutter.slug }}\n",
    "{{cookiecutter.slug}}/logo.bin": bytes(range(256)),
    "{{cookiecutter.slug}}/{{cookiecutter.slug}}.py": "docs = {{ cookiecutter.docs }}\n",
}
