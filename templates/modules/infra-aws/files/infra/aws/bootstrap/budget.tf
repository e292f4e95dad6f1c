resource "aws_budgets_budget" "project" {
  name         = var.project
  budget_type  = "COST"
  limit_amount = tostring(var.monthly_budget_usd)
  limit_unit   = "USD"
  time_unit    = "MONTHLY"

  # The tag counts once it is activated in the billing console; docs/aws.md says where.
  cost_filter {
    name   = "TagKeyValue"
    values = ["user:project$${var.project}"]
  }

  notification {
    comparison_operator        = "GREATER_THAN"
    threshold                  = 100
    threshold_type             = "PERCENTAGE"
    notification_type          = "FORECASTED"
    subscriber_email_addresses = [var.alarm_email]
  }
}
