package policies.egress_test

import rego.v1

case(url, rules) := {"input": {"urls": [{"path": "it", "url": url}]}, "rules": rules}

cases := {
	"a listed host passes": case("https://api.example.com/v1", []),
	"a star is one part": case("https://a.b.models.example.com/v1", ["egress.host"]),
	"a provider passes": case("https://api.eu.models.example.com", []),
	"a service passes": case("http://prometheus.monitoring.svc:9090", []),
	"this machine passes": case("http://127.0.0.1:8080", []),
	"another host is found": case("https://api.example.org", ["egress.host"]),
	"a similar host is found": case("https://api.example.com.evil.example", ["egress.host"]),
	"the cloud's metadata is found": case("http://169.254.169.254/latest", ["egress.host"]),
}
