variable "name" {
  description = "Prefix of every name."
  type        = string
}

variable "key_arn" {
  description = "Key that encrypts the secrets."
  type        = string
}

variable "passwords_version" {
  description = "Raise it to draw fresh passwords."
  type        = number
}

variable "recovery_days" {
  description = "Days in which a deleted secret can be brought back; 0 deletes at once."
  type        = number
}
