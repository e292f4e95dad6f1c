# What the stand-in for AWS does not keep, so that a second plan would ask for it again. The list of all exceptions.
# Descriptions of rules that name another group.
resource "aws_vpc_security_group_ingress_rule" "from_balancer" {
  lifecycle { ignore_changes = [description] }
}

resource "aws_vpc_security_group_egress_rule" "balancer_to_tasks" {
  lifecycle { ignore_changes = [description] }
}

resource "aws_vpc_security_group_ingress_rule" "from_tasks" {
  lifecycle { ignore_changes = [description] }
}

resource "aws_vpc_security_group_egress_rule" "to_store" {
  lifecycle { ignore_changes = [description] }
}

resource "aws_vpc_security_group_egress_rule" "to_s3" {
  lifecycle { ignore_changes = [description] }
}

resource "aws_vpc_security_group_ingress_rule" "to_inference" {
  lifecycle { ignore_changes = [description] }
}

resource "aws_vpc_security_group_egress_rule" "tasks_to_inference" {
  lifecycle { ignore_changes = [description] }
}
