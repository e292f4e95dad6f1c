variable "project" {
  description = "Name of the project, as in the stacks."
  type        = string
}

variable "region" {
  description = "Region of states and images; that of the stacks."
  type        = string
}

variable "forge" {
  description = "Whose pipelines deploy: github or gitlab."
  type        = string

  validation {
    condition     = contains(["github", "gitlab"], var.forge)
    error_message = "forge must be github or gitlab."
  }
}

variable "repository" {
  description = "OWNER/NAME there. Nobody else's pipelines get in."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)+$", var.repository))
    error_message = "repository must be OWNER/NAME, without wildcards."
  }
}

variable "branch" {
  description = "GitLab only: the protected branch that deploys production."
  type        = string
  default     = "main"
}

variable "gitlab_host" {
  description = "GitLab only: where it runs."
  type        = string
  default     = "gitlab.com"
}

variable "alarm_email" {
  description = "Who hears when the project becomes expensive."
  type        = string
}

variable "monthly_budget_usd" {
  description = "Mail when the project is forecast to cost more per month."
  type        = number
  default     = 400
}
