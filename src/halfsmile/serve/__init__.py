"""Answers over HTTP and a page that shows them: ``halfsmile serve``; no torch, nothing is kept."""
