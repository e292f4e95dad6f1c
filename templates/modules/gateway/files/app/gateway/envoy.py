"""Envoy's configuration: a line for each route, a rule for each scope, a bucket for each limit.

A route carries its scope, its limit and whether it is a page as metadata; the filters read them
there, and what the token says from the verified token. Only what a rule allows passes.
"""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from app.core.limits import Table
from app.gateway.buckets import by_address, by_tenant
from app.gateway.routes import Route
from app.gateway.rules import Issuer, Row, authentication, authorization, failure, metadata_of
from app.gateway.settings import GatewaySettings

_TYPES = "type.googleapis.com/envoy.extensions."
# Bytes that one side has sent and the other does not take yet, of each connection.
_BUFFERED = 32_768
# What only a proxy of ours may say; what Envoy says itself, it writes anew.
_INTERNAL = (
    *("forwarded", "x-forwarded-host", "x-forwarded-port", "x-forwarded-prefix", "x-real-ip"),
    *("x-original-url", "x-rewrite-url"),
    *("x-http-method", "x-http-method-override", "x-method-override"),
)


def configuration(
    routes: Sequence[Route], table: Table, issuer: Issuer, settings: GatewaySettings
) -> dict[str, Any]:
    """Return Envoy's bootstrap: one listener, the application and the provider behind it."""
    manager = _typed("filters.network.http_connection_manager.v3.HttpConnectionManager") | {
        "stat_prefix": "gateway",
        **_edge(settings.trusted_hops),
        "access_log": [_access_log()],
        "local_reply_config": _replies(),
        "http_filters": [
            _filter("local_ratelimit.v3.LocalRateLimit", by_address(routes, table), "addresses"),
            _filter("jwt_authn.v3.JwtAuthentication", authentication(issuer)),
            _filter("rbac.v3.RBAC", {"rules": {"policies": authorization(routes, issuer)}}),
            *(
                _filter("local_ratelimit.v3.LocalRateLimit", limits, "tenants")
                for limits in by_tenant(routes, table, issuer)
            ),
            _filter("router.v3.Router", {"suppress_envoy_headers": True}),
        ],
        "route_config": {
            "response_headers_to_remove": ["server"],
            "virtual_hosts": [
                {
                    "name": "app",
                    "domains": ["*"],
                    "routes": [
                        *(_route(route, method) for route in routes for method in route.methods),
                        _nothing(),
                    ],
                }
            ],
        },
    }
    listener = {
        "name": "gateway",
        "address": _address(settings.host, settings.port),
        "per_connection_buffer_limit_bytes": _BUFFERED,
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }
    host, _, port = settings.upstream.partition(":")
    provider = _issuer_cluster(issuer.jwks_uri, str(settings.ca_file))
    return {
        "static_resources": {
            "listeners": [listener],
            "clusters": [_cluster("app", host, int(port)) | _unused(), provider],
        },
        "overload_manager": {"resource_monitors": [_connections()]},
    }


def _connections() -> dict[str, Any]:
    message = "resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig"
    return {
        "name": "envoy.resource_monitors.global_downstream_max_connections",
        "typed_config": _typed(message) | {"max_active_downstream_connections": 10_000},
    }


def _edge(trusted_hops: int) -> dict[str, Any]:
    """What a program that strangers reach takes and does not take."""
    removed = (*_INTERNAL, *(() if trusted_hops else ("x-forwarded-for",)))
    mutation = _typed("http.early_header_mutation.header_mutation.v3.HeaderMutation")
    return {
        "use_remote_address": True,
        "xff_num_trusted_hops": trusted_hops,
        "early_header_mutation_extensions": [
            {
                "name": "internal",
                "typed_config": mutation | {"mutations": [Row(remove=name) for name in removed]},
            }
        ],
        # Dots are resolved, letters in disguise are shown: a path has one text, here and behind.
        "normalize_path": True,
        "path_with_escaped_slashes_action": "REJECT_REQUEST",
        "server_header_transformation": "PASS_THROUGH",
        "max_request_headers_kb": 32,
        "common_http_protocol_options": {
            "headers_with_underscores_action": "REJECT_REQUEST",
            "max_headers_count": 64,
            "idle_timeout": "300s",
        },
        "http2_protocol_options": {"max_concurrent_streams": 100},
        "request_headers_timeout": "10s",
        "request_timeout": "30s",
        # An answer as a whole may last, such as a stream of events, but not without a word.
        "stream_idle_timeout": "60s",
    }


def _route(route: Route, method: str) -> dict[str, Any]:
    return Row(
        name=f"{method} {route.path}",
        metadata=metadata_of(route),
        match={
            "safe_regex": {"regex": route.pattern},
            "headers": [{"name": ":method", "string_match": {"exact": method}}],
        },
        route={"cluster": "app", "timeout": "0s"},
    )


