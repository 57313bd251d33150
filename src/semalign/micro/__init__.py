"""The micro family: four generated benchmarks, and four small models trained from scratch on a generated corpus."""
