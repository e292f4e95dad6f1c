variable "name" {
  description = "Prefix of every name."
  type        = string
}

variable "vpc_id" {
  description = "The network."
  type        = string
}

variable "subnet_ids" {
  description = "Public subnets."
  type        = list(string)
}

variable "domain" {
  description = "The only host that is answered."
  type        = string
}

variable "zone_id" {
  description = "Route 53 zone of the domain."
  type        = string
}

variable "port" {
  description = "Port of the application."
  type        = number
}

variable "candidate_weight" {
  description = "Percentage of requests that the candidate answers."
  type        = number

  validation {
    condition     = var.candidate_weight >= 0 && var.candidate_weight <= 100 && floor(var.candidate_weight) == var.candidate_weight
    error_message = "candidate_weight must be a whole percentage."
  }
}

variable "requests_per_5_minutes" {
  description = "More than this from one address is refused."
  type        = number
  default     = 3000
}

variable "key_arn" {
  description = "Key that encrypts logs."
  type        = string
}

variable "log_days" {
  description = "Days that logs are kept."
  type        = number
}

variable "lasting" {
  description = "Protected from deletion."
  type        = bool
}
