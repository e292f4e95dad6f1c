# Performance insights, parameters; of the cache's nodes their groups, and that they are encrypted.
resource "aws_db_instance" "this" {
  lifecycle { ignore_changes = [performance_insights_enabled, performance_insights_kms_key_id] }
}

resource "aws_db_parameter_group" "this" {
  lifecycle { ignore_changes = [parameter] }
}

resource "aws_elasticache_replication_group" "this" {
  lifecycle { ignore_changes = [at_rest_encryption_enabled, security_group_ids] }
}
