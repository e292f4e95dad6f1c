output "database_password" {
  description = "For the database's own resource; never stored."
  value       = ephemeral.aws_secretsmanager_secret_version.database.secret_string
  ephemeral   = true
}

output "cache_token" {
  description = "For the cache's own resource."
  value       = data.aws_secretsmanager_secret_version.cache.secret_string
  sensitive   = true
}

output "arns" {
  description = "ARN of each secret that tasks read, by name."
  value = merge(
    { for name, secret in aws_secretsmanager_secret.password : name => secret.arn },
    { settings = aws_secretsmanager_secret.settings.arn },
  )
}
