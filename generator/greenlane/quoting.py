"""Writing a text so that it stays one text, whatever it holds."""

import re

# Valid in JSON, but refused or altered by YAML or TOML when not escaped.
_ESCAPED = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*")
_WORDS = frozenset(["true", "false", "null", "yes", "no", "on", "off", "y", "n"])


def quoted(text: str) -> str:
    """`text` in double quotes, the same string in JSON, YAML and TOML."""
    import json

    return _ESCAPED.sub(
        lambda match: f"\\u{ord(match[0]):04x}", json.dumps(text, ensure_ascii=False)
    )


def yaml_scalar(value: str | int | bool) -> str:
    """`value` as YAML reads it back with the same type; bare when that is safe."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return quoted(value)
