mock_provider "aws" {}

variables {
  name               = "app-test-stable"
  image              = "app@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
  command            = ["app", "serve"]
  port               = 8000
  health_url         = "http://127.0.0.1:8000/readyz"
  cpu                = 256
  memory             = 512
  settings           = { PORT = "8000" }
  secrets            = { PGPASSWORD = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:x" }
  execution_role_arn = "arn:aws:iam::123456789012:role/execution"
  task_role_arn      = "arn:aws:iam::123456789012:role/application"
  log_group          = "/app/tasks"
  region             = "eu-central-1"
}

run "hardened" {
  assert {
    condition = alltrue([for container in jsondecode(aws_ecs_task_definition.this.container_definitions) :
      container.readonlyRootFilesystem && container.user != "0" && container.linuxParameters.capabilities.drop == ["ALL"]
    ])
    error_message = "a container may write its disk, is root or keeps capabilities"
  }
  assert {
    condition = alltrue([for container in jsondecode(aws_ecs_task_definition.this.container_definitions) :
      length(setintersection(toset(container.environment[*].name), toset(container.secrets[*].name))) == 0
    ])
    error_message = "a secret stands in the environment"
  }
}

run "no_port_no_mapping" {
  variables {
    port       = null
    health_url = null
  }
  assert {
    condition     = jsondecode(aws_ecs_task_definition.this.container_definitions)[0].portMappings == []
    error_message = "a task that serves nothing opens a port"
  }
}

run "a_tag_can_be_moved" {
  command = plan
  variables {
    image = "app:latest"
  }
  expect_failures = [var.image]
}

run "a_secret_is_never_a_value" {
  command = plan
  variables {
    secrets = { PGPASSWORD = "hunter2" }
  }
  expect_failures = [var.secrets]
}
