"""Stage I: what an encoder learns from faces without any label."""
