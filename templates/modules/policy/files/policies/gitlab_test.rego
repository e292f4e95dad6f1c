package policies.gitlab_test

import rego.v1

case(pipeline, rules) := {
	"input": object.union({"default": {"timeout": "10 minutes"}}, pipeline),
	"rules": rules,
}

cases := {
	"the image of a job is judged": case({"check": {"image": "python"}}, ["gitlab.image"]),
	"the image for all jobs is judged": case({"default": {"image": "python"}}, ["gitlab.image"]),
	"an image by a variable passes": case({"check": {"image": "$BASE"}}, []),
	"a file of this repository passes": case({"include": "ci/deploy.yml"}, []),
	"a branch is no commit": case({"include": [{"project": "a/b", "ref": "main"}]}, ["gitlab.include"]),
	"a variable of a job is judged": case({"check": {"variables": {"TOKEN": "tulip"}}}, ["gitlab.secret"]),
	"a daemon spoken to with TLS passes": case(
		{"check": {
			"services": ["docker:28-dind"],
			"variables": {"DOCKER_TLS_CERTDIR": "/certs", "DOCKER_TLS_VERIFY": "1"},
		}},
		[],
	),
	"a template of a job needs no timeout": {"input": {".base": {"script": []}}, "rules": []},
}
