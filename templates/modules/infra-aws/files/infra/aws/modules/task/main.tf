# One image with one command, as tasks run it: nobody, on a disk that cannot be written but for /srv/var.
resource "aws_ecs_task_definition" "this" {
  family                   = var.name
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.cpu
  memory                   = var.memory
  execution_role_arn       = var.execution_role_arn
  task_role_arn            = var.task_role_arn

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = "X86_64"
  }

  # The image declares /srv/var as a volume of its own user, whom Fargate then lets write.
  volume {
    name = "var"
  }

  container_definitions = jsonencode([{
    name                   = "app"
    image                  = var.image
    command                = var.command
    essential              = true
    user                   = "10001"
    readonlyRootFilesystem = true
    stopTimeout            = 30
    mountPoints            = [{ sourceVolume = "var", containerPath = "/srv/var", readOnly = false }]
    portMappings           = [for port in var.port == null ? [] : [var.port] : { name = "http", containerPort = port, hostPort = port, protocol = "tcp", appProtocol = "http" }]
    environment            = [for name, value in merge(var.settings, { TMPDIR = "/srv/var" }) : { name = name, value = value }]
    secrets                = [for name, source in var.secrets : { name = name, valueFrom = source }]
    linuxParameters        = { initProcessEnabled = true, capabilities = { add = [], drop = ["ALL"] } }
    healthCheck = var.health_url == null ? null : {
      command     = ["CMD", "python", "-c", "import urllib.request; urllib.request.urlopen('${var.health_url}', timeout=4)"]
      interval    = 10
      timeout     = 5
      retries     = 3
      startPeriod = 60
    }
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = var.log_group
        awslogs-region        = var.region
        awslogs-stream-prefix = var.name
        # Logs that cannot be delivered must not stop the application.
        mode            = "non-blocking"
        max-buffer-size = "4m"
      }
    }
  }])
}
