output "url" {
  description = "Where people find this stack."
  value       = "https://${var.domain}"
}

output "deployed" {
  description = "What deploy.py has to know of the present state."
  value = {
    stable_image     = var.stable_image
    candidate_image  = var.candidate_image
    candidate_weight = var.candidate_weight
    previous_image   = var.previous_image
    cluster          = aws_ecs_cluster.this.name
    services = merge(
      { for version, app in module.app : app.name => module.task[version].arn },
      { (module.worker.name) = module.task["worker"].arn },
      { (module.inference.name) = module.task["inference"].arn },
    )
    alarms    = [for alarm in aws_cloudwatch_metric_alarm.version : alarm.alarm_name]
    migration = module.task["migrate"].arn
    subnets   = module.network.private_subnet_ids
    group     = aws_security_group.tasks.id
    log_group = aws_cloudwatch_log_group.tasks.name
    url       = "https://${var.domain}"
    token     = "${local.name}/access-token"
  }
}

output "weights" {
  description = "Of a hundred requests, how many each version gets."
  value       = module.edge.weights
}

output "settings_secret" {
  description = "Secret that holds what secret_settings names."
  value       = "${local.name}/settings"
}
