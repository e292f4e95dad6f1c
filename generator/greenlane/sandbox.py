"""The only module that touches Jinja: templates of a kit, in a sandbox, over plain data.

A template computes text from the answers and nothing else: no file, no clock, no randomness, no
other template. Undefined names are errors.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from greenlane.errors import GreenlaneError
from greenlane.limits import time_limit
from greenlane.quoting import quoted

if TYPE_CHECKING:
    from jinja2 import Environment, Template

_PLAIN = (str, int, float, bool, type(None))
_GLOBALS = ("cycler", "dict", "joiner", "namespace", "range")
_SECONDS = 10.0
_environment: "Environment | None" = None


def environment() -> "Environment":
    """The sandbox, made at first use: importing Jinja takes longer than anything else here."""
    global _environment
    if _environment is None:
        from jinja2 import StrictUndefined
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        made = ImmutableSandboxedEnvironment(
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
            autoescape=False,
        )
        # `lipsum` and `random` would make two renders differ.
        made.globals = {name: made.globals[name] for name in _GLOBALS}
        del made.filters["random"]
        made.filters["quoted"] = _quoted_filter
        _environment = made
    return _environment


def _quoted_filter(value: object) -> str:
    # An undefined value would come out as an empty string: str() raises for it.
    return quoted(str(value))


def render_text(
    source: str,
    context: Mapping[str, object],
    shown: str,
    *,
    trusted: bool = True,
    seconds: float | None = None,
) -> str:
    """Render a template over a context that went through `plain`.

    Errors name the template as `shown`, with the line. What is not `trusted` is rendered in a
    process with limits.
    """
    if not trusted:
        from greenlane.confinement import confined

        return str(confined("render", shown, source, context, _SECONDS))
    with _explained(shown):
        template = _compiled(source, shown)
        with time_limit(seconds or _SECONDS, shown):
            return template.render(context)


def compile_text(source: str, shown: str) -> None:
    """Raise GreenlaneError when this is no template."""
    with _explained(shown):
        _compiled(source, shown)


@contextmanager
def _explained(shown: str) -> Iterator[None]:
    """Whatever a template may raise, as a GreenlaneError with its line."""
    from jinja2 import TemplateError, TemplateSyntaxError

    try:
        yield
    except TemplateSyntaxError as error:
        raise GreenlaneError(
            f"{shown}, line {error.lineno}: {error.message}.", "Correct the template."
        ) from None
    except MemoryError:
        raise GreenlaneError(f"{shown} needs too much memory.", "Make it simpler.") from None
    except (
        TemplateError,
        ArithmeticError,
        LookupError,
        TypeError,
        ValueError,
        RecursionError,
    ) as error:
        line = _line_of(error, shown)
        place = f"{shown}, line {line}" if line else shown
        raise GreenlaneError(f"{place}: {_reason(error)}.", _hint(error)) from None
    except (AttributeError, NotImplementedError, AssertionError) as error:
        raise GreenlaneError(f"{shown}: {_reason(error)}.", "Correct the template.") from None


@cache
def _compiled(source: str, shown: str) -> "Template":
    # Defaults and conditions are asked for again and again, and compiling takes longest.
    from jinja2 import Template

    env = environment()
    code = env.compile(source, shown, shown)
    return Template.from_code(env, code, env.globals)


def _line_of(error: BaseException, shown: str) -> int | None:
    """The line in the template: Jinja rewrites the traceback to point there."""
    trace, line = error.__traceback__, None
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == shown:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def _reason(error: BaseException) -> str:
    if "no loader" in str(error):
        return "a template of a kit cannot include, import or extend another one"
    return (str(error) or type(error).__name__).rstrip(".")


def _hint(error: BaseException) -> str:
    from jinja2 import UndefinedError

    if isinstance(error, UndefinedError):
        return "Templates see the answers, app, modules, sets, slots, versions and kit."
    return "Correct the template."


def evaluate(
    condition: str | bool, context: Mapping[str, object], shown: str, *, trusted: bool = True
) -> bool:
    """Whether a `when` holds: `"{{ large_model == 'openai' }}"`."""
    if isinstance(condition, bool):
        return condition
    text = render_text(condition, context, shown, trusted=trusted).strip().lower()
    if text in {"true", "yes", "1"}:
        return True
    if text in {"false", "no", "0", ""}:
        return False
    raise GreenlaneError(
        f"{shown}: the condition {condition!r} gave {text!r}, expected true or false.",
        "Write `when: \"{{ large_model == 'openai' }}\"`.",
    )


def plain(value: Any) -> Any:
    """A copy of `value` in which everything is a str, int, float, bool, None, list or dict.

    An object with methods, a path for instance, would be a way out of the sandbox.
    """
    if type(value) in _PLAIN:
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    raise TypeError(f"{type(value).__name__} must not reach a template")
