variable "project" {
  description = "Name of the project, in every name and tag."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]*[a-z0-9]$", var.project))
    error_message = "project must be lower-case letters, digits and dashes."
  }
}

variable "environment" {
  description = "Name of this stack: prod, preview, or one per branch such as pr-42. All stacks are alike."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,8}[a-z0-9]$", var.environment))
    error_message = "environment must be 2 to 10 lower-case letters, digits and dashes."
  }
}

variable "region" {
  description = "AWS region that everything of this stack is in; data stays there."
  type        = string
}

variable "domain" {
  description = "Name under which people reach this stack."
  type        = string
}

variable "zone_id" {
  description = "Route 53 zone of the domain."
  type        = string
}

variable "alarm_email" {
  description = "Who hears of an alarm."
  type        = string
}

variable "lifetime" {
  description = "How long the stack may stay, such as 72h; forever for production. A tag, for whoever cleans up."
  type        = string
  default     = "forever"

  validation {
    condition     = var.lifetime == "forever" || can(regex("^[0-9]+h$", var.lifetime))
    error_message = "lifetime must be forever, or hours such as 72h."
  }
}

variable "lasting" {
  description = "Production: two zones for each part, backups, and nothing that is deleted by accident."
  type        = bool
}

variable "network_cidr" {
  description = "Addresses of the network; a /16 leaves room for subnets of /20."
  type        = string
  default     = "10.20.0.0/16"
}

variable "egress_hosts" {
  description = "Hosts outside AWS that the application may call, such as api.example.com. None: no way out at all."
  type        = list(string)
  default     = []
}

variable "settings" {
  description = "Settings of the application beyond those that the stack knows; no secrets."
  type        = map(string)
  default     = {}
}

variable "secret_settings" {
  description = "Settings whose values are keys of the secret NAME/settings, such as LARGE_MODEL_API_KEY."
  type        = set(string)
  default     = []
}

variable "passwords_version" {
  description = "Raise it to give database, cache and access token fresh passwords."
  type        = number
  default     = 1
}

variable "app_count" {
  description = "Fewest and most tasks that serve."
  type        = object({ min = number, max = number })
}

variable "worker_count" {
  description = "Fewest and most tasks that work off the queue."
  type        = object({ min = number, max = number })
}

variable "inference_count" {
  description = "Fewest and most tasks that answer with the small model."
  type        = object({ min = number, max = number })
}

variable "paused" {
  description = "No task runs; data and addresses stay."
  type        = bool
  default     = false
}

variable "database_class" {
  description = "Instance class of PostgreSQL."
  type        = string
}

variable "cache_type" {
  description = "Node type of Valkey."
  type        = string
}

variable "stable_image" {
  description = "Image that answers everyone, by digest."
  type        = string
}

variable "candidate_image" {
  description = "Image that a rollout tries; the stable one when none is under way."
  type        = string
}

variable "previous_image" {
  description = "Image that answered everyone before the stable one: where `rollback` goes."
  type        = string
  default     = null
}

variable "candidate_weight" {
  description = "Percentage of requests that the candidate answers; 0 starts it without any, null runs none."
  type        = number
  default     = null

  validation {
    condition     = try(contains(concat([0], var.rollout_steps[*].candidate), var.candidate_weight), var.candidate_weight == null)
    error_message = "candidate_weight must be null, 0 or a step of rollout.yaml."
  }
}

# The three below come from rollout.auto.tfvars.json, which `just aws-render` makes from rollout.yaml.
variable "rollout_steps" {
  description = "Percentages of candidate and current version, and the minutes that each step is watched."
  type        = list(object({ candidate = number, current = number, minutes = number }))
}

variable "blue_green_watch_minutes" {
  description = "How long a version that took over at once is watched; read by deploy.py."
  type        = number
}

variable "blue_green_keep_old_minutes" {
  description = "How long the old version then waits for a way back; read by deploy.py."
  type        = number
}
