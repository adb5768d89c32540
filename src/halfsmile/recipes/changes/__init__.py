"""Changes to any recipe: another start, another Stage I, a last fine-tuning."""
