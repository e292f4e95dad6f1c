"""Where a pristine tree comes from: the kit, or a template of Copier or Cookiecutter."""
