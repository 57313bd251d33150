"""The micro family: four generated benchmarks, and five small models trained on a generated corpus."""
