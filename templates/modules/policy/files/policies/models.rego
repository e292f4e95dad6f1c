# models.yaml: which provider may see the data of which use case, in which region, and for how long it keeps it.
# The application asks the same table before each call, for the tenant that the call is for.
package policies.models

import rego.v1

import data.policies.terms

table := data.residency

# Models that are called over a network, as far as they are configured.
remote contains {"name": name, "url": model.url, "host": terms.host(model.url)} if {
	some name, model in input.models
	model.kind == "openai"
	object.get(model, "url", "") != ""
}

provided contains {"model": model, "provider": name, "terms": provider} if {
	some model in remote
	some name, provider in table.providers
	some pattern in provider.hosts
	glob.match(pattern, ["."], model.host)
}

uses contains {"path": concat(".", ["request_classes", class]), "rule": use_case(class), "provided": found} if {
	some class, spec in input.request_classes
	some model in spec.route
	some found in provided
	found.model.name == model
}

use_case(class) := table.use_cases[class] if class in object.keys(table.use_cases)

use_case(class) := table.use_cases["default"] if not class in object.keys(table.use_cases)

deny contains terms.finding("models.provider", concat(".", ["models", model.name]), concat(" ", ["is called at", model.host, "of which nothing is known"]), "Add the provider, its region and how long it keeps what it is sent to residency.providers in policies/data.yaml.") if {
	some model in remote
	not is_provided(model)
}

is_provided(model) if {
	some found in provided
	found.model == model
}

deny contains terms.finding("models.plain", concat(".", ["models", found.model.name]), "is sent personal data without encryption", "Give an address that begins with https://.") if {
	some found in provided
	found.terms.region != "own"
	not startswith(found.model.url, "https://")
}

deny contains terms.finding("models.use-case", use.path, concat(" ", ["may not use the provider", use.provided.provider]), "Take the model out of its route, or allow the provider under residency.use_cases.") if {
	some use in uses
	allowed := object.get(use.rule, "providers", null)
	allowed != null
	not use.provided.provider in allowed
}

deny contains terms.finding("models.retention", use.path, concat(" ", ["goes to", use.provided.provider, "which keeps it too long"]), "Agree a shorter retention with the provider, or take the model out of the route.") if {
	some use in uses
	use.provided.terms.retention_days > use.rule.retention_days
}

deny contains terms.finding("models.residency", use.path, concat(" ", ["goes to", use.provided.provider, "in the region", use.provided.terms.region, "where most tenants' data may not be"]), "Use a provider in a region of residency.regions for the default tenant, or take the model out of the route.") if {
	some use in uses
	residency := table.tenants["default"]
	not use.provided.terms.region in table.regions[residency]
}
