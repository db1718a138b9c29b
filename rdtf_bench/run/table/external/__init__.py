"""Rows that a user adds to a table: clips that were made elsewhere, and pipelines of diffusers.

May import no other room of run/. Hands out ExternalClips and ExternalPipeline.
"""
