# Two versions behind one rule, the workers, the small model, and the migration that runs once before either version.
locals {
  secret_arns = merge(module.secrets.arns, { cache-url = module.data.cache_url_arn })

  secrets = merge(
    {
      ACCESS_TOKEN          = local.secret_arns["access-token"]
      PGPASSWORD            = local.secret_arns["database-password"]
      AI_RESPONSE_CACHE_URL = local.secret_arns["cache-url"]
      RATE_LIMITS_URL       = local.secret_arns["cache-url"]
      INFERENCE_KEY         = local.secret_arns["inference-key"]
    },
    { for name in var.secret_settings : name => "${local.secret_arns["settings"]}:${name}::" },
  )

  settings = merge(
    {
      ENVIRONMENT        = "production"
      HOST               = "0.0.0.0"
      PORT               = tostring(local.port)
      LOG_FORMAT         = "json"
      IN_PROCESS_WORKERS = "false"
      DATABASE_URL       = module.data.database_url
      INFERENCE_URL      = "http://${local.inference}:${local.port}"
      # The load balancer, which adds to X-Forwarded-For who asked it. With CloudFront before it: 2.
      TRUSTED_HOPS = "1"
    },
    var.settings,
  )

  # Its name among the tasks; each has a proxy of Service Connect that knows where it answers.
  inference = "inference"

  none    = { min = 0, max = 0 }
  running = var.candidate_weight == null ? toset(["stable"]) : toset(["stable", "candidate"])

  serving = { command = ["app", "serve"], port = local.port, health_url = "http://127.0.0.1:${local.port}/readyz", cpu = 512, memory = 1024 }
  working = { command = ["app", "worker", "--metrics-port", "9100"], port = null, health_url = "http://127.0.0.1:9100", cpu = 512, memory = 1024 }
  migrate = { command = ["app", "db", "upgrade"], port = null, health_url = null, cpu = 256, memory = 512 }

  application = { settings = local.settings, secrets = local.secrets }
  # It reaches nothing, and knows no secret but the key that its callers send.
  alone = {
    command  = ["app", "inference", "serve"]
    settings = { ENVIRONMENT = "production", HOST = "0.0.0.0", INFERENCE_PORT = tostring(local.port), LOG_FORMAT = "json" }
    secrets  = { INFERENCE_KEY = local.secret_arns["inference-key"] }
  }

  tasks = {
    stable    = merge(local.serving, local.application, { image = var.stable_image })
    candidate = merge(local.serving, local.application, { image = var.candidate_image })
    worker    = merge(local.working, local.application, { image = var.stable_image })
    inference = merge(local.serving, local.alone, { image = var.stable_image })
    # New columns come before the code that reads them.
    migrate = merge(local.migrate, local.application, { image = var.candidate_image })
  }
}

resource "aws_ecs_cluster" "this" {
  name = local.name

  setting {
    name  = "containerInsights"
    value = "enabled"
  }
}

resource "aws_service_discovery_http_namespace" "this" {
  name        = local.name
  description = "Where tasks find each other"
}

resource "aws_cloudwatch_log_group" "tasks" {
  name              = "/${local.name}/tasks"
  retention_in_days = local.log_days
  kms_key_id        = aws_kms_key.this.arn
}

module "task" {
  source             = "./modules/task"
  for_each           = local.tasks
  name               = "${local.name}-${each.key}"
  image              = each.value.image
  command            = each.value.command
  port               = each.value.port
  health_url         = each.value.health_url
  cpu                = each.value.cpu
  memory             = each.value.memory
  settings           = each.value.settings
  secrets            = each.value.secrets
  execution_role_arn = aws_iam_role.execution.arn
  task_role_arn      = aws_iam_role.application.arn
  log_group          = aws_cloudwatch_log_group.tasks.name
  region             = var.region
}

module "app" {
  source              = "./modules/service"
  for_each            = local.running
  name                = "${local.name}-${each.key}"
  cluster_arn         = aws_ecs_cluster.this.arn
  cluster_name        = aws_ecs_cluster.this.name
  task_definition_arn = module.task[each.key].arn
  subnet_ids          = module.network.private_subnet_ids
  group_id            = aws_security_group.tasks.id
  tasks               = var.paused ? local.none : var.app_count
  scale_on            = { target = 60 }
  alarm_names         = [for alarm in local.version_alarms[each.key] : alarm.alarm_name]
  target_group_arn    = module.edge.target_group_arns[each.key]
  port                = local.port
  namespace_arn       = aws_service_discovery_http_namespace.this.arn
  # Its proxy knows the services that are there when a task starts.
  depends_on = [module.inference]
}

module "worker" {
  source              = "./modules/service"
  name                = "${local.name}-worker"
  cluster_arn         = aws_ecs_cluster.this.arn
  cluster_name        = aws_ecs_cluster.this.name
  task_definition_arn = module.task["worker"].arn
  subnet_ids          = module.network.private_subnet_ids
  group_id            = aws_security_group.tasks.id
  tasks               = var.paused ? local.none : var.worker_count
  scale_on            = { target = 20, queue = { namespace = local.name, metric = local.waiting_jobs } }
  alarm_names         = [aws_cloudwatch_metric_alarm.queue.alarm_name]
  namespace_arn       = aws_service_discovery_http_namespace.this.arn
  depends_on          = [module.inference]
}

# Of everybody's version. A candidate with another model answers by itself until it is promoted.
module "inference" {
  source              = "./modules/service"
  name                = "${local.name}-${local.inference}"
  cluster_arn         = aws_ecs_cluster.this.arn
  cluster_name        = aws_ecs_cluster.this.name
  task_definition_arn = module.task["inference"].arn
  subnet_ids          = module.network.private_subnet_ids
  group_id            = aws_security_group.inference.id
  tasks               = var.paused ? local.none : var.inference_count
  scale_on            = { target = 60 }
  alarm_names         = []
  port                = local.port
  namespace_arn       = aws_service_discovery_http_namespace.this.arn
  answers_as          = local.inference
}
