"""How tenants may be called."""

import re

# Names stand in row policies, keys of caches and addresses, and must mean nothing else there: least
# of all `*`, by which the wall knows everybody.
TENANT_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"


def is_tenant(name: str) -> bool:
    """Whether a tenant may be called so."""
    return re.fullmatch(TENANT_NAME, name) is not None
