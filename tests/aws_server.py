"""A server that answers as AWS does: moto, with what Terraform's provider asks for and moto lacks.

Run as a program with a port, and a file for what aws_events.py notes:
`python aws_server.py 5000 events`.
"""

import json
import sys

from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse
from moto.core import DEFAULT_ACCOUNT_ID as ACCOUNT_ID
from moto.core.responses import EmptyResult
from moto.elasticache.models import ElastiCacheBackend, ReplicationGroup
from moto.elasticache.responses import ElastiCacheResponse
from moto.rds.models import DBInstance
from moto.route53.models import HostedZoneIdentifier, route53_backends
from moto.s3.models import s3_backends
from moto.server import main

import aws_events

create_replication_group = ElastiCacheBackend.create_replication_group


def with_members(self: ElastiCacheBackend, **asked: object) -> ReplicationGroup:
    """moto counts the nodes by replicas only, and does not make them."""
    asked["replicas_per_node_group"] = asked["num_cache_clusters"] - 1
    group = create_replication_group(self, **asked)
    names = ElastiCacheBackend.create_cache_cluster.__annotations__.keys() - {"return"}
    for member in group.member_clusters:
        node = {name: asked.get(name) for name in names} | {
            "cache_cluster_id": member,
            "engine_version": f"{asked['engine_version']}.1",
            "num_cache_nodes": 1,
        }
        self.create_cache_cluster(**node)
    return group


delete_replication_group = ElastiCacheBackend.delete_replication_group


def at_last_gone(self: ElastiCacheBackend, **asked: object) -> ReplicationGroup:
    """moto says "deleting" for ever."""
    group = delete_replication_group(self, **asked)
    self.replication_groups.pop(group.replication_group_id)
    return group


def delete_subnet_group(self: ElastiCacheResponse) -> EmptyResult:
    self.elasticache_backend.cache_subnet_groups.pop(self._get_param("CacheSubnetGroupName"))
    return EmptyResult()


ElastiCacheResponse.delete_cache_subnet_group = delete_subnet_group
ElastiCacheBackend.create_replication_group = with_members
ElastiCacheBackend.delete_replication_group = at_last_gone
tags: dict[str, dict[str, str]] = {}
register_scalable_target = ApplicationAutoScalingResponse.register_scalable_target


def with_tags(self: ApplicationAutoScalingResponse) -> str:
    answer = register_scalable_target(self)
    given = self._get_param("Tags")
    tags.setdefault(json.loads(answer)["ScalableTargetARN"], {}).update(given or {})
    return answer


def list_tags(self: ApplicationAutoScalingResponse) -> str:
    return json.dumps({"Tags": tags.get(self._get_param("ResourceARN"), {})})


ApplicationAutoScalingResponse.register_scalable_target = with_tags
ApplicationAutoScalingResponse.list_tags_for_resource = list_tags

make_database = DBInstance.__init__


def with_certificate(self: DBInstance, *given: object, **asked: object) -> None:
    """By the authority that AWS chooses, or the provider would change it, and wait once more."""
    make_database(self, *given, **{"ca_certificate_identifier": "rds-ca-rsa2048-g1"} | asked)


DBInstance.__init__ = with_certificate

if __name__ == "__main__":
    # An id that tests can know.
    HostedZoneIdentifier.generate = lambda *_, **__: "Z42"
    route53_backends[ACCOUNT_ID]["aws"].create_hosted_zone("example.com", private_zone=False)
    # Where deploy.py keeps its states.
    s3_backends[ACCOUNT_ID]["aws"].create_bucket(f"my-app-state-{ACCOUNT_ID}", "eu-central-1")
    aws_events.note_in(sys.argv[2])
    main(["--host", "127.0.0.1", "--port", sys.argv[1]])
