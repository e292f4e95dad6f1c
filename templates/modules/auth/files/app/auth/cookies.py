"""The login's cookies: what browsers send back counts only when it is beyond doubt."""

from collections import Counter

from fastapi import Request, Response


def cookies_of(request: Request) -> dict[str, str]:
    """Return the cookies that came once, under exactly their name.

    A neighbouring host can add cookies: a second one of the same name, or one whose name begins
    with a blank of Unicode, which browsers let pass and a parser strips. It is then not known
    whose cookie is whose, and none of that name counts.
    """
    text = "; ".join(request.headers.getlist("cookie"))
    pairs = [part.strip(" \t").partition("=") for part in text.split(";")]
    seen = Counter(name.strip() for name, _, _ in pairs)
    return {name: value for name, _, value in pairs if seen[name] == 1}


def set_cookie(response: Response, name: str, value: str, lasts_s: int) -> None:
    response.set_cookie(
        name, value, max_age=lasts_s, path="/", secure=True, httponly=True, samesite="lax"
    )


def clear_cookie(response: Response, name: str) -> None:
    response.delete_cookie(name, path="/", secure=True, httponly=True, samesite="lax")
