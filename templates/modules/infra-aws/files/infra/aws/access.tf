# Who may talk to whom. Names resolve without a rule: the network's own resolver is not behind security groups.
resource "aws_security_group" "tasks" {
  name        = "${local.name}-tasks"
  description = "Application, workers, migrations"
  vpc_id      = module.network.vpc_id
}

resource "aws_vpc_security_group_ingress_rule" "from_balancer" {
  security_group_id            = aws_security_group.tasks.id
  description                  = "Requests"
  ip_protocol                  = "tcp"
  from_port                    = local.port
  to_port                      = local.port
  referenced_security_group_id = module.edge.group_id
}

resource "aws_vpc_security_group_egress_rule" "balancer_to_tasks" {
  security_group_id            = module.edge.group_id
  description                  = "Requests"
  ip_protocol                  = "tcp"
  from_port                    = local.port
  to_port                      = local.port
  referenced_security_group_id = aws_security_group.tasks.id
}

resource "aws_security_group" "inference" {
  name        = "${local.name}-inference"
  description = "The small model"
  vpc_id      = module.network.vpc_id
}

resource "aws_vpc_security_group_ingress_rule" "to_inference" {
  security_group_id            = aws_security_group.inference.id
  description                  = "From the application's tasks only"
  ip_protocol                  = "tcp"
  from_port                    = local.port
  to_port                      = local.port
  referenced_security_group_id = aws_security_group.tasks.id
}

resource "aws_vpc_security_group_egress_rule" "tasks_to_inference" {
  security_group_id            = aws_security_group.tasks.id
  description                  = "To the small model"
  ip_protocol                  = "tcp"
  from_port                    = local.port
  to_port                      = local.port
  referenced_security_group_id = aws_security_group.inference.id
}

locals {
  # Whoever runs as a task: its image, secrets and logs come from AWS.
  groups = { tasks = aws_security_group.tasks.id, inference = aws_security_group.inference.id }

  stores = {
    database = { group = module.data.database_group_id, port = 5432 }
    cache    = { group = module.data.cache_group_id, port = 6379 }
  }
}

resource "aws_vpc_security_group_ingress_rule" "from_tasks" {
  for_each                     = local.stores
  security_group_id            = each.value.group
  description                  = "From the application's tasks only"
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
  referenced_security_group_id = aws_security_group.tasks.id
}

resource "aws_vpc_security_group_egress_rule" "to_store" {
  for_each                     = local.stores
  security_group_id            = aws_security_group.tasks.id
  description                  = "To the ${each.key}"
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
  referenced_security_group_id = each.value.group
}

resource "aws_vpc_security_group_egress_rule" "to_aws" {
  for_each          = local.groups
  security_group_id = each.value
  description       = "To AWS, inside the network"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  cidr_ipv4         = var.network_cidr
}

resource "aws_vpc_security_group_egress_rule" "to_s3" {
  for_each          = local.groups
  security_group_id = each.value
  description       = "To layers of images in S3"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  prefix_list_id    = module.network.s3_prefix_list_id
}

# To which hosts is decided by the resolver: modules/network/egress.tf.
resource "aws_vpc_security_group_egress_rule" "to_hosts" {
  count             = length(var.egress_hosts) > 0 ? 1 : 0
  security_group_id = aws_security_group.tasks.id
  description       = "To the hosts of egress_hosts"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  cidr_ipv4         = "0.0.0.0/0"
}

data "aws_iam_policy_document" "tasks_trust" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.me.account_id]
    }
  }
}

# Starts tasks: pulls the image, reads the secrets, writes logs.
resource "aws_iam_role" "execution" {
  name               = "${local.name}-execution"
  assume_role_policy = data.aws_iam_policy_document.tasks_trust.json
}

resource "aws_iam_role_policy_attachment" "execution" {
  role       = aws_iam_role.execution.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
}

data "aws_iam_policy_document" "secrets" {
  statement {
    actions   = ["secretsmanager:GetSecretValue"]
    resources = values(local.secret_arns)
  }
  statement {
    actions   = ["kms:Decrypt"]
    resources = [aws_kms_key.this.arn]
  }
}

resource "aws_iam_role_policy" "secrets" {
  role   = aws_iam_role.execution.id
  policy = data.aws_iam_policy_document.secrets.json
}

# What the application itself may do in AWS: nothing.
resource "aws_iam_role" "application" {
  name               = "${local.name}-application"
  assume_role_policy = data.aws_iam_policy_document.tasks_trust.json
}
