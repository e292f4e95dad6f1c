package policies.models_test

import rego.v1

case(url, class, rules) := {
	"input": {
		"models": {"large": {"kind": "openai", "url": url}},
		"request_classes": {class: {"route": ["large"]}},
	},
	"rules": rules,
}

cases := {
	"a known provider passes": case("https://api.us.models.example.com/v1", "any", []),
	"an own machine needs no encryption": case("http://localhost:8080/v1", "any", []),
	"others do": case("http://api.us.models.example.com/v1", "any", ["models.plain"]),
	"a use case has providers and a retention of its own": case(
		"https://api.us.models.example.com/v1",
		"tickets.draft",
		["models.retention", "models.use-case"],
	),
	"most tenants decide where": case("https://api.far.models.example.com/v1", "any", ["models.residency"]),
	"a similar host is another one": case(
		"https://api.us.models.example.com.evil.example/v1",
		"any",
		["models.provider"],
	),
	"a name before the host is none": case("https://localhost@evil.example/v1", "any", ["models.provider"]),
}
