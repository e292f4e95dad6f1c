package policies.terraform_test

import rego.v1

case(type, after, rules) := {
	"input": {"resource_changes": [{"address": "it", "type": type, "change": {"after": after}}]},
	"rules": rules,
}

ingress := "aws_vpc_security_group_ingress_rule"

web := {"cidr_ipv4": "0.0.0.0/0", "from_port": 443, "to_port": 443}

public := {"tags": {"exposure": "load-balancer"}}

cases := {
	"a port of the web needs the tag": case(ingress, web, ["terraform.open-network"]),
	"with the tag it passes": case(ingress, object.union(web, public), []),
	"the tag opens single ports only": case(
		ingress,
		object.union(web, {"from_port": 80, "tags": {"exposure": "load-balancer"}}),
		["terraform.open-network"],
	),
	"a rule without ports is for all": case(ingress, {"cidr_ipv4": "0.0.0.0/0"}, ["terraform.open-network"]),
	"rules of the old kind are judged": case(
		"aws_security_group_rule",
		{"type": "ingress", "cidr_blocks": ["0.0.0.0/0"], "from_port": 22, "to_port": 22},
		["terraform.open-network"],
	),
	"own networks may enter": case(ingress, {"cidr_ipv4": "10.0.0.0/8", "from_port": 5432, "to_port": 5432}, []),
	"calls out on one port pass": case("aws_vpc_security_group_egress_rule", web, []),
	"calls out on all ports do not": case(
		"aws_vpc_security_group_egress_rule",
		{"cidr_ipv4": "0.0.0.0/0", "ip_protocol": "-1"},
		["terraform.open-egress"],
	),
	"what is gone is not judged": case("aws_db_instance", null, []),
	"what names no resource passes": case(
		"aws_iam_policy",
		{"policy": `{"Statement": [{"Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*"}]}`},
		[],
	),
	"a statement that denies passes": case(
		"aws_iam_policy",
		{"policy": `{"Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}`},
		[],
	),
	"public blocks must be set": case(
		"aws_s3_bucket_public_access_block",
		{"block_public_acls": true, "block_public_policy": true, "ignore_public_acls": true},
		["terraform.public-bucket"],
	),
	"another region is found": case("aws_s3_object", {"region": "us-east-1"}, ["terraform.region"]),
}