def _nothing() -> dict[str, Any]:
    nobodys = Route((), "", "", frozenset(), "public")
    return Row(
        name="unknown",
        metadata=metadata_of(nobodys),
        match={"prefix": "/"},
        direct_response={"status": 404},
    )


def _replies() -> dict[str, Any]:
    """What Envoy itself answers, as the service says it: problem+json, with a challenge."""
    anonymous = {
        "header_filter": {"header": {"name": "authorization", "present_match": False}},
    }
    scope = "%METADATA(ROUTE:access:scope)%"
    return {
        "mappers": [
            {
                # What the filter of tokens refuses: of its own, a wrong audience would be a 403.
                "filter": {"metadata_filter": failure()},
                "status_code": 401,
                **_problem(
                    "Not signed in",
                    "The access token is not valid.",
                    'Bearer error="invalid_token"',
                ),
            },
            {
                "filter": {"and_filter": {"filters": [_status(403), anonymous]}},
                "status_code": 401,
                **_problem("Not signed in", "Sign in, or send a bearer token.", "Bearer"),
            },
            {
                "filter": _status(403),
                **_problem(
                    "Not allowed",
                    f"This needs {scope}. Ask who manages roles here.",
                    f'Bearer error="insufficient_scope", scope="{scope}"',
                ),
            },
            {
                "filter": _status(429),
                **_problem("Too many requests", "Retry-After says when to try again."),
            },
            {"filter": _status(404), **_problem("Not Found", "There is nothing here.")},
        ],
        "body_format": _body("Refused", "The gateway does not take this request."),
    }


def _status(status: int) -> dict[str, Any]:
    value = {"default_value": status, "runtime_key": f"gateway.{status}"}
    return Row(status_code_filter={"comparison": {"op": "EQ", "value": value}})


def _problem(title: str, detail: str, challenge: str = "") -> dict[str, Any]:
    mapper: dict[str, Any] = {"body_format_override": _body(title, detail)}
    if challenge:
        header = {"key": "www-authenticate", "value": challenge}
        added = Row(header=header, append_action="OVERWRITE_IF_EXISTS_OR_ADD")
        mapper["headers_to_add"] = [added]
    return mapper


def _body(title: str, detail: str) -> dict[str, Any]:
    body = {"type": "about:blank", "title": title, "status": "%RESPONSE_CODE%", "detail": detail}
    return Row(json_format=body, content_type="application/problem+json")


def _access_log() -> dict[str, Any]:
    # The route's name, not the path: an id, a search or an invitation's secret stays out.
    line = {
        "event": "gateway",
        "timestamp": "%START_TIME%",
        "route": "%ROUTE_NAME%",
        "status": "%RESPONSE_CODE%",
        "ms": "%DURATION%",
        "why": "%RESPONSE_CODE_DETAILS%",
        "correlation_id": "%REQ(X-REQUEST-ID)%",
    }
    return {
        "name": "stdout",
        "typed_config": _typed("access_loggers.stream.v3.StdoutAccessLog")
        | {"log_format": {"json_format": line}},
    }


def _issuer_cluster(jwks_uri: str, ca_file: str) -> dict[str, Any]:
    """The provider, which is asked for its keys and who must prove to be it."""
    parts = urlsplit(jwks_uri)
    host, is_tls = parts.hostname or "", parts.scheme == "https"
    cluster = _cluster("issuer", host, parts.port or (443 if is_tls else 80))
    if is_tls:
        names = [{"san_type": "DNS", "matcher": {"exact": host}}]
        trusted = {"trusted_ca": {"filename": ca_file}, "match_typed_subject_alt_names": names}
        context = {"sni": host, "common_tls_context": {"validation_context": trusted}}
        cluster["transport_socket"] = {
            "name": "tls",
            "typed_config": _typed("transport_sockets.tls.v3.UpstreamTlsContext") | context,
        }
    return cluster


def _cluster(name: str, host: str, port: int) -> dict[str, Any]:
    endpoint = {"endpoint": {"address": _address(host, port)}}
    return {
        "name": name,
        "type": "STRICT_DNS",
        "per_connection_buffer_limit_bytes": _BUFFERED,
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
    }


def _unused() -> dict[str, Any]:
    # Shorter than the application's own five seconds: it never closes a connection in use.
    options = {
        "common_http_protocol_options": {"idle_timeout": "4s"},
        "explicit_http_config": {"http_protocol_options": {}},
    }
    message = "upstreams.http.v3.HttpProtocolOptions"
    name = f"envoy.extensions.{message}"
    return {"typed_extension_protocol_options": {name: _typed(message) | options}}


def _address(host: str, port: int) -> dict[str, Any]:
    return Row(socket_address={"address": host, "port_value": port})


def _filter(message: str, config: dict[str, Any], name: str = "") -> dict[str, Any]:
    return {
        "name": name or f"envoy.filters.http.{message.partition('.')[0]}",
        "typed_config": _typed(f"filters.http.{message}") | config,
    }


def _typed(message: str) -> dict[str, Any]:
    return {"@type": _TYPES + message}
