package policies.compose_test

import rego.v1

hardened := {
	"image": "app:1",
	"user": "10001",
	"read_only": true,
	"cap_drop": ["ALL"],
	"security_opt": ["no-new-privileges"],
}

case(changed, rules) := {
	"input": {"services": {"app": object.union(hardened, changed)}},
	"rules": rules,
}

digest := "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

cases := {
	"what is hardened passes": case({}, []),
	"a group does not hide root": case({"user": "0:10001"}, ["compose.root"]),
	"the name of root is found": case({"user": "root"}, ["compose.root"]),
	"a registry's port is no version": case({"image": "registry:5000/app"}, ["compose.image"]),
	"a digest is a version": case({"image": concat("", ["app@sha256:", digest])}, []),
	"the default of a port counts": case({"ports": ["${PUBLISH:-127.0.0.1:8000}:8000"]}, []),
	"a port without an address is found": case({"ports": [8000]}, ["compose.port"]),
	"this machine by its other address": case({"ports": ["[::1]:8000:8000"]}, []),
	"every network by its other address": case({"ports": ["[::]:8000:8000"]}, ["compose.port"]),
	"a host_ip for all is found": case({"ports": [{"target": 80, "host_ip": "0.0.0.0"}]}, ["compose.port"]),
	"the default of a secret is a secret": case({"environment": {"API_KEY": "${API_KEY:-tulip}"}}, ["compose.secret"]),
	"a secret from elsewhere passes": case({"environment": {"API_KEY": "${API_KEY:?missing}"}}, []),
}
