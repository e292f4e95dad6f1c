mock_provider "aws" {
  mock_data "aws_region" {
    defaults = { name = "eu-central-1" }
  }
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{\"Version\":\"2012-10-17\",\"Statement\":[]}" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/flow" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:eu-central-1:123456789012:log-group:flow" }
  }
}

variables {
  name         = "app-test"
  cidr         = "10.20.0.0/16"
  lasting      = true
  egress_hosts = []
  key_arn      = "arn:aws:kms:eu-central-1:123456789012:key/x"
  log_days     = 7
}

run "closed" {
  assert {
    condition     = length(aws_nat_gateway.outside) + length(aws_route.outside) == 0
    error_message = "without hosts there must be no way out"
  }
  assert {
    condition     = alltrue([for subnet in aws_subnet.private : subnet.map_public_ip_on_launch != true])
    error_message = "a private subnet gives public addresses"
  }
  assert {
    condition     = alltrue([for endpoint in aws_vpc_endpoint.interface : length(endpoint.subnet_ids) == 2])
    error_message = "what lasts needs its doors in both zones"
  }
}

run "one_host" {
  variables {
    egress_hosts = ["api.example.com"]
  }
  assert {
    condition     = contains(aws_route53_resolver_firewall_domain_list.allowed[0].domains, "api.example.com.")
    error_message = "the host is not allowed"
  }
  assert {
    condition     = aws_route53_resolver_firewall_rule.block[0].action == "BLOCK" && aws_route53_resolver_firewall_rule.block[0].priority > aws_route53_resolver_firewall_rule.allow[0].priority
    error_message = "all other names must be refused, after the allowed ones"
  }
  assert {
    condition     = length(aws_nat_gateway.outside) == 2
    error_message = "what lasts needs a way out in both zones"
  }
}

run "thrown_away" {
  variables {
    lasting      = false
    egress_hosts = ["api.example.com"]
  }
  assert {
    condition     = length(aws_nat_gateway.outside) == 1 && length(aws_route.outside) == 2
    error_message = "one gateway must serve both zones"
  }
}

run "everything_is_not_a_host" {
  command = plan
  variables {
    egress_hosts = ["*"]
  }
  expect_failures = [var.egress_hosts]
}
