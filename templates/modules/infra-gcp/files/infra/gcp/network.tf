# Private addresses for the database and the cache; instances reach them, and nothing else, through this network.
locals {
  name = "${trimsuffix(substr(var.project, 0, 14), "-")}-${var.environment}"
}

resource "google_compute_network" "this" {
  name                    = local.name
  auto_create_subnetworks = false
}

resource "google_compute_subnetwork" "run" {
  name                     = "${local.name}-run"
  network                  = google_compute_network.this.id
  region                   = var.region
  ip_cidr_range            = "10.30.0.0/22"
  private_ip_google_access = true

  log_config {
    aggregation_interval = "INTERVAL_10_MIN"
    flow_sampling        = 0.1
    metadata             = "INCLUDE_ALL_METADATA"
  }
}

resource "google_compute_global_address" "services" {
  name          = "${local.name}-services"
  network       = google_compute_network.this.id
  purpose       = "VPC_PEERING"
  address_type  = "INTERNAL"
  prefix_length = 20
}

resource "google_service_networking_connection" "this" {
  network                 = google_compute_network.this.id
  service                 = "servicenetworking.googleapis.com"
  reserved_peering_ranges = [google_compute_global_address.services.name]
}

# Without this rule everything inside may call everything outside.
resource "google_compute_firewall" "egress" {
  name               = "${local.name}-egress"
  network            = google_compute_network.this.id
  direction          = "EGRESS"
  priority           = 65000
  destination_ranges = ["0.0.0.0/0"]

  deny {
    protocol = "all"
  }
}

resource "google_compute_firewall" "inside" {
  name               = "${local.name}-inside"
  network            = google_compute_network.this.id
  direction          = "EGRESS"
  priority           = 1000
  destination_ranges = ["10.0.0.0/8", "199.36.153.8/30"] # the stores, and Google's own services

  allow {
    protocol = "tcp"
    ports    = ["443", "5432", "6379"]
  }
}
