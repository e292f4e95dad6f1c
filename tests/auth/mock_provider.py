"""`oidc-provider-mock`, its ID tokens naming their key: the login takes no other ones."""

from typing import Any

from oidc_provider_mock import _app  # pyrefly: ignore[missing-import]
from oidc_provider_mock.__main__ import run  # pyrefly: ignore[missing-import]

described = _app.OpenIDCode.get_jwt_config


def naming_its_key(code: Any, grant: Any, client: Any = None) -> dict[str, Any]:
    config = described(code, grant, client)
    return config | {"kid": config["key"]["kid"]}


_app.OpenIDCode.get_jwt_config = naming_its_key
run()
