# Passwords are drawn by AWS, stored in Secrets Manager, and read back from there. None is in a plan or a state, but for
# the cache's: its resource has no write-only argument yet.
locals {
  passwords = toset(["access-token", "cache-token", "database-password", "inference-key"])
}

ephemeral "aws_secretsmanager_random_password" "fresh" {
  for_each            = local.passwords
  password_length     = 40
  exclude_punctuation = true
}

resource "aws_secretsmanager_secret" "password" {
  #checkov:skip=CKV2_AWS_57:Changed by passwords_version and a rollout: a task reads its password only when it starts
  for_each                = local.passwords
  name                    = "${var.name}/${each.key}"
  description             = "Drawn when the stack was made, or when passwords_version was raised"
  kms_key_id              = var.key_arn
  recovery_window_in_days = var.recovery_days
}

resource "aws_secretsmanager_secret_version" "password" {
  for_each                 = local.passwords
  secret_id                = aws_secretsmanager_secret.password[each.key].id
  secret_string_wo         = ephemeral.aws_secretsmanager_random_password.fresh[each.key].random_password
  secret_string_wo_version = var.passwords_version
}

ephemeral "aws_secretsmanager_secret_version" "database" {
  secret_id = aws_secretsmanager_secret_version.password["database-password"].secret_id
}

data "aws_secretsmanager_secret_version" "cache" {
  secret_id = aws_secretsmanager_secret_version.password["cache-token"].secret_id
  # Fresh passwords are read when they are there, not when they are planned.
  depends_on = [aws_secretsmanager_secret_version.password]
}

# What the owner adds: keys of providers, secrets of webhooks.
resource "aws_secretsmanager_secret" "settings" {
  #checkov:skip=CKV2_AWS_57:Holds keys of others, which only their issuers can rotate
  name                    = "${var.name}/settings"
  description             = "Secret settings of the application, as one JSON object"
  kms_key_id              = var.key_arn
  recovery_window_in_days = var.recovery_days
}
