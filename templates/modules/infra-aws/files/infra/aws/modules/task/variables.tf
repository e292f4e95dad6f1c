variable "name" {
  description = "Family of the task."
  type        = string
}

variable "image" {
  description = "Image by digest, so that what was tested is what runs."
  type        = string

  validation {
    condition     = can(regex("@sha256:[0-9a-f]{64}$", var.image))
    error_message = "image must be pinned by digest: NAME@sha256:..."
  }
}

variable "command" {
  description = "What the container runs."
  type        = list(string)
}

variable "port" {
  description = "Port that it answers on, if it does."
  type        = number
  default     = null
}

variable "health_url" {
  description = "Asked inside the container to know that it is well, if it serves anything."
  type        = string
  default     = null
}

variable "cpu" {
  description = "Units of CPU; 1024 are one core."
  type        = number
}

variable "memory" {
  description = "MiB."
  type        = number
}

variable "settings" {
  description = "Environment of the container."
  type        = map(string)
}

variable "secrets" {
  description = "Environment read from Secrets Manager: name -> ARN, or ARN:KEY:: of a JSON object."
  type        = map(string)

  validation {
    condition     = alltrue([for source in values(var.secrets) : startswith(source, "arn:")])
    error_message = "secrets must name where the value is stored, never the value."
  }
}

variable "execution_role_arn" {
  description = "Role that starts the task: pulls the image, reads the secrets, writes logs."
  type        = string
}

variable "task_role_arn" {
  description = "Role of the application itself."
  type        = string
}

variable "log_group" {
  description = "Where its output goes."
  type        = string
}

variable "region" {
  description = "Region of the log group."
  type        = string
}
