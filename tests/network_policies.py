"""What the NetworkPolicies of one namespace let through between its own pods."""

from collections.abc import Mapping, Sequence
from typing import Any

Labels = Mapping[str, str]


def lets(policies: Sequence[Mapping[str, Any]], source: Labels, target: Labels, port: int) -> bool:
    """Whether pods labelled `source` may speak to pods labelled `target`.

    Only peers of the same namespace are judged: an address of the network is no pod of it.
    """
    return _open(policies, "Egress", source, target, port) and _open(
        policies, "Ingress", target, source, port
    )


def _open(
    policies: Sequence[Mapping[str, Any]], way: str, own: Labels, other: Labels, port: int
) -> bool:
    specs = [it["spec"] for it in policies]
    applying = [it for it in specs if way in it["policyTypes"] and selects(it["podSelector"], own)]
    side = "to" if way == "Egress" else "from"
    rules = [rule for it in applying for rule in it.get(way.lower(), [])]
    return not applying or any(
        _names(rule.get(side, []), other) and _has(rule.get("ports", []), port) for rule in rules
    )


def _names(peers: Sequence[Mapping[str, Any]], pod: Labels) -> bool:
    return not peers or any(
        "namespaceSelector" not in it and selects(it["podSelector"], pod)
        for it in peers
        if "podSelector" in it
    )


def _has(ports: Sequence[Mapping[str, Any]], port: int) -> bool:
    return not ports or any(it["port"] == port for it in ports)


def selects(selector: Mapping[str, Any], labels: Labels) -> bool:
    if any(labels.get(name) != value for name, value in selector.get("matchLabels", {}).items()):
        return False
    for it in selector.get("matchExpressions", []):
        is_in = labels.get(it["key"]) in it["values"]
        assert it["operator"] in ("In", "NotIn"), it
        if is_in is not (it["operator"] == "In"):
            return False
    return True
