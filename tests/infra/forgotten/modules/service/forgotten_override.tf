# Three settings of a service; desired_count is ignored by the module itself.
resource "aws_ecs_service" "this" {
  lifecycle {
    ignore_changes = [
      availability_zone_rebalancing, desired_count, enable_ecs_managed_tags, health_check_grace_period_seconds,
    ]
  }
}
