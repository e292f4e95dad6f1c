output "group_id" {
  description = "Security group of the load balancer."
  value       = aws_security_group.balancer.id
}

output "target_group_arns" {
  description = "Of stable and candidate."
  value       = { for name, group in aws_lb_target_group.version : name => group.arn }
}

output "target_group_suffixes" {
  description = "Of stable and candidate, as CloudWatch names them."
  value       = { for name, group in aws_lb_target_group.version : name => group.arn_suffix }
}

output "balancer_suffix" {
  description = "The load balancer, as CloudWatch names it."
  value       = aws_lb.this.arn_suffix
}

output "weights" {
  description = "What each version gets of a hundred requests."
  value = { for target in aws_lb_listener_rule.split.action[0].forward[0].target_group :
    (target.arn == aws_lb_target_group.version["stable"].arn ? "stable" : "candidate") => target.weight
  }
}
