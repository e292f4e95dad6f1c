mock_provider "aws" {}

variables {
  name                = "app-test-stable"
  cluster_arn         = "arn:aws:ecs:eu-central-1:123456789012:cluster/x"
  cluster_name        = "x"
  task_definition_arn = "arn:aws:ecs:eu-central-1:123456789012:task-definition/x:1"
  subnet_ids          = ["subnet-1"]
  group_id            = "sg-1"
  tasks               = { min = 2, max = 6 }
  scale_on            = { target = 60 }
  alarm_names         = ["slow"]
  namespace_arn       = "arn:aws:servicediscovery:eu-central-1:123456789012:namespace/ns-1"
  target_group_arn    = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/x/0123456789abcdef"
}

run "goes_back_by_itself" {
  assert {
    condition     = aws_ecs_service.this.alarms[0].rollback && aws_ecs_service.this.alarms[0].enable && contains(aws_ecs_service.this.alarms[0].alarm_names, "slow")
    error_message = "an alarm must undo a deployment"
  }
  assert {
    condition     = aws_ecs_service.this.deployment_circuit_breaker[0].rollback
    error_message = "tasks that do not start must undo a deployment"
  }
  assert {
    condition     = !aws_ecs_service.this.network_configuration[0].assign_public_ip
    error_message = "a task has a public address"
  }
  assert {
    condition     = aws_ecs_service.this.deployment_minimum_healthy_percent == 100
    error_message = "a deployment takes tasks away before others are there"
  }
}

run "asks_and_is_not_asked" {
  assert {
    condition     = length(aws_ecs_service.this.service_connect_configuration[0].service) == 0
    error_message = "what has a load balancer is reached by nothing else"
  }
}

run "inside_only" {
  variables {
    target_group_arn = null
    answers_as       = "inference"
    alarm_names      = []
  }
  assert {
    condition     = aws_ecs_service.this.service_connect_configuration[0].service[0].client_alias[0].dns_name == "inference"
    error_message = "tasks must find it by its name"
  }
  assert {
    condition     = length(aws_ecs_service.this.load_balancer) == 0 && length(aws_ecs_service.this.alarms) == 0
    error_message = "it stands behind no load balancer, and ECS refuses an empty list of alarms"
  }
}

run "queue" {
  variables {
    target_group_arn = null
    scale_on         = { target = 20, queue = { namespace = "app", metric = "WaitingJobs" } }
  }
  assert {
    condition     = aws_appautoscaling_policy.this.target_tracking_scaling_policy_configuration[0].customized_metric_specification[0].metric_name == "WaitingJobs"
    error_message = "workers must follow the queue"
  }
}

run "fewest_above_most" {
  command = plan
  variables {
    tasks = { min = 3, max = 2 }
  }
  expect_failures = [var.tasks]
}
