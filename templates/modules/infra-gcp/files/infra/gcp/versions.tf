# What Terraform and OpenTofu both understand; either runs it.
terraform {
  required_version = ">= 1.11"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 6.40, < 8.0"
    }
  }

  # bucket and prefix: terraform init -backend-config=...; docs/gcp.md.
  backend "gcs" {}
}

provider "google" {
  project = var.project_id
  region  = var.region

  default_labels = {
    project     = var.project
    environment = var.environment
    lifetime    = var.lifetime
    managed-by  = "terraform"
  }
}
