"""Read the tables and the splits of nuScenes without its devkit."""
