package policies.github_test

import rego.v1

case(job, rules) := {
	"input": {"permissions": {}, "jobs": {"a": object.union({"timeout-minutes": 5}, job)}},
	"rules": rules,
}

digest := "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

checkout := {
	"uses": "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1",
	"with": {"persist-credentials": false},
}

cases := {
	"missing permissions are found": {"input": {"jobs": {}}, "rules": ["github.permissions"]},
	"read-all is found": {"input": {"permissions": "read-all", "jobs": {}}, "rules": ["github.permissions"]},
	"a tag is no commit": case({"steps": [{"uses": "actions/cache@v5"}]}, ["github.action"]),
	"an image by its digest passes": case({"steps": [{"uses": concat("", ["docker://alpine@sha256:", digest])}]}, []),
	"a key that became true is understood": {
		"input": {
			"true": {"pull_request_target": null},
			"permissions": {},
			"jobs": {"a": {"timeout-minutes": 5, "steps": [checkout]}},
		},
		"rules": ["github.foreign-code"],
	},
	"a branch of others in commands is found": case(
		{"steps": [{"run": "echo ${{ github.head_ref }}"}]},
		["github.injection"],
	),
	"a secret as env passes": case(
		{"steps": [{"env": {"API_KEY": "${{ secrets.API_KEY }}"}, "run": "deploy"}]},
		[],
	),
	"a token in commands is found": case({"steps": [{"run": "deploy ${{ github.token }}"}]}, ["github.secret-in-commands"]),
	"a secret of a step is found": case(
		{"steps": [{"env": {"API_KEY": "tulip"}, "run": "deploy"}]},
		["github.secret"],
	),
	"what pushes keeps its token": case(
		{
			"permissions": {"contents": "write"},
			"steps": [{"uses": "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1"}],
		},
		[],
	),
}
