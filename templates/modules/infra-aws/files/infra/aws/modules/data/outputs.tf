output "database_url" {
  description = "Without password: it comes from PGPASSWORD."
  value       = "postgresql+asyncpg://${aws_db_instance.this.username}@${aws_db_instance.this.address}:${aws_db_instance.this.port}/${aws_db_instance.this.db_name}?ssl=require"
}

output "cache_url_arn" {
  description = "Secret with the address of the cache."
  value       = aws_secretsmanager_secret.cache_url.arn
}

output "database_group_id" {
  description = "Security group of the database."
  value       = aws_security_group.database.id
}

output "cache_group_id" {
  description = "Security group of the cache."
  value       = aws_security_group.cache.id
}
