output "state_bucket" {
  description = "deploy.py finds it by its name: PROJECT-state-ACCOUNT."
  value       = aws_s3_bucket.state.id
}

output "repository" {
  description = "Where images go."
  value       = aws_ecr_repository.app.repository_url
}

output "roles" {
  description = "For the pipelines: the variable AWS_ROLE of the environments prod and preview."
  value       = { for name, role in aws_iam_role.pipeline : name => role.arn }
}
