# One stack: everything that an environment needs. Production and a preview differ in *.tfvars, never here.
locals {
  name = "${trimsuffix(substr(var.project, 0, 14), "-")}-${var.environment}"

  log_days      = var.lasting ? 365 : 7
  recovery_days = var.lasting ? 30 : 0
  port          = 8000
}

module "network" {
  source       = "./modules/network"
  name         = local.name
  cidr         = var.network_cidr
  lasting      = var.lasting
  egress_hosts = var.egress_hosts
  key_arn      = aws_kms_key.this.arn
  log_days     = local.log_days
}

module "secrets" {
  source            = "./modules/secrets"
  name              = local.name
  key_arn           = aws_kms_key.this.arn
  passwords_version = var.passwords_version
  recovery_days     = local.recovery_days
}

module "data" {
  source            = "./modules/data"
  name              = local.name
  vpc_id            = module.network.vpc_id
  subnet_ids        = module.network.private_subnet_ids
  key_arn           = aws_kms_key.this.arn
  lasting           = var.lasting
  database_class    = var.database_class
  cache_type        = var.cache_type
  database_password = module.secrets.database_password
  cache_token       = module.secrets.cache_token
  passwords_version = var.passwords_version
  recovery_days     = local.recovery_days
}

module "edge" {
  source           = "./modules/edge"
  name             = local.name
  vpc_id           = module.network.vpc_id
  subnet_ids       = module.network.public_subnet_ids
  domain           = var.domain
  zone_id          = var.zone_id
  port             = local.port
  candidate_weight = coalesce(var.candidate_weight, 0)
  key_arn          = aws_kms_key.this.arn
  log_days         = local.log_days
  lasting          = var.lasting
}
