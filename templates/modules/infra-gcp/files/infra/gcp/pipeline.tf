# The pipeline comes with a token of GitHub instead of a key: one that was issued for this repository and environment.
resource "google_artifact_registry_repository" "app" {
  #checkov:skip=CKV_GCP_84:Encrypted by Google's own keys; images hold no data of people
  repository_id = local.name
  location      = var.region
  format        = "DOCKER"

  docker_config {
    immutable_tags = true
  }
}

resource "google_iam_workload_identity_pool" "forge" {
  workload_identity_pool_id = "${local.name}-forge"
}

resource "google_iam_workload_identity_pool_provider" "github" {
  #checkov:skip=CKV_GCP_125:The condition below names repository and environment exactly
  workload_identity_pool_id          = google_iam_workload_identity_pool.forge.workload_identity_pool_id
  workload_identity_pool_provider_id = "github"
  attribute_condition                = "assertion.sub == 'repo:${var.repository}:environment:${var.environment}'"
  attribute_mapping                  = { "google.subject" = "assertion.sub", "attribute.repository" = "assertion.repository" }

  oidc {
    issuer_uri = "https://token.actions.githubusercontent.com"
  }
}

resource "google_service_account" "pipeline" {
  account_id   = "${local.name}-ci"
  display_name = "Pipelines of ${var.repository} in ${var.environment}"
}

resource "google_service_account_iam_member" "pipeline" {
  service_account_id = google_service_account.pipeline.name
  role               = "roles/iam.workloadIdentityUser"
  member             = "principal://iam.googleapis.com/${google_iam_workload_identity_pool.forge.name}/subject/repo:${var.repository}:environment:${var.environment}"
}

# It pushes images and changes versions and weights; it cannot make or remove stacks.
resource "google_artifact_registry_repository_iam_member" "pipeline" {
  repository = google_artifact_registry_repository.app.name
  location   = var.region
  role       = "roles/artifactregistry.writer"
  member     = google_service_account.pipeline.member
}

resource "google_cloud_run_v2_service_iam_member" "pipeline" {
  name     = google_cloud_run_v2_service.app.name
  location = var.region
  role     = "roles/run.developer"
  member   = google_service_account.pipeline.member
}

resource "google_service_account_iam_member" "acts" {
  service_account_id = google_service_account.app.name
  role               = "roles/iam.serviceAccountUser"
  member             = google_service_account.pipeline.member
}
