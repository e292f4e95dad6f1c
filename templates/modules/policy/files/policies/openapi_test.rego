package policies.openapi_test

import rego.v1

case(security, rules) := {
	"input": {"paths": {"/tickets": {"get": {"security": security, "x-rate-limit": "read"}}}},
	"rules": rules,
}

cases := {
	"a scope suffices": case([{"bearer": ["tickets:read"]}], []),
	"without a scope it does not": case([{"bearer": []}], ["openapi.authentication"]),
	"a way around is found": case([{"bearer": ["tickets:read"]}, {}], ["openapi.authentication"]),
	"the document's own security counts": {
		"input": {
			"security": [{"bearer": ["tickets:read"]}],
			"paths": {"/tickets": {"get": {"x-rate-limit": "read"}}},
		},
		"rules": [],
	},
	"an operation that switches it off is found": {
		"input": {
			"security": [{"bearer": ["tickets:read"]}],
			"paths": {"/tickets": {"get": {"security": [], "x-rate-limit": "read"}}},
		},
		"rules": ["openapi.authentication"],
	},
	"only the listed method is public": {
		"input": {"paths": {"/healthz": {"get": {"x-rate-limit": "x"}, "post": {"x-rate-limit": "x"}}}},
		"rules": ["openapi.authentication"],
	},
	"parameters are no operation": {"input": {"paths": {"/tickets": {"parameters": []}}}, "rules": []},
}
