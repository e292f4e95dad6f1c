# The pipeline of GitLab: .gitlab-ci.yml.
package policies.gitlab

import rego.v1

import data.policies.terms

not_jobs := {"cache", "default", "image", "include", "pages", "services", "spec", "stages", "variables", "workflow"}

jobs contains {"name": name, "spec": spec} if {
	some name, spec in input
	not name in not_jobs
	is_object(spec)
}

images contains {"path": concat(".", [job.name, "image"]), "image": job.spec.image} if some job in jobs

images contains {"path": concat(".", [job.name, "services"]), "image": image} if {
	some job in jobs
	some image in object.get(job.spec, "services", [])
}

images contains {"path": "image", "image": input.image}

images contains {"path": "default.image", "image": input["default"].image}

deny contains terms.finding("gitlab.image", found.path, concat(" ", ["runs the image", image, "which can change under its name"]), "Name a version other than latest, best a digest (name@sha256:...).") if {
	some found in images
	image := image_name(found.image)
	not startswith(image, "$")
	not terms.pinned(image)
}

image_name(image) := image if is_string(image)

image_name(image) := image.name if is_object(image)

deny contains terms.finding("gitlab.include", "include", concat(" ", ["takes over", place, "which others can change"]), "Give ref: with the commit, and include a file of a project instead of an address.") if {
	some entry in terms.many(object.get(input, "include", []))
	place := included(entry)
	not fixed(entry)
}

included(entry) := entry if is_string(entry)

included(entry) := concat("", [object.get(entry, "project", ""), object.get(entry, "remote", "")]) if is_object(entry)

fixed(entry) if {
	is_string(entry)
	not regex.match(`^https?://`, entry)
}

fixed(entry) if object.get(entry, "local", "") != ""

fixed(entry) if object.get(entry, "template", "") != ""

fixed(entry) if object.get(entry, "component", "") != ""

fixed(entry) if regex.match(`^[0-9a-f]{40}$`, object.get(entry, "ref", ""))

variables contains ["variables", object.get(input, "variables", {})]

variables contains [concat(".", [job.name, "variables"]), object.get(job.spec, "variables", {})] if some job in jobs

deny contains terms.finding("gitlab.secret", concat(".", [place, name]), "is a secret written in the pipeline", "Keep it as a masked and protected variable of the project.") if {
	some [place, list] in variables
	some name, value in list
	terms.names_a_secret(name)
	not value in {"", null}
	not startswith(sprintf("%v", [value]), "$")
}

deny contains terms.finding("gitlab.docker", concat(".", [job.name, "services"]), "has a Docker daemon that anyone on its network commands", `Set variables: DOCKER_TLS_CERTDIR: /certs, and DOCKER_TLS_VERIFY: "1".`) if {
	some job in jobs
	some service in object.get(job.spec, "services", [])
	contains(image_name(service), "-dind")
	settings := object.get(job.spec, "variables", {})
	secured := [name | some name in ["DOCKER_TLS_CERTDIR", "DOCKER_TLS_VERIFY"]; object.get(settings, name, "") != ""]
	count(secured) < 2
}

deny contains terms.finding("gitlab.timeout", job.name, "may run for an hour", "Set timeout, at the job or under default.") if {
	some job in jobs
	not startswith(job.name, ".")
	not job.spec.timeout
	not input["default"].timeout
}
