package policies.kubernetes_test

import rego.v1

confined := {
	"allowPrivilegeEscalation": false,
	"readOnlyRootFilesystem": true,
	"capabilities": {"drop": ["ALL"]},
	"seccompProfile": {"type": "RuntimeDefault"},
}

container := running(object.union(confined, {"runAsNonRoot": true}))

running(security) := {
	"name": "app",
	"image": "app:1",
	"securityContext": security,
	"resources": {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "1Gi"}},
}

pod(spec) := {
	"kind": "Pod",
	"metadata": {"name": "app", "labels": {"app": "a"}},
	"spec": object.union({"automountServiceAccountToken": false, "containers": [container]}, spec),
}

closed(namespace, selector) := {
	"kind": "NetworkPolicy",
	"metadata": {"name": "closed", "namespace": namespace},
	"spec": {"podSelector": selector, "policyTypes": ["Ingress", "Egress"]},
}

allowing(rules) := {
	"kind": "NetworkPolicy",
	"metadata": {"name": "app"},
	"spec": object.union({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}, rules),
}

case(items, rules) := {"input": {"kind": "List", "items": items}, "rules": rules}

cases := {
	"what is confined passes": case([pod({}), closed("default", {})], []),
	"a container's setting wins over its pod's": case(
		[
			pod({
				"securityContext": {"runAsNonRoot": true},
				"containers": [running(object.union(confined, {"runAsNonRoot": false}))],
			}),
			closed("default", {}),
		],
		["kubernetes.root"],
	),
	"a pod's setting holds for its containers": case(
		[
			pod({
				"securityContext": {"runAsNonRoot": true},
				"containers": [running(confined)],
			}),
			closed("default", {}),
		],
		[],
	),
	"init containers are judged": case(
		[pod({"initContainers": [object.union(container, {"image": "app"})]}), closed("default", {})],
		["kubernetes.image"],
	),
	"a policy for others does not cover": case(
		[pod({}), closed("default", {"matchLabels": {"app": "b"}})],
		["kubernetes.network"],
	),
	"a policy of another namespace does not cover": case([pod({}), closed("b", {})], ["kubernetes.network"]),
	"an expression is not understood, so it does not cover": case(
		[pod({}), closed("default", {"matchExpressions": [{"key": "app", "operator": "Exists"}]})],
		["kubernetes.network"],
	),
	"a policy that names whom it lets in passes": case(
		[allowing({"ingress": [{"from": [{"podSelector": {}}], "ports": [{"port": 8000}]}]})],
		[],
	),
	"a policy that lets everybody in is open": case(
		[allowing({"ingress": [{"ports": [{"port": 8000}]}]})],
		["kubernetes.network-open"],
	),
	"a policy that lets out to every port is open": case(
		[allowing({"egress": [{"to": [{"podSelector": {}}], "ports": []}]})],
		["kubernetes.network-open"],
	),
	"what serves needs probes": case(
		[
			{"kind": "Deployment", "metadata": {"name": "app"}, "spec": {"template": pod({})}},
			closed("default", {}),
		],
		["kubernetes.probes"],
	),
	"what ends needs none": case(
		[
			{"kind": "Job", "metadata": {"name": "app"}, "spec": {"template": pod({})}},
			closed("default", {}),
		],
		[],
	),
	"a secret without contents passes": case([{"kind": "Secret", "metadata": {"name": "empty"}}], []),
	"a path of the node is found": case(
		[pod({"volumes": [{"name": "a", "hostPath": {"path": "/etc"}}]}), closed("default", {})],
		["kubernetes.host-path"],
	),
}
