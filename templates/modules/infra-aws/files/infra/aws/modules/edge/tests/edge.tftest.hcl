mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{\"Version\":\"2012-10-17\",\"Statement\":[]}" }
  }
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_resource "aws_lb" {
    defaults = { arn = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/app/x/0123456789abcdef" }
  }
  mock_resource "aws_lb_listener" {
    defaults = { arn = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener/app/x/0123456789abcdef/0123456789abcdef" }
  }
  mock_resource "aws_acm_certificate" {
    defaults = {
      arn = "arn:aws:acm:eu-central-1:123456789012:certificate/x"
      domain_validation_options = [{
        domain_name = "app.example.com", resource_record_name = "_x.app.example.com", resource_record_type = "CNAME", resource_record_value = "_y.acm"
      }]
    }
  }
  mock_resource "aws_acm_certificate_validation" {
    defaults = { certificate_arn = "arn:aws:acm:eu-central-1:123456789012:certificate/x" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:eu-central-1:123456789012:log-group:aws-waf-logs-x" }
  }
  mock_resource "aws_wafv2_web_acl" {
    defaults = { arn = "arn:aws:wafv2:eu-central-1:123456789012:regional/webacl/x/1" }
  }
}

# Two that differ, or the rule could not be told apart.
override_resource {
  target = aws_lb_target_group.version["stable"]
  values = { arn = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/stable/0123456789abcdef" }
}

override_resource {
  target = aws_lb_target_group.version["candidate"]
  values = { arn = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/candidate/0123456789abcdef" }
}

variables {
  name             = "app-test"
  vpc_id           = "vpc-1"
  subnet_ids       = ["subnet-1", "subnet-2"]
  domain           = "app.example.com"
  zone_id          = "Z1"
  port             = 8000
  candidate_weight = 10
  key_arn          = "arn:aws:kms:eu-central-1:123456789012:key/x"
  log_days         = 7
  lasting          = false
}

run "split" {
  assert {
    condition     = output.weights == { stable = 90, candidate = 10 }
    error_message = "one request in ten must reach the candidate"
  }
  assert {
    condition     = alltrue([for group in aws_lb_target_group.version : group.health_check[0].path == "/readyz"])
    error_message = "only tasks that are ready may be asked"
  }
  assert {
    condition     = aws_lb_listener.http.default_action[0].type == "redirect" && aws_lb_listener.https.default_action[0].type == "fixed-response"
    error_message = "without TLS, or for another host, nothing may be answered"
  }
}

run "everybody" {
  variables {
    candidate_weight = 100
  }
  assert {
    condition     = output.weights == { stable = 0, candidate = 100 }
    error_message = "everybody must reach the candidate"
  }
}

run "more_than_everybody" {
  command = plan
  variables {
    candidate_weight = 101
  }
  expect_failures = [var.candidate_weight]
}
