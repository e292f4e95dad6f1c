# Kubernetes manifests. The input is a List: {"kind": "List", "items": [...]}.
package policies.kubernetes

import rego.v1

import data.policies.terms

long_running := {"DaemonSet", "Deployment", "ReplicaSet", "Rollout", "StatefulSet"}

workloads contains {"place": place(item), "item": item, "template": template(item)} if {
	some item in input.items
}

containers contains {"place": where, "name": container.name, "spec": container, "workload": workload} if {
	some workload in workloads
	some list in ["containers", "initContainers"]
	some container in object.get(workload.template.spec, list, [])
	where := concat(".", [workload.place, list, container.name])
}

# A container that serves: probes tell when it cannot. Sidecars are init containers that never end.
serving contains container if {
	some container in containers
	container.workload.item.kind in long_running
	contains(container.place, ".containers.")
}

template(item) := item.spec.template if item.kind in long_running | {"Job"}

template(item) := item.spec.jobTemplate.spec.template if item.kind == "CronJob"

template(item) := item if item.kind == "Pod"

namespace(item) := object.get(item, ["metadata", "namespace"], "default")

place(item) := concat("/", [item.kind, item.metadata.name])

security(container) := object.get(container.spec, "securityContext", {})

pod_security(workload) := object.get(workload.template.spec, "securityContext", {})

# A container's own setting wins over that of its pod.
effective(container, name) := value if {
	value := security(container)[name]
} else := value if {
	value := pod_security(container.workload)[name]
} else := {}

deny contains terms.finding("kubernetes.root", container.place, "may run as root", "Set securityContext.runAsNonRoot: true, and a runAsUser other than 0.") if {
	some container in containers
	effective(container, "runAsNonRoot") != true
}

deny contains terms.finding("kubernetes.root-user", container.place, "runs as user 0", "Set securityContext.runAsUser to a number above 0.") if {
	some container in containers
	effective(container, "runAsUser") == 0
}

deny contains terms.finding("kubernetes.escalation", container.place, "may gain privileges", "Set securityContext.allowPrivilegeEscalation: false.") if {
	some container in containers
	object.get(security(container), "allowPrivilegeEscalation", true) != false
}

deny contains terms.finding("kubernetes.privileged", container.place, "is privileged", "Remove securityContext.privileged.") if {
	some container in containers
	object.get(security(container), "privileged", false) != false
}

deny contains terms.finding("kubernetes.capabilities", container.place, "keeps Linux capabilities", "Set securityContext.capabilities.drop: [ALL].") if {
	some container in containers
	not "ALL" in object.get(security(container), ["capabilities", "drop"], [])
}

deny contains terms.finding("kubernetes.writable", container.place, "can write to its image's disk", "Set securityContext.readOnlyRootFilesystem: true, and mount an emptyDir where it must write.") if {
	some container in containers
	object.get(security(container), "readOnlyRootFilesystem", false) != true
}

deny contains terms.finding("kubernetes.seccomp", container.place, "runs without a seccomp profile", "Set securityContext.seccompProfile: {type: RuntimeDefault} at the pod.") if {
	some container in containers
	profile := effective(container, "seccompProfile")
	not object.get(profile, "type", "") in {"RuntimeDefault", "Localhost"}
}

deny contains terms.finding("kubernetes.limits", container.place, concat(" ", ["has no", concat(".", array.concat(["resources"], wanted))]), "Say what it needs and may use: requests for cpu and memory, a limit for memory.") if {
	some container in containers
	some wanted in [["requests", "cpu"], ["requests", "memory"], ["limits", "memory"]]
	object.get(container.spec, array.concat(["resources"], wanted), null) == null
}

deny contains terms.finding("kubernetes.probes", container.place, concat(" ", ["has no", probe]), "Add it; without one a process that hangs stays in service.") if {
	some container in serving
	some probe in ["livenessProbe", "readinessProbe"]
	not container.spec[probe]
}

