"""What the tests of plans stand on."""

from rdtf_bench.spec.plan import DataIdentity

DATA = DataIdentity(
    dataset="asg",
    source="toy",
    train="t",
    validation="v",
    test="x",
    test_clusters="c",
    num_train=600,
    num_validation=9,
    num_test=9,
)
