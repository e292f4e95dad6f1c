# The only door from outside: TLS, rate limit, and one rule that shares requests between two versions.
resource "aws_security_group" "balancer" {
  name        = "${var.name}-balancer"
  description = "Load balancer"
  vpc_id      = var.vpc_id
}

resource "aws_vpc_security_group_ingress_rule" "web" {
  for_each          = { http = 80, https = 443 }
  security_group_id = aws_security_group.balancer.id
  description       = "From anywhere; port 80 only redirects"
  ip_protocol       = "tcp"
  from_port         = each.value
  to_port           = each.value
  #checkov:skip=CKV_AWS_260:The public door; port 80 answers with a redirect to TLS
  cidr_ipv4 = "0.0.0.0/0"
  tags      = { role = "load-balancer" }
}

# The public door is what it is for.
#trivy:ignore:AWS-0053
resource "aws_lb" "this" {
  #checkov:skip=CKV2_AWS_76:Wants a list that refuses every cloud's addresses, and so the webhooks of customers
  name                       = var.name
  load_balancer_type         = "application"
  security_groups            = [aws_security_group.balancer.id]
  subnets                    = var.subnet_ids
  drop_invalid_header_fields = true
  enable_deletion_protection = var.lasting
  idle_timeout               = 75

  access_logs {
    bucket  = aws_s3_bucket.access.id
    enabled = true
  }

  depends_on = [aws_s3_bucket_policy.access]
}

resource "aws_lb_target_group" "version" {
  #checkov:skip=CKV_AWS_378:TLS ends at the load balancer; behind it only its own group reaches the tasks
  for_each             = toset(["stable", "candidate"])
  name                 = "${var.name}-${each.key == "stable" ? "s" : "c"}"
  port                 = var.port
  protocol             = "HTTP"
  target_type          = "ip"
  vpc_id               = var.vpc_id
  deregistration_delay = 30

  health_check {
    path                = "/readyz"
    interval            = 10
    timeout             = 5
    healthy_threshold   = 2
    unhealthy_threshold = 3
  }
}

resource "aws_lb_listener" "http" {
  load_balancer_arn = aws_lb.this.arn
  port              = 80
  protocol          = "HTTP"

  default_action {
    type = "redirect"
    redirect {
      port        = "443"
      protocol    = "HTTPS"
      status_code = "HTTP_301"
    }
  }
}

resource "aws_lb_listener" "https" {
  load_balancer_arn = aws_lb.this.arn
  port              = 443
  protocol          = "HTTPS"
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"
  certificate_arn   = aws_acm_certificate_validation.this.certificate_arn

  default_action {
    type = "fixed-response"
    fixed_response {
      content_type = "text/plain"
      message_body = "Not found"
      status_code  = "404"
    }
  }
}

resource "aws_lb_listener_rule" "split" {
  listener_arn = aws_lb_listener.https.arn
  priority     = 10

  action {
    type = "forward"
    forward {
      target_group {
        arn    = aws_lb_target_group.version["stable"].arn
        weight = 100 - var.candidate_weight
      }
      target_group {
        arn    = aws_lb_target_group.version["candidate"].arn
        weight = var.candidate_weight
      }
    }
  }

  condition {
    host_header { values = [var.domain] }
  }
}
