# The API's OpenAPI document. Scopes, and what is public and why, are those of access.yaml.
package policies.openapi

import rego.v1

import data.policies.terms

methods := {"delete", "get", "head", "options", "patch", "post", "put", "trace"}

operations contains {"name": concat(" ", [upper(method), path]), "spec": operation} if {
	some path, item in input.paths
	some method, operation in item
	method in methods
}

# An operation's own security wins over the document's; each alternative must do.
scoped(operation) if {
	alternatives := object.get(operation.spec, "security", object.get(input, "security", []))
	count(alternatives) > 0
	every alternative in alternatives {
		some scopes in alternative
		count(scopes) > 0
	}
}

deny contains terms.finding("openapi.authentication", operation.name, "asks nobody who they are, or for no scope", `Declare one: principal: Annotated[Principal, Security(principal_of, scopes=["things:read"])]. If it must be open, add it with its reason to "public" in access.yaml.`) if {
	some operation in operations
	not scoped(operation)
	not operation.name in object.keys(data.access.public)
}

deny contains terms.finding("openapi.scope", operation.name, concat(" ", ["asks for the scope", scope, "which nobody has"]), "Add it with its roles to access.yaml.") if {
	some operation in operations
	some alternative in object.get(operation.spec, "security", [])
	some scopes in alternative
	some scope in scopes
	not scope in object.keys(data.access.scopes)
}

deny contains terms.finding("openapi.reason", operation.name, "is open to everybody without a reason", `Say why in access.yaml, under "public".`) if {
	some operation in operations
	reason := data.access.public[operation.name]
	count(split(trim_space(reason), " ")) < 3
}

deny contains terms.finding("openapi.limit", operation.name, "has no limit of calls", "Give it one, so that the document says x-rate-limit.") if {
	some operation in operations
	object.get(operation.spec, "x-rate-limit", "") == ""
}

properties contains {"path": concat(".", [name, property]), "name": property, "spec": spec} if {
	some name, schema in object.get(input, ["components", "schemas"], {})
	some property, spec in object.get(schema, "properties", {})
}

personal(property) if {
	some pattern in data.personal_data.properties
	glob.match(pattern, [], property.name)
}

handling := `^(masked|pseudonym|(shown|stored): .{10,})$`

deny contains terms.finding("openapi.personal-data", property.path, "may carry personal data and does not say how it is treated", `Declare it: Field(json_schema_extra={"x-personal-data": HANDLING}), where HANDLING is "masked", "pseudonym", "stored: why and for how long" or "shown: to whom and why".`) if {
	some property in properties
	personal(property)
	not regex.match(handling, object.get(property.spec, "x-personal-data", ""))
}
