variable "name" {
  description = "Name of the service."
  type        = string
}

variable "cluster_arn" {
  description = "Where it runs."
  type        = string
}

variable "cluster_name" {
  description = "The same, by name."
  type        = string
}

variable "task_definition_arn" {
  description = "What it runs."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets."
  type        = list(string)
}

variable "group_id" {
  description = "Security group of its tasks."
  type        = string
}

variable "tasks" {
  description = "Fewest and most tasks."
  type        = object({ min = number, max = number })

  validation {
    condition     = var.tasks.min <= var.tasks.max
    error_message = "tasks.min must not be more than tasks.max."
  }
}

variable "scale_on" {
  description = "Target of the autoscaling: percent of CPU, or of a queue the waiting jobs."
  type = object({
    target = number
    queue  = optional(object({ namespace = string, metric = string }))
  })
}

variable "alarm_names" {
  description = "Alarms that undo a deployment."
  type        = list(string)
}

variable "target_group_arn" {
  description = "Where requests come from, if any do."
  type        = string
  default     = null
}

variable "namespace_arn" {
  description = "Where its tasks find others, and are found if it answers."
  type        = string
}

variable "answers_as" {
  description = "Name by which tasks of the namespace, and nobody else, reach it; null: by none."
  type        = string
  default     = null
}

variable "port" {
  description = "Port of the application."
  type        = number
  default     = 8000
}
