variable "project" {
  description = "Name of the project, in every name and label."
  type        = string
}

variable "project_id" {
  description = "Id of the project on Google Cloud."
  type        = string
}

variable "environment" {
  description = "Name of this stack: prod, preview, or one per branch. All stacks are alike."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,8}[a-z0-9]$", var.environment))
    error_message = "environment must be 2 to 10 lower-case letters, digits and dashes."
  }
}

variable "region" {
  description = "Region of everything in this stack; data stays there."
  type        = string
}

variable "lifetime" {
  description = "How long the stack may stay, such as 72h; forever for production. A label, for whoever cleans up."
  type        = string
  default     = "forever"
}

variable "lasting" {
  description = "Production: two zones, backups, and nothing that is deleted by accident."
  type        = bool
}

variable "repository" {
  description = "OWNER/NAME on GitHub; its jobs of the environment of this name may deploy."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$", var.repository))
    error_message = "repository must be OWNER/NAME, without wildcards."
  }
}

variable "tasks" {
  description = "Fewest and most instances that serve, and workers."
  type        = object({ min = number, max = number, workers = number })
}

variable "database_tier" {
  description = "Machine of PostgreSQL."
  type        = string
}

variable "passwords_version" {
  description = "Raise it after putting fresh passwords into the secrets."
  type        = number
  default     = 1
}

variable "database_password" {
  description = "Given to the database and its secret, stored in no state: TF_VAR_database_password."
  type        = string
  ephemeral   = true
}

variable "access_token" {
  description = "Asked of every caller, stored in no state: TF_VAR_access_token."
  type        = string
  ephemeral   = true

  validation {
    condition     = length(var.access_token) >= 32
    error_message = "access_token needs 32 characters or more."
  }
}

variable "stable_image" {
  description = "Image that answers everyone, by digest."
  type        = string

  validation {
    condition     = can(regex("@sha256:[0-9a-f]{64}$", var.stable_image))
    error_message = "stable_image must be pinned by digest."
  }
}

variable "candidate_image" {
  description = "Image that a rollout tries; the stable one when none is under way."
  type        = string

  validation {
    condition     = can(regex("@sha256:[0-9a-f]{64}$", var.candidate_image))
    error_message = "candidate_image must be pinned by digest."
  }
}

variable "candidate_weight" {
  description = "Percentage of requests that the candidate answers."
  type        = number
  default     = 0

  validation {
    condition     = contains(concat([0], var.rollout_steps[*].candidate), var.candidate_weight)
    error_message = "candidate_weight must be 0 or a step of rollout.yaml."
  }
}

# The three below come from rollout.auto.tfvars.json, which `just gcp-render` makes from rollout.yaml.
variable "rollout_steps" {
  description = "Percentages of candidate and current version, and the minutes that each step is watched."
  type        = list(object({ candidate = number, current = number, minutes = number }))
}

variable "blue_green_watch_minutes" {
  description = "How long a version that took over at once is watched."
  type        = number
}

variable "blue_green_keep_old_minutes" {
  description = "How long the old version then waits for a way back."
  type        = number
}
