# Once per account, by a person: where states are kept, where images are kept, and who may deploy.
terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 7.0"
    }
  }
}

provider "aws" {
  region = var.region

  default_tags {
    tags = { project = var.project, managed-by = "terraform" }
  }
}
