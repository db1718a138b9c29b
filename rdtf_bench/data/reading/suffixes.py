"""Suffixes of the files that are read. Without an import, so that naming them loads no image library."""

IMAGE_SUFFIXES = (".gif", ".webp", ".png", ".apng")
VIDEO_SUFFIXES = (".mp4", ".m4v", ".webm", ".mov", ".mkv", ".avi")
ANIMATION_SUFFIXES = (*IMAGE_SUFFIXES, *VIDEO_SUFFIXES)
