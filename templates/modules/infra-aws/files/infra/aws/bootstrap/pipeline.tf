# Pipelines come with a token of their forge instead of a key. What a token may do depends on what it was issued for.
locals {
  forges = {
    github = {
      url      = "https://token.actions.githubusercontent.com"
      host     = "token.actions.githubusercontent.com"
      audience = "sts.amazonaws.com"
      # A job that names an environment has it in its subject, instead of the branch.
      deploy  = "repo:${var.repository}:environment:prod"
      preview = "repo:${var.repository}:environment:preview"
    }
    gitlab = {
      url      = "https://${var.gitlab_host}"
      host     = var.gitlab_host
      audience = "https://${var.gitlab_host}"
      deploy   = "project_path:${var.repository}:ref_type:branch:ref:${var.branch}"
      # Every branch of this project, but for the one that is production's.
      preview = "project_path:${var.repository}:ref_type:branch:ref:*"
    }
  }
  forge = local.forges[var.forge]

  roles = {
    prod    = { subject = local.forge.deploy, states = "prod.tfstate*" }
    preview = { subject = local.forge.preview, states = "preview/*" }
  }
}

resource "aws_iam_openid_connect_provider" "forge" {
  url            = local.forge.url
  client_id_list = [local.forge.audience]
}

data "aws_iam_policy_document" "trust" {
  for_each = local.roles

  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]
    principals {
      type        = "Federated"
      identifiers = [aws_iam_openid_connect_provider.forge.arn]
    }
    condition {
      test     = "StringEquals"
      variable = "${local.forge.host}:aud"
      values   = [local.forge.audience]
    }
    condition {
      test     = strcontains(each.value.subject, "*") ? "StringLike" : "StringEquals"
      variable = "${local.forge.host}:sub"
      values   = [each.value.subject]
    }
  }
}

resource "aws_iam_role" "pipeline" {
  for_each             = local.roles
  name                 = "${var.project}-pipeline-${each.key}"
  assume_role_policy   = data.aws_iam_policy_document.trust[each.key].json
  max_session_duration = 7200
}

# A rollout reads everything, but changes versions and weights only: stacks are made by a person.
resource "aws_iam_role_policy_attachment" "read" {
  for_each   = aws_iam_role.pipeline
  role       = each.value.name
  policy_arn = "arn:aws:iam::aws:policy/ReadOnlyAccess"
}

resource "aws_iam_role_policy" "deploy" {
  for_each = local.roles
  role     = aws_iam_role.pipeline[each.key].id
  policy   = data.aws_iam_policy_document.deploy[each.key].json
}

locals {
  # As main.tf of the stack names its parts.
  stack = trimsuffix(substr(var.project, 0, 14), "-")
  named = { prod = "${local.stack}-prod", preview = "${local.stack}-p*" }
  here  = "${var.region}:${local.account}"
}

data "aws_iam_policy_document" "deploy" {
  for_each = local.roles

  statement {
    sid       = "State"
    actions   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]
    resources = ["${aws_s3_bucket.state.arn}/${each.value.states}"]
  }
  statement {
    sid       = "Registry"
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"]
  }
  statement {
    sid = "Images"
    actions = [
      "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:CompleteLayerUpload", "ecr:GetDownloadUrlForLayer",
      "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart",
    ]
    resources = [aws_ecr_repository.app.arn]
  }
  statement {
    sid       = "Keys"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = ["arn:aws:kms:${local.here}:key/*"]
    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["s3.${var.region}.amazonaws.com", "secretsmanager.${var.region}.amazonaws.com"]
    }
  }
  statement {
    sid       = "Passwords"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = ["arn:aws:secretsmanager:${local.here}:secret:${local.named[each.key]}/*"]
  }
  # Versions of task definitions cannot be restricted by resource; a region can.
  statement {
    sid       = "Versions"
    actions   = ["ecs:RegisterTaskDefinition", "ecs:DeregisterTaskDefinition", "secretsmanager:GetRandomPassword"]
    resources = ["*"]
    condition {
      test     = "StringEquals"
      variable = "aws:RequestedRegion"
      values   = [var.region]
    }
  }
  statement {
    sid     = "Services"
    actions = ["ecs:CreateService", "ecs:DeleteService", "ecs:RunTask", "ecs:TagResource", "ecs:UpdateService"]
    resources = [
      "arn:aws:ecs:${local.here}:service/${local.named[each.key]}/*",
      "arn:aws:ecs:${local.here}:task/${local.named[each.key]}/*",
      "arn:aws:ecs:${local.here}:task-definition/${local.named[each.key]}-*",
    ]
  }
  statement {
    sid       = "Weights"
    actions   = ["elasticloadbalancing:ModifyRule"]
    resources = ["arn:aws:elasticloadbalancing:${local.here}:listener-rule/app/${local.named[each.key]}/*"]
  }
  statement {
    sid       = "Alarms"
    actions   = ["cloudwatch:DeleteAlarms", "cloudwatch:PutMetricAlarm", "cloudwatch:TagResource"]
    resources = ["arn:aws:cloudwatch:${local.here}:alarm:${local.named[each.key]}-*"]
  }
  statement {
    sid = "Scaling"
    actions = [
      "application-autoscaling:DeleteScalingPolicy", "application-autoscaling:DeregisterScalableTarget",
      "application-autoscaling:PutScalingPolicy", "application-autoscaling:RegisterScalableTarget",
      "application-autoscaling:TagResource",
    ]
    resources = ["arn:aws:application-autoscaling:${local.here}:scalable-target/*"]
  }
  statement {
    sid     = "Roles"
    actions = ["iam:PassRole"]
    resources = [
      "arn:aws:iam::${local.account}:role/${local.named[each.key]}-application",
      "arn:aws:iam::${local.account}:role/${local.named[each.key]}-execution",
    ]
    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["ecs-tasks.amazonaws.com"]
    }
  }
}
