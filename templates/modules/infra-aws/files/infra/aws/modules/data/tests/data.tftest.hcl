mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{\"Version\":\"2012-10-17\",\"Statement\":[]}" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/monitoring" }
  }
}

variables {
  name              = "app-test"
  vpc_id            = "vpc-1"
  subnet_ids        = ["subnet-1", "subnet-2"]
  key_arn           = "arn:aws:kms:eu-central-1:123456789012:key/x"
  lasting           = true
  database_class    = "db.t4g.micro"
  cache_type        = "cache.t4g.micro"
  database_password = "not-a-real-password"
  cache_token       = "not-a-real-token-either"
  passwords_version = 1
  recovery_days     = 30
}

run "closed_and_encrypted" {
  assert {
    condition     = aws_db_instance.this.storage_encrypted && !aws_db_instance.this.publicly_accessible
    error_message = "the database must be encrypted and private"
  }
  assert {
    condition     = aws_elasticache_replication_group.this.transit_encryption_enabled && aws_elasticache_replication_group.this.auth_token != null
    error_message = "the cache must ask for TLS and a token"
  }
  assert {
    condition     = aws_db_instance.this.password_wo == null && aws_db_instance.this.password == null
    error_message = "the password must not be in the state"
  }
  assert {
    condition     = !strcontains(output.database_url, "password")
    error_message = "the address must not hold the password"
  }
}

run "lasting" {
  assert {
    condition     = aws_db_instance.this.multi_az && aws_db_instance.this.deletion_protection && !aws_db_instance.this.skip_final_snapshot
    error_message = "what lasts must survive a zone and a mistake"
  }
}

run "thrown_away" {
  variables {
    lasting = false
  }
  assert {
    condition     = !aws_db_instance.this.deletion_protection && aws_db_instance.this.skip_final_snapshot
    error_message = "what is thrown away must be removable"
  }
}
