"""What has been measured, recipes and the study: schemas, read, checked, written."""
