"""`python -m rdtf_bench` is `rdtf-bench`."""

from rdtf_bench.cli import main

main()
