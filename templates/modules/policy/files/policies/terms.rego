# What all policies mean by a finding, the name of a secret, an image that cannot change.
package policies.terms

import rego.v1

# A finding names its rule, the place, and in one text what is wrong there and how to mend it.
finding(id, path, what, mend) := {
	"id": id,
	"path": path,
	"msg": concat(" ", [path, concat(". ", [what, mend])]),
}

names_a_secret(name) if {
	regex.match(`(password|passwd|secret|token|api_?key|private_?key|credentials?)$`, lower(name))
}

# A version other than latest, or a digest.
pinned(image) if regex.match(`@sha256:[0-9a-f]{64}$`, image)

pinned(image) if {
	tag := regex.find_n(`:[^:/@]+$`, image, 1)
	count(tag) == 1
	tag[0] != ":latest"
}

many(value) := value if is_array(value)

many(value) := [value] if not is_array(value)

# "https://user@name.example:8000/path" -> "name.example"
host(url) := name if {
	authority := split(split(url, "://")[1], "/")[0]
	parts := split(authority, "@")
	name := lower(split(parts[count(parts) - 1], ":")[0])
}
