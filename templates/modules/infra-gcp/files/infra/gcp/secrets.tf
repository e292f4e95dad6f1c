# Values are given to Terraform for one run and stored in Secret Manager only, but for the cache's: its resource keeps it.
locals {
  secrets = toset(["access-token", "database-password", "cache-url"])
}

resource "google_secret_manager_secret" "this" {
  for_each  = local.secrets
  secret_id = "${local.name}-${each.key}"

  replication {
    user_managed {
      replicas {
        location = var.region
      }
    }
  }
}

resource "google_secret_manager_secret_version" "access_token" {
  secret                 = google_secret_manager_secret.this["access-token"].id
  secret_data_wo         = var.access_token
  secret_data_wo_version = var.passwords_version
}

resource "google_secret_manager_secret_version" "database_password" {
  secret                 = google_secret_manager_secret.this["database-password"].id
  secret_data_wo         = var.database_password
  secret_data_wo_version = var.passwords_version
}

resource "google_secret_manager_secret_version" "cache_url" {
  secret      = google_secret_manager_secret.this["cache-url"].id
  secret_data = "rediss://:${google_redis_instance.this.auth_string}@${google_redis_instance.this.host}:${google_redis_instance.this.port}/0?ssl_cert_reqs=none"
}

resource "google_service_account" "app" {
  account_id   = local.name
  display_name = "The application in ${var.environment}"
}

resource "google_secret_manager_secret_iam_member" "app" {
  for_each  = google_secret_manager_secret.this
  secret_id = each.value.id
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.app.member
}