deny contains terms.finding("kubernetes.image", container.place, concat(" ", ["runs the image", image, "which can change under its name"]), "Name a version other than latest, best a digest (name@sha256:...).") if {
	some container in containers
	image := object.get(container.spec, "image", "")
	not terms.pinned(image)
}

deny contains terms.finding("kubernetes.host", workload.place, concat(" ", ["shares the node: it has", setting]), "Remove the setting.") if {
	some workload in workloads
	some setting in ["hostNetwork", "hostPID", "hostIPC"]
	object.get(workload.template.spec, setting, false) != false
}

deny contains terms.finding("kubernetes.host-path", workload.place, concat(" ", ["mounts the node's", volume.hostPath.path]), "Use an emptyDir or a PersistentVolumeClaim.") if {
	some workload in workloads
	some volume in object.get(workload.template.spec, "volumes", [])
	volume.hostPath
}

deny contains terms.finding("kubernetes.account", workload.place, "is given a token of the cluster's API", "Set automountServiceAccountToken: false, unless it calls that API.") if {
	some workload in workloads
	object.get(workload.template.spec, "automountServiceAccountToken", true) != false
}

deny contains terms.finding("kubernetes.network", workload.place, concat(" ", ["is covered by no NetworkPolicy for", direction]), "Add one whose podSelector matches its labels, and allow only what it needs.") if {
	some workload in workloads
	some direction in ["Ingress", "Egress"]
	not covered(workload, direction)
}

covered(workload, direction) if {
	some item in input.items
	item.kind == "NetworkPolicy"
	namespace(item) == namespace(workload.item)
	direction in object.get(item.spec, "policyTypes", ["Ingress"])
	selects(item.spec.podSelector, object.get(workload.template, ["metadata", "labels"], {}))
}

selects(selector, labels) if {
	count(object.get(selector, "matchExpressions", [])) == 0
	every name, value in object.get(selector, "matchLabels", {}) {
		labels[name] == value
	}
}

# A rule without peers is for everybody, one without ports for all of them.
deny contains terms.finding("kubernetes.network-open", place(item), concat(" ", ["has a rule for", way, "that names no", missing]), "Say who may, by podSelector, namespaceSelector or ipBlock, and on which ports.") if {
	some item in input.items
	item.kind == "NetworkPolicy"
	some way, peers in {"egress": "to", "ingress": "from"}
	some rule in object.get(item.spec, way, [])
	some missing in [peers, "ports"]
	count(object.get(rule, missing, [])) == 0
}

deny contains terms.finding("kubernetes.exposed", place(item), "opens a port on every node", "Use type ClusterIP, and route to it through the Gateway.") if {
	some item in input.items
	item.kind == "Service"
	item.spec.type == "NodePort"
}

deny contains terms.finding("kubernetes.secret", place(item), "holds a secret in the manifests", "Keep it in the secret store: ExternalSecret, SealedSecret or SOPS.") if {
	some item in input.items
	item.kind == "Secret"
	some part in ["data", "stringData"]
	count(object.get(item, part, {})) > 0
}

deny contains terms.finding("kubernetes.secret-in-config", concat(".", [place(item), "data", name]), "looks like a secret in a ConfigMap", "Move it to the secret store and refer to it by secretKeyRef.") if {
	some item in input.items
	item.kind == "ConfigMap"
	some name, value in object.get(item, "data", {})
	value != ""
	terms.names_a_secret(name)
}

deny contains terms.finding("kubernetes.secret-in-env", concat(".", [container.place, "env", variable.name]), "is a secret written in the manifest", "Take it from the secret store: valueFrom.secretKeyRef.") if {
	some container in containers
	some variable in object.get(container.spec, "env", [])
	object.get(variable, "value", "") != ""
	terms.names_a_secret(variable.name)
}

deny contains terms.finding("kubernetes.rights", place(item), "grants every verb or every resource", "List the verbs and resources that are needed.") if {
	some item in input.items
	item.kind in {"ClusterRole", "Role"}
	some rule in item.rules
	some part in ["verbs", "resources"]
	"*" in object.get(rule, part, [])
}
