# A Compose file, its anchors and merges resolved.
package policies.compose

import rego.v1

import data.policies.terms

sockets := {"/", "/etc", "/proc", "/sys", "/var/run", "/run", "/var/lib/docker"}

services contains {"path": concat(".", ["services", name]), "spec": service} if {
	some name, service in input.services
}

deny contains terms.finding("compose.root", service.path, "does not say as which user it runs, or runs as root", `Set user to a number above 0, such as "10001:10001".`) if {
	some service in services
	user := split(as_text(object.get(service.spec, "user", "")), ":")[0]
	user in {"", "0", "root"}
}

as_text(value) := value if is_string(value)

as_text(value) := format_int(value, 10) if is_number(value)

deny contains terms.finding("compose.writable", service.path, "can write to its image's disk", "Set read_only: true, and name under tmpfs or volumes where it must write.") if {
	some service in services
	object.get(service.spec, "read_only", false) != true
}

deny contains terms.finding("compose.capabilities", service.path, "keeps Linux capabilities", "Set cap_drop: [ALL].") if {
	some service in services
	not "ALL" in object.get(service.spec, "cap_drop", [])
}

deny contains terms.finding("compose.escalation", service.path, "may gain privileges", `Set security_opt: ["no-new-privileges:true"].`) if {
	some service in services
	not forbids_new_privileges(service)
}

forbids_new_privileges(service) if {
	some option in object.get(service.spec, "security_opt", [])
	option in {"no-new-privileges", "no-new-privileges:true", "no-new-privileges=true"}
}

deny contains terms.finding("compose.privileged", service.path, "is privileged", "Remove privileged.") if {
	some service in services
	object.get(service.spec, "privileged", false) != false
}

deny contains terms.finding("compose.host", service.path, concat(" ", ["shares with the machine its", setting]), "Remove the setting, and let services meet on a network.") if {
	some service in services
	some setting in ["ipc", "network_mode", "pid", "userns_mode"]
	object.get(service.spec, setting, "") == "host"
}

deny contains terms.finding("compose.mount", service.path, concat(" ", ["mounts the machine's", source]), "Give it a named volume, or the one file that it reads, read-only.") if {
	some service in services
	some volume in object.get(service.spec, "volumes", [])
	source := mounted(volume)
	of_the_machine(source)
}

mounted(volume) := split(volume, ":")[0] if is_string(volume)

mounted(volume) := object.get(volume, "source", "") if is_object(volume)

of_the_machine(source) if source in sockets

of_the_machine(source) if endswith(source, ".sock")

deny contains terms.finding("compose.port", service.path, concat(" ", ["opens", shown, "to every network of the machine"]), `Name the address: "127.0.0.1:8000:8000".`) if {
	some service in services
	some published in object.get(service.spec, "ports", [])
	shown := spelled(published)
	not on_one_address(shown)
}

# A setting stands for its default.
spelled(published) := regex.replace(published, `\$\{[A-Za-z_]+:?-([^}]*)\}`, "$1") if is_string(published)

spelled(published) := format_int(published, 10) if is_number(published)

spelled(published) := concat(":", [object.get(published, "host_ip", ""), as_text(object.get(published, "published", "")), as_text(published.target)]) if is_object(published)

on_one_address(shown) if {
	regex.match(`^(\[[0-9a-f:]+\]|[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+):`, shown)
	not startswith(shown, "0.0.0.0:")
	not startswith(shown, "[::]:")
}

deny contains terms.finding("compose.image", service.path, concat(" ", ["runs the image", image, "which can change under its name"]), "Name a version other than latest, best a digest (name@sha256:...).") if {
	some service in services
	not service.spec.build
	image := object.get(service.spec, "image", "")
	not terms.pinned(image)
}

deny contains terms.finding("compose.secret", concat(".", [service.path, "environment", name]), "is a secret written in the file", "Take it from the environment, without a default: ${NAME:?not in .env}.") if {
	some service in services
	some name, value in environment(service)
	is_secret(name, value)
}

# A mapping, or a list of NAME=value; a name alone is taken from the environment.
environment(service) := variables if {
	variables := object.get(service.spec, "environment", {})
	is_object(variables)
}

environment(service) := variables if {
	list := object.get(service.spec, "environment", {})
	is_array(list)
	variables := {name: value |
		some line in list
		name := split(line, "=")[0]
		value := trim_prefix(trim_prefix(line, name), "=")
	}
}

is_secret(name, value) if {
	terms.names_a_secret(name)
	is_literal(as_text(value))
}

# The password in a URL.
is_secret(_, value) if {
	some login in regex.find_n(`://[^:/@]*:[^@/]+@`, as_text(value), 1)
	not contains(login, "${")
}

# Neither empty nor taken from elsewhere; ${NAME:-default} is no better than the default.
is_literal(value) if {
	value != ""
	not startswith(value, "${")
	not startswith(value, "/run/secrets/")
}

is_literal(value) if regex.match(`^\$\{[A-Za-z_]+:?-[^$}]`, value)
