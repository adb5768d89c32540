"""Label with a model that learns meanwhile: ``halfsmile label``; what to ask next, and when to stop."""
