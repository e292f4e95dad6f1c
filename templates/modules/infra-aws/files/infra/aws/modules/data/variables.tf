variable "name" {
  description = "Prefix of every name."
  type        = string
}

variable "vpc_id" {
  description = "The network."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets."
  type        = list(string)
}

variable "key_arn" {
  description = "Key that encrypts what is stored."
  type        = string
}

variable "lasting" {
  description = "Two zones, backups for two weeks, protection from deletion."
  type        = bool
}

variable "database_class" {
  description = "Instance class of PostgreSQL."
  type        = string
}

variable "cache_type" {
  description = "Node type of Valkey."
  type        = string
}

variable "database_password" {
  description = "Given to the database, stored nowhere."
  type        = string
  ephemeral   = true
}

variable "cache_token" {
  description = "Asked by the cache."
  type        = string
  sensitive   = true
}

variable "passwords_version" {
  description = "Raise it when the password is a fresh one."
  type        = number
}

variable "recovery_days" {
  description = "Days in which a deleted secret can be brought back; 0 deletes at once."
  type        = number
}
