# For `opa test policies/*.rego policies/examples/data.yaml`, which runs the cases of every policy in OPA itself.
# `just policy` runs the same cases one by one, in an engine that does not know `with`.
package policies.all_test

import rego.v1

import data.policies

holds(found, case) if {it.id | some it in found} == {id | some id in case.rules}

test_compose if {
	every case in policies.compose_test.cases {
		found := policies.compose.deny with input as case.input
		holds(found, case)
	}
}

test_egress if {
	every case in policies.egress_test.cases {
		found := policies.egress.deny with input as case.input
		holds(found, case)
	}
}

test_github if {
	every case in policies.github_test.cases {
		found := policies.github.deny with input as case.input
		holds(found, case)
	}
}

test_gitlab if {
	every case in policies.gitlab_test.cases {
		found := policies.gitlab.deny with input as case.input
		holds(found, case)
	}
}

test_kubernetes if {
	every case in policies.kubernetes_test.cases {
		found := policies.kubernetes.deny with input as case.input
		holds(found, case)
	}
}

test_models if {
	every case in policies.models_test.cases {
		found := policies.models.deny with input as case.input
		holds(found, case)
	}
}

test_openapi if {
	every case in policies.openapi_test.cases {
		found := policies.openapi.deny with input as case.input
		holds(found, case)
	}
}

test_terraform if {
	every case in policies.terraform_test.cases {
		found := policies.terraform.deny with input as case.input
		holds(found, case)
	}
}
