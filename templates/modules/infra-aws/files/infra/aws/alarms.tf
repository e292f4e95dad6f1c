# What undoes a deployment, and whom it tells. How fast and how reliable is enough stands in slo.yaml.
locals {
  slo = yamldecode(file("${path.module}/../../slo.yaml"))
  # The load balancer sees versions, not flows: the slowest and least reliable flow with a route decides.
  flows        = [for flow in local.slo.flows : flow if can(flow.route)]
  slowest      = max(local.flows[*].p95_ms...) / 1000
  failing      = max(local.flows[*].error_rate...)
  few_requests = 20

  waiting_jobs = "WaitingJobs"

  measured = merge([
    for version in local.running : {
      "${version}-errors" = {
        version = version, target = local.failing
        about   = "more requests fail than slo.yaml allows"
        # A single error among few requests says nothing.
        expression = "IF(requests > ${local.few_requests}, errors / requests, 0)"
        parts = {
          errors   = { metric = "HTTPCode_Target_5XX_Count", stat = "Sum" }
          requests = { metric = "RequestCount", stat = "Sum" }
        }
      }
      "${version}-slow" = {
        version    = version, target = local.slowest
        about      = "one request in twenty is slower than slo.yaml allows"
        expression = "IF(requests > ${local.few_requests}, p95, 0)"
        parts = {
          p95      = { metric = "TargetResponseTime", stat = "p95" }
          requests = { metric = "RequestCount", stat = "Sum" }
        }
      }
    }
  ]...)

  version_alarms = {
    for version in local.running :
    version => [for name, alarm in aws_cloudwatch_metric_alarm.version : alarm if local.measured[name].version == version]
  }
}

resource "aws_cloudwatch_metric_alarm" "version" {
  for_each            = local.measured
  alarm_name          = "${local.name}-${each.key}"
  alarm_description   = "The ${each.value.version} version: ${each.value.about}"
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.target
  evaluation_periods  = 3
  datapoints_to_alarm = 2
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]

  metric_query {
    id          = "measured"
    label       = each.value.about
    expression  = each.value.expression
    return_data = true
  }

  dynamic "metric_query" {
    for_each = each.value.parts
    content {
      id = metric_query.key
      metric {
        namespace   = "AWS/ApplicationELB"
        metric_name = metric_query.value.metric
        stat        = metric_query.value.stat
        period      = 60
        dimensions = {
          LoadBalancer = module.edge.balancer_suffix
          TargetGroup  = module.edge.target_group_suffixes[each.value.version]
        }
      }
    }
  }
}

# A worker writes how many jobs wait; this makes a metric of it, for the alarm and for the number of workers.
resource "aws_cloudwatch_log_metric_filter" "queue" {
  name           = "${local.name}-waiting-jobs"
  log_group_name = aws_cloudwatch_log_group.tasks.name
  pattern        = "{ $.event = \"queue\" }"

  metric_transformation {
    namespace = local.name
    name      = local.waiting_jobs
    value     = "$.waiting"
  }
}

resource "aws_cloudwatch_metric_alarm" "queue" {
  alarm_name          = "${local.name}-queue"
  alarm_description   = "Jobs have waited for ten minutes though every worker that is allowed runs"
  namespace           = local.name
  metric_name         = local.waiting_jobs
  statistic           = "Minimum"
  period              = 60
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.worker_count.max * 100
  evaluation_periods  = 10
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
}

resource "aws_sns_topic" "alarms" {
  name              = "${local.name}-alarms"
  kms_master_key_id = aws_kms_key.this.arn
}

resource "aws_sns_topic_subscription" "alarms" {
  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = var.alarm_email
}
