variable "name" {
  description = "Prefix of every name."
  type        = string
}

variable "cidr" {
  description = "Addresses of the network."
  type        = string
}

variable "lasting" {
  description = "Doors to AWS, and ways out, in both zones instead of one."
  type        = bool
}

variable "egress_hosts" {
  description = "Hosts that may be called. None: the private subnets have no route to the internet."
  type        = list(string)

  validation {
    condition     = alltrue([for host in var.egress_hosts : can(regex("^(\\*\\.)?([a-z0-9-]+\\.)+[a-z0-9-]+$", host))])
    error_message = "egress_hosts are names such as api.example.com or *.example.com; * alone would allow everything."
  }
}

variable "key_arn" {
  description = "Key that encrypts logs."
  type        = string
}

variable "log_days" {
  description = "Days that logs are kept."
  type        = number
}

variable "zones" {
  description = "Letters of the two zones: named, so that a new zone of the region moves nothing."
  type        = list(string)
  default     = ["a", "b"]

  validation {
    condition     = length(distinct(var.zones)) == 2
    error_message = "zones must be two."
  }
}
