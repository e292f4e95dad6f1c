mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{\"Version\":\"2012-10-17\",\"Statement\":[]}" }
  }
  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:eu-central-1:123456789012:key/x" }
  }
  mock_resource "aws_s3_bucket" {
    defaults = { arn = "arn:aws:s3:::state" }
  }
  mock_resource "aws_iam_openid_connect_provider" {
    defaults = { arn = "arn:aws:iam::123456789012:oidc-provider/x" }
  }
}

variables {
  project     = "app"
  region      = "eu-central-1"
  forge       = "github"
  repository  = "acme/app"
  alarm_email = "ops@example.com"
}

run "github" {
  command = plan
  assert {
    condition     = local.roles.prod.subject == "repo:acme/app:environment:prod"
    error_message = "only a job of the environment prod may deploy production"
  }
  assert {
    condition     = alltrue([for condition in data.aws_iam_policy_document.trust["prod"].statement[0].condition : condition.test == "StringEquals"])
    error_message = "the subject of production must be exact"
  }
}

run "gitlab" {
  command = plan
  variables {
    forge = "gitlab"
  }
  assert {
    condition     = local.roles.prod.subject == "project_path:acme/app:ref_type:branch:ref:main"
    error_message = "only the protected branch may deploy production"
  }
}

run "a_wildcard_lets_others_in" {
  command = plan
  variables {
    repository = "acme/*"
  }
  expect_failures = [var.repository]
}
