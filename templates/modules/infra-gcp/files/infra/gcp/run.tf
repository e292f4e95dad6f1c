# Two revisions share the requests; the migration runs before either, with the candidate's image.
locals {
  revisions = { for version, image in { stable = var.stable_image, candidate = var.candidate_image } :
    version => "${local.name}-${substr(sha256(image), 0, 8)}"
  }
  traffic = var.stable_image == var.candidate_image ? { (local.revisions.stable) = 100 } : {
    (local.revisions.stable)    = 100 - var.candidate_weight
    (local.revisions.candidate) = var.candidate_weight
  }

  settings = {
    ENVIRONMENT        = "production"
    LOG_FORMAT         = "json"
    IN_PROCESS_WORKERS = "false"
    TRUSTED_HOPS       = "1" # Google's own proxy, which says in X-Forwarded-For who asked it
    TMPDIR             = "/srv/var"
    DATABASE_URL       = "postgresql+asyncpg://app@${google_sql_database_instance.this.private_ip_address}:5432/app?ssl=require"
  }
  secret_settings = {
    ACCESS_TOKEN          = google_secret_manager_secret.this["access-token"].secret_id
    PGPASSWORD            = google_secret_manager_secret.this["database-password"].secret_id
    AI_RESPONSE_CACHE_URL = google_secret_manager_secret.this["cache-url"].secret_id
    RATE_LIMITS_URL       = google_secret_manager_secret.this["cache-url"].secret_id
  }
}

resource "google_cloud_run_v2_service" "app" {
  name                = local.name
  location            = var.region
  deletion_protection = var.lasting
  ingress             = "INGRESS_TRAFFIC_ALL"
  depends_on          = [google_secret_manager_secret_iam_member.app]

  template {
    revision        = local.revisions.candidate
    service_account = google_service_account.app.email
    timeout         = "60s"

    scaling {
      min_instance_count = var.tasks.min
      max_instance_count = var.tasks.max
    }

    vpc_access {
      egress = "ALL_TRAFFIC"
      network_interfaces {
        subnetwork = google_compute_subnetwork.run.id
      }
    }

    volumes {
      name = "var"
      empty_dir {
        medium     = "MEMORY"
        size_limit = "128Mi"
      }
    }

    containers {
      image = var.candidate_image

      resources {
        limits            = { cpu = "1", memory = "1Gi" }
        startup_cpu_boost = true
      }
      ports {
        container_port = 8000
      }
      volume_mounts {
        name       = "var"
        mount_path = "/srv/var"
      }
      # No request before model and database are ready.
      startup_probe {
        period_seconds    = 5
        failure_threshold = 24
        http_get {
          path = "/readyz"
        }
      }
      liveness_probe {
        period_seconds = 10
        http_get {
          path = "/healthz"
        }
      }
      dynamic "env" {
        for_each = local.settings
        content {
          name  = env.key
          value = env.value
        }
      }
      dynamic "env" {
        for_each = local.secret_settings
        content {
          name = env.key
          value_source {
            secret_key_ref {
              secret  = env.value
              version = "latest"
            }
          }
        }
      }
    }
  }

  dynamic "traffic" {
    for_each = local.traffic
    content {
      type     = "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION"
      revision = traffic.key
      percent  = traffic.value
    }
  }
}

# The application asks for its token itself; Google's own check would ask people for a Google account.
resource "google_cloud_run_v2_service_iam_member" "anyone" {
  #checkov:skip=CKV_GCP_102:A public service that authenticates its callers itself
  name     = google_cloud_run_v2_service.app.name
  location = var.region
  role     = "roles/run.invoker"
  member   = "allUsers"
}

resource "google_cloud_run_v2_job" "migrate" {
  name                = "${local.name}-migrate"
  location            = var.region
  deletion_protection = false
  depends_on          = [google_secret_manager_secret_iam_member.app]

  template {
    template {
      service_account = google_service_account.app.email
      max_retries     = 0
      timeout         = "600s"

      vpc_access {
        egress = "ALL_TRAFFIC"
        network_interfaces {
          subnetwork = google_compute_subnetwork.run.id
        }
      }
      containers {
        image   = var.candidate_image
        command = ["app", "db", "upgrade"]

        dynamic "env" {
          for_each = local.settings
          content {
            name  = env.key
            value = env.value
          }
        }
        dynamic "env" {
          for_each = local.secret_settings
          content {
            name = env.key
            value_source {
              secret_key_ref {
                secret  = env.value
                version = "latest"
              }
            }
          }
        }
      }
    }
  }
}

resource "google_cloud_run_v2_worker_pool" "worker" {
  name                = "${local.name}-worker"
  location            = var.region
  deletion_protection = false
  depends_on          = [google_secret_manager_secret_iam_member.app]

  scaling {
    manual_instance_count = var.tasks.workers
  }

  template {
    service_account = google_service_account.app.email

    vpc_access {
      egress = "ALL_TRAFFIC"
      network_interfaces {
        subnetwork = google_compute_subnetwork.run.id
      }
    }
    containers {
      image   = var.stable_image
      command = ["app", "worker", "--metrics-port", "9100"]

      dynamic "env" {
        for_each = local.settings
        content {
          name  = env.key
          value = env.value
        }
      }
      dynamic "env" {
        for_each = local.secret_settings
        content {
          name = env.key
          value_source {
            secret_key_ref {
              secret  = env.value
              version = "latest"
            }
          }
        }
      }
    }
  }
}
