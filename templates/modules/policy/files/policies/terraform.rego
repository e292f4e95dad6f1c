# A plan of Terraform or OpenTofu: `terraform show -json plan.out`.
package policies.terraform

import rego.v1

import data.policies.terms

anywhere := {"0.0.0.0/0", "::/0"}

# What the load balancer answers on; anything that has this tag may be reached from anywhere.
public_tag := "load-balancer"

web_ports := {80, 443}

# What IAM cannot restrict to a resource.
without_resource := {
	"cloudwatch:putmetricdata",
	"ecr:getauthorizationtoken",
	"xray:puttelemetryrecords",
	"xray:puttracesegments",
}

# Type of resource -> settings that must be true.
encrypted := {
	"aws_db_instance": ["storage_encrypted"],
	"aws_docdb_cluster": ["storage_encrypted"],
	"aws_efs_file_system": ["encrypted"],
	"aws_elasticache_replication_group": ["at_rest_encryption_enabled", "transit_encryption_enabled"],
	"aws_rds_cluster": ["storage_encrypted"],
}

# Resources that are a single rule of a security group.
one_rule := {
	"aws_vpc_security_group_egress_rule": "egress",
	"aws_vpc_security_group_ingress_rule": "ingress",
}

planned contains {"address": change.address, "type": change.type, "after": change.change.after} if {
	some change in input.resource_changes
	object.get(change, "mode", "managed") == "managed"
	is_object(change.change.after)
}

deny contains terms.finding("terraform.public-database", resource.address, "can be reached from the internet", "Set publicly_accessible = false.") if {
	some resource in planned
	object.get(resource.after, "publicly_accessible", false) == true
}

deny contains terms.finding("terraform.public-address", resource.address, "has a public address", "Set ip_configuration.ipv4_enabled = false, and reach it by the private network.") if {
	some resource in planned
	resource.type == "google_sql_database_instance"
	some settings in resource.after.settings
	some network in settings.ip_configuration
	object.get(network, "ipv4_enabled", true) == true
}

deny contains terms.finding("terraform.encryption", resource.address, concat(" ", ["has not set", setting]), "Set it to true.") if {
	some resource in planned
	some setting in encrypted[resource.type]
	not resource.after[setting] in {true, "true"}
}

deny contains terms.finding("terraform.encryption-of-cache", resource.address, "speaks without encryption", `Set transit_encryption_mode = "SERVER_AUTHENTICATION".`) if {
	some resource in planned
	resource.type == "google_redis_instance"
	object.get(resource.after, "transit_encryption_mode", "") != "SERVER_AUTHENTICATION"
}

deny contains terms.finding("terraform.encryption-of-database", resource.address, "lets the database be spoken to without TLS", `Set ip_configuration.ssl_mode = "ENCRYPTED_ONLY", or stricter.`) if {
	some resource in planned
	resource.type == "google_sql_database_instance"
	some settings in resource.after.settings
	some network in settings.ip_configuration
	not object.get(network, "ssl_mode", "") in {"ENCRYPTED_ONLY", "TRUSTED_CLIENT_CERTIFICATE_REQUIRED"}
}

deny contains terms.finding("terraform.public-bucket", resource.address, concat(" ", ["has not set", setting]), "Set it to true.") if {
	some resource in planned
	resource.type == "aws_s3_bucket_public_access_block"
	some setting in ["block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets"]
	object.get(resource.after, setting, false) != true
}

deny contains terms.finding("terraform.public-bucket-unguarded", resource.address, "has no public access block", "Add an aws_s3_bucket_public_access_block for it.") if {
	some resource in planned
	resource.type == "aws_s3_bucket"
	blocks := [block | some block in planned; block.type == "aws_s3_bucket_public_access_block"]
	buckets := [bucket | some bucket in planned; bucket.type == "aws_s3_bucket"]
	count(blocks) < count(buckets)
}

deny contains terms.finding("terraform.public-bucket-possible", resource.address, "may be opened to everyone", `Set public_access_prevention = "enforced".`) if {
	some resource in planned
	resource.type == "google_storage_bucket"
	object.get(resource.after, "public_access_prevention", "") != "enforced"
}

# Every rule of a firewall, whichever resource says it: who, in which direction, which ports.
rules contains {"resource": resource, "way": way, "ranges": ranges(rule), "from": rule.from_port, "to": rule.to_port} if {
	some resource in planned
	resource.type in {"aws_default_security_group", "aws_security_group"}
	some way in ["ingress", "egress"]
	some rule in object.get(resource.after, way, [])
}

rules contains {"resource": resource, "way": way, "ranges": ranges(resource.after), "from": port(resource.after, "from_port"), "to": port(resource.after, "to_port")} if {
	some resource in planned
	way := one_rule[resource.type]
}

rules contains {"resource": resource, "way": resource.after.type, "ranges": ranges(resource.after), "from": port(resource.after, "from_port"), "to": port(resource.after, "to_port")} if {
	some resource in planned
	resource.type == "aws_security_group_rule"
}

# Without ports, a rule of Google's firewall is for all of them.
rules contains {"resource": resource, "way": lower(object.get(resource.after, "direction", "INGRESS")), "ranges": ranges(resource.after), "from": to_number(ends[0]), "to": to_number(ends[count(ends) - 1])} if {
	some resource in planned
	resource.type == "google_compute_firewall"
	some allowed in resource.after.allow
	some spelled in with_default(as_list(object.get(allowed, "ports", [])), "0-65535")
	ends := split(spelled, "-")
}

# All ports: -1, as AWS counts.
port(after, name) := object.get(after, name, -1) if object.get(after, name, -1) != null

port(after, name) := -1 if object.get(after, name, -1) == null

