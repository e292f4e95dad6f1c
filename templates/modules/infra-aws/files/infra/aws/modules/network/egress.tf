# The way out, where hosts are named: a gateway, and a resolver that knows no other names.
resource "aws_eip" "outside" {
  for_each = local.outside
  domain   = "vpc"
  tags     = { Name = "${var.name}-${each.key}" }
}

resource "aws_nat_gateway" "outside" {
  for_each      = local.outside
  allocation_id = aws_eip.outside[each.key].id
  subnet_id     = aws_subnet.public[each.key].id
  tags          = { Name = "${var.name}-${each.key}" }
  depends_on    = [aws_internet_gateway.this]
}

resource "aws_route" "outside" {
  for_each               = length(local.outside) > 0 ? local.subnets : {}
  route_table_id         = aws_route_table.private[each.key].id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = try(aws_nat_gateway.outside[each.key].id, aws_nat_gateway.outside[local.zones[0]].id)
}

resource "aws_route53_resolver_firewall_domain_list" "allowed" {
  count   = length(local.outside) > 0 ? 1 : 0
  name    = "${var.name}-allowed"
  domains = concat(["*.amazonaws.com.", "*.aws.dev."], [for host in var.egress_hosts : "${host}."])
}

resource "aws_route53_resolver_firewall_domain_list" "all" {
  count   = length(local.outside) > 0 ? 1 : 0
  name    = "${var.name}-all"
  domains = ["*."]
}

resource "aws_route53_resolver_firewall_rule_group" "egress" {
  count = length(local.outside) > 0 ? 1 : 0
  name  = "${var.name}-egress"
}

resource "aws_route53_resolver_firewall_rule" "allow" {
  count                   = length(local.outside) > 0 ? 1 : 0
  name                    = "allow"
  action                  = "ALLOW"
  priority                = 100
  firewall_domain_list_id = aws_route53_resolver_firewall_domain_list.allowed[0].id
  firewall_rule_group_id  = aws_route53_resolver_firewall_rule_group.egress[0].id
}

resource "aws_route53_resolver_firewall_rule" "block" {
  count                   = length(local.outside) > 0 ? 1 : 0
  name                    = "block"
  action                  = "BLOCK"
  block_response          = "NXDOMAIN"
  priority                = 200
  firewall_domain_list_id = aws_route53_resolver_firewall_domain_list.all[0].id
  firewall_rule_group_id  = aws_route53_resolver_firewall_rule_group.egress[0].id
}

resource "aws_route53_resolver_firewall_rule_group_association" "egress" {
  count                  = length(local.outside) > 0 ? 1 : 0
  name                   = "${var.name}-egress"
  priority               = 101
  vpc_id                 = aws_vpc.this.id
  firewall_rule_group_id = aws_route53_resolver_firewall_rule_group.egress[0].id
}
