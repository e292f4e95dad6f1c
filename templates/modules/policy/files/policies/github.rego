# A workflow of GitHub Actions.
package policies.github

import rego.v1

import data.policies.terms

# Readers of YAML 1.1 take the key `on` for true.
triggers := object.get(input, "on", object.get(input, "true", {}))

# What others write: titles, branches, comments. A shell takes parts of it for commands.
of_others := `\$\{\{[^}]*(github\.head_ref|github\.event\.(comment|discussion|head_commit|issue|pages|pull_request|review|review_comment|workflow_run)\.[a-z_.]*(body|title|ref|label|message|name|email|page_name))`

secret := `\$\{\{[^}]*(secrets\.|secrets\[|github\.token)`

steps contains {"path": sprintf("jobs.%v.steps[%v]", [name, number]), "job": job, "spec": step} if {
	some name, job in input.jobs
	some number, step in object.get(job, "steps", [])
}

used contains {"path": step.path, "uses": step.spec.uses} if some step in steps

used contains {"path": concat(".", ["jobs", name]), "uses": job.uses} if some name, job in input.jobs

deny contains terms.finding("github.permissions", "permissions", "are not said, so that every job may do what the repository's default allows", "Set permissions: {} at the top, and at each job what it needs.") if {
	not is_object(object.get(input, "permissions", null))
}

deny contains terms.finding("github.permissions-write", "permissions", concat(" ", ["let every job write", scope]), "Set permissions: {} at the top, and at each job what it needs.") if {
	some scope, access in object.get(input, "permissions", {})
	access == "write"
}

deny contains terms.finding("github.permissions-all", concat(".", ["jobs", name, "permissions"]), "are for everything", "Name those that the job needs.") if {
	some name, job in input.jobs
	is_string(object.get(job, "permissions", {}))
}

deny contains terms.finding("github.action", action.path, concat(" ", ["uses", action.uses, "which can change under its name"]), "Pin it by the commit of a release, its tag beside it: uses: owner/name@<40 hex digits> # v1.2.3.") if {
	some action in used
	not startswith(action.uses, "./")
	not regex.match(`@[0-9a-f]{40}$`, action.uses)
	not regex.match(`^docker://.+@sha256:[0-9a-f]{64}$`, action.uses)
}

as_names(value) := {value} if is_string(value)

as_names(value) := {name | some name in value} if is_array(value)

as_names(value) := object.keys(value) if is_object(value)

deny contains terms.finding("github.foreign-code", step.path, concat(" ", ["checks out code in a workflow that", trigger, "starts with the rights of this repository"]), "Use pull_request, or check nothing out.") if {
	some trigger in ["pull_request_target", "workflow_run"]
	trigger in as_names(triggers)
	some step in steps
	startswith(object.get(step.spec, "uses", ""), "actions/checkout@")
}

deny contains terms.finding("github.secret-in-commands", step.path, "writes a secret into its commands", "Give it as env of the step, and read it as a variable of the shell.") if {
	some step in steps
	regex.match(secret, object.get(step.spec, "run", ""))
}

deny contains terms.finding("github.injection", step.path, "writes what others may choose into its commands", "Give it as env of the step, and read it as a quoted variable of the shell.") if {
	some step in steps
	regex.match(of_others, object.get(step.spec, "run", ""))
}

deny contains terms.finding("github.secret", concat(".", [place, name]), "is a secret written in the workflow", "Keep it as a secret of the repository or of the environment.") if {
	some [place, variables] in environments
	some name, value in variables
	terms.names_a_secret(name)
	value != ""
	not contains(sprintf("%v", [value]), "${{")
}

environments contains ["env", object.get(input, "env", {})]

environments contains [concat(".", ["jobs", name, "env"]), object.get(job, "env", {})] if some name, job in input.jobs

environments contains [concat(".", [step.path, "env"]), object.get(step.spec, "env", {})] if some step in steps

deny contains terms.finding("github.credentials", step.path, "leaves its token in the checkout", "Set with: {persist-credentials: false}.") if {
	some step in steps
	startswith(object.get(step.spec, "uses", ""), "actions/checkout@")
	object.get(step.spec, ["with", "persist-credentials"], true) != false
	not may_push(step.job)
}

may_push(job) if object.get(job, ["permissions", "contents"], "") == "write"

deny contains terms.finding("github.timeout", concat(".", ["jobs", name]), "may run for six hours", "Set timeout-minutes.") if {
	some name, job in input.jobs
	not job["timeout-minutes"]
	not job.uses
}