with_default(list, default_item) := [default_item] if count(list) == 0

with_default(list, _) := list if count(list) > 0

ranges(rule) := {range |
	some name in ["cidr_blocks", "ipv6_cidr_blocks", "source_ranges", "destination_ranges"]
	some range in as_list(object.get(rule, name, []))
} | {range |
	some name in ["cidr_ipv4", "cidr_ipv6"]
	range := object.get(rule, name, null)
	range != null
}

as_list(value) := value if is_array(value)

as_list(value) := [] if value == null

one_web_port(rule) if {
	rule.from == rule.to
	rule.from in web_ports
}

tagged_public(resource) if {
	some tags in ["tags", "tags_all"]
	some _, value in object.get(resource.after, tags, {})
	value == public_tag
}

tagged_public(resource) if public_tag in as_list(object.get(resource.after, "target_tags", []))

deny contains terms.finding("terraform.open-network", rule.resource.address, "lets the whole internet in", "Allow a security group or your own networks; only what is tagged load-balancer may be open, on ports 80 and 443.") if {
	some rule in rules
	rule.way == "ingress"
	count(rule.ranges & anywhere) > 0
	not open_for_web(rule)
}

open_for_web(rule) if {
	one_web_port(rule)
	tagged_public(rule.resource)
}

deny contains terms.finding("terraform.open-egress", rule.resource.address, "may call any port of the whole internet", "Allow port 443 only, and the database and cache by their security groups.") if {
	some rule in rules
	rule.way == "egress"
	count(rule.ranges & anywhere) > 0
	not one_web_port(rule)
}

statements contains {"address": resource.address, "part": part, "statement": statement} if {
	some resource in planned
	some part in ["assume_role_policy", "inline_policy", "policy"]
	startswith(resource.type, "aws_")
	is_string(resource.after[part])
	json.is_valid(resource.after[part])
	document := json.unmarshal(resource.after[part])
	some statement in terms.many(object.get(document, "Statement", []))
	statement.Effect == "Allow"
}

deny contains terms.finding("terraform.iam-wildcard", found.address, concat(" ", ["allows the actions", action]), "List the actions that are called.") if {
	some found in statements
	some action in terms.many(object.get(found.statement, "Action", []))
	regex.match(`^(\*|[a-zA-Z0-9-]+:\*)$`, action)
}

deny contains terms.finding("terraform.iam-every-resource", found.address, "allows its actions on every resource", "Name the resources by ARN.") if {
	some found in statements
	found.part != "assume_role_policy"
	"*" in terms.many(object.get(found.statement, "Resource", []))
	some action in terms.many(object.get(found.statement, "Action", []))
	not lower(action) in without_resource
	object.get(found.statement, "Condition", {}) == {}
}

deny contains terms.finding("terraform.iam-anyone", found.address, "may be used by anyone", "Name who may, under Principal.") if {
	some found in statements
	everyone(object.get(found.statement, "Principal", ""))
	object.get(found.statement, "Condition", {}) == {}
}

everyone("*")

everyone(principal) if "*" in terms.many(object.get(principal, "AWS", []))

deny contains terms.finding("terraform.iam-other-pipelines", found.address, "may be taken by the pipelines of other repositories", "Give the condition on the claim sub as repo:OWNER/NAME:..., without a wildcard before the name ends.") if {
	some found in statements
	found.part == "assume_role_policy"
	"sts:AssumeRoleWithWebIdentity" in terms.many(found.statement.Action)
	not bound_to_repository(found.statement)
}

bound_to_repository(statement) if {
	some _, conditions in statement.Condition
	some claim, subjects in conditions
	endswith(claim, ":sub")
	every subject in terms.many(subjects) {
		regex.match(`^(repo:[^*:/]+/[^*:]+:.+|project_path:[^*:]+:.+|system:serviceaccount:[^*]+)$`, subject)
	}
}

deny contains terms.finding("terraform.iam-broad-role", resource.address, concat(" ", ["grants", resource.after.role]), "Grant the narrow roles that are needed.") if {
	some resource in planned
	startswith(resource.type, "google_")
	object.get(resource.after, "role", "") in {"roles/editor", "roles/owner"}
}

deny contains terms.finding("terraform.iam-administrator", resource.address, "attaches the rights of an administrator", "Attach a policy with the actions that are called.") if {
	some resource in planned
	regex.match(`policy/(AdministratorAccess|PowerUserAccess)$`, object.get(resource.after, "policy_arn", ""))
}

# A Cloud Run service authenticates its callers itself, so that everyone may invoke it.
deny contains terms.finding("terraform.iam-public", resource.address, "is granted to everyone", "Name the accounts that need it.") if {
	some resource in planned
	startswith(resource.type, "google_")
	single := object.get(resource.after, "member", "")
	members := {single} | {member | some member in as_list(object.get(resource.after, "members", []))}
	count(members & {"allUsers", "allAuthenticatedUsers"}) > 0
	resource.after.role != "roles/run.invoker"
}

places contains {"address": resource.address, "region": region} if {
	some resource in planned
	some name in ["location", "region"]
	region := lower(resource.after[name])
	region != ""
}

places contains {"address": concat(".", ["variable", name]), "region": lower(variable.value)} if {
	some name, variable in object.get(input, "variables", {})
	name in {"aws_region", "gcp_region", "location", "region"}
	is_string(variable.value)
}

deny contains terms.finding("terraform.region", place.address, concat(" ", ["is in", place.region, "which is not allowed"]), "Choose a region of infrastructure.regions in policies/data.yaml, or add it there.") if {
	some place in places
	not allowed_region(place.region)
}

allowed_region(region) if {
	some pattern in data.infrastructure.regions
	glob.match(pattern, [], region)
}
