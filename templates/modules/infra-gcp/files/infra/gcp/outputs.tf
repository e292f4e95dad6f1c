output "url" {
  description = "Where people find this stack."
  value       = google_cloud_run_v2_service.app.uri
}

output "migration" {
  description = "gcloud run jobs execute NAME --wait, before a candidate gets requests."
  value       = google_cloud_run_v2_job.migrate.name
}

output "pipeline" {
  description = "For the pipeline's sign-in."
  value = {
    provider        = google_iam_workload_identity_pool_provider.github.name
    service_account = google_service_account.pipeline.email
    registry        = "${var.region}-docker.pkg.dev/${var.project_id}/${google_artifact_registry_repository.app.repository_id}"
  }
}
