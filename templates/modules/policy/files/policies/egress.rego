# Where the configuration points to: {"urls": [{"path": "models.yaml models.large.url", "url": "https://..."}]}.
# The application lets no other host be called either.
package policies.egress

import rego.v1

import data.policies.terms

deny contains terms.finding("egress.host", found.path, concat(" ", ["calls", host, "which is not on the list"]), "Add it to egress.hosts in policies/data.yaml, or to a provider's hosts there, if it must be called.") if {
	some found in input.urls
	host := terms.host(found.url)
	not internal(host)
	not listed(host)
}

# A service beside this one: a name without a dot, or of the cluster.
internal(host) if not contains(host, ".")

internal(host) if startswith(host, "127.")

internal(host) if regex.match(`\.svc(\.cluster\.local)?$`, host)

listed(host) if {
	some pattern in data.egress.hosts
	glob.match(pattern, ["."], host)
}

listed(host) if {
	some provider in data.residency.providers
	some pattern in provider.hosts
	glob.match(pattern, ["."], host)
}
