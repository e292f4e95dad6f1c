# PostgreSQL and Valkey: encrypted, in private subnets, open to nobody but whom clients.tf of the stack lets in.
resource "aws_db_subnet_group" "this" {
  name       = var.name
  subnet_ids = var.subnet_ids
}

resource "aws_security_group" "database" {
  name        = "${var.name}-database"
  description = "PostgreSQL"
  vpc_id      = var.vpc_id
}

resource "aws_db_parameter_group" "this" {
  name   = var.name
  family = "postgres17"

  parameter {
    name  = "rds.force_ssl"
    value = "1"
  }
  parameter {
    name  = "log_min_duration_statement"
    value = "1000"
  }
  # Statements that change the schema, not those with people's data.
  parameter {
    name  = "log_statement"
    value = "ddl"
  }
}

# Protected in production only: a preview is deleted by whoever made it.
#trivy:ignore:AWS-0177
resource "aws_db_instance" "this" {
  #checkov:skip=CKV_AWS_157:Two zones in production only
  #checkov:skip=CKV_AWS_293:Protected in production only
  identifier     = var.name
  engine         = "postgres"
  engine_version = "17"
  instance_class = var.database_class
  db_name        = "app"
  username       = "app"

  password_wo         = var.database_password
  password_wo_version = var.passwords_version

  allocated_storage     = 20
  max_allocated_storage = 200
  storage_type          = "gp3"
  storage_encrypted     = true
  kms_key_id            = var.key_arn

  publicly_accessible    = false
  db_subnet_group_name   = aws_db_subnet_group.this.name
  vpc_security_group_ids = [aws_security_group.database.id]
  parameter_group_name   = aws_db_parameter_group.this.name
  ca_cert_identifier     = "rds-ca-rsa2048-g1"

  multi_az                            = var.lasting
  backup_retention_period             = var.lasting ? 14 : 1
  copy_tags_to_snapshot               = true
  deletion_protection                 = var.lasting
  skip_final_snapshot                 = !var.lasting
  final_snapshot_identifier           = var.lasting ? "${var.name}-last" : null
  auto_minor_version_upgrade          = true
  iam_database_authentication_enabled = true
  enabled_cloudwatch_logs_exports     = ["postgresql", "upgrade"]
  performance_insights_enabled        = true
  performance_insights_kms_key_id     = var.key_arn
  monitoring_interval                 = 60
  monitoring_role_arn                 = aws_iam_role.monitoring.arn
}

resource "aws_iam_role" "monitoring" {
  name               = "${var.name}-database-monitoring"
  assume_role_policy = data.aws_iam_policy_document.monitoring.json
}

data "aws_iam_policy_document" "monitoring" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["monitoring.rds.amazonaws.com"]
    }
  }
}

resource "aws_iam_role_policy_attachment" "monitoring" {
  role       = aws_iam_role.monitoring.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"
}

resource "aws_elasticache_subnet_group" "this" {
  name       = var.name
  subnet_ids = var.subnet_ids
}

resource "aws_security_group" "cache" {
  name        = "${var.name}-cache"
  description = "Valkey"
  vpc_id      = var.vpc_id
}

resource "aws_elasticache_replication_group" "this" {
  replication_group_id       = var.name
  description                = "Answers of models and limits, shared by all tasks"
  engine                     = "valkey"
  engine_version             = "8.0"
  node_type                  = var.cache_type
  num_cache_clusters         = var.lasting ? 2 : 1
  automatic_failover_enabled = var.lasting
  multi_az_enabled           = var.lasting
  at_rest_encryption_enabled = true
  kms_key_id                 = var.key_arn
  transit_encryption_enabled = true
  auth_token                 = var.cache_token
  auth_token_update_strategy = "ROTATE"
  subnet_group_name          = aws_elasticache_subnet_group.this.name
  security_group_ids         = [aws_security_group.cache.id]
  # It holds nothing that cannot be made again.
  snapshot_retention_limit = 0
}

# The cache's address holds its token, so it is a secret as a whole.
resource "aws_secretsmanager_secret" "cache_url" {
  #checkov:skip=CKV2_AWS_57:Follows the cache's token, which passwords_version changes
  name                    = "${var.name}/cache-url"
  description             = "Address of the cache, token included"
  kms_key_id              = var.key_arn
  recovery_window_in_days = var.recovery_days
}

resource "aws_secretsmanager_secret_version" "cache_url" {
  secret_id                = aws_secretsmanager_secret.cache_url.id
  secret_string_wo         = "rediss://:${var.cache_token}@${aws_elasticache_replication_group.this.primary_endpoint_address}:6379/0"
  secret_string_wo_version = var.passwords_version
}
