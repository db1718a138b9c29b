from matplotlib.figure import Figure

from rdtf_bench.report.page.plots import plot


def test_a_plot_has_its_size_and_a_version_for_each_kind_of_page() -> None:
    figure = Figure(figsize=(2, 1), dpi=50)
    figure.subplots().set(xlabel="step")
    found = plot("Loss", "A curve.", figure)
    assert (found.width_px, found.height_px) == (100, 50)
    assert found.light.startswith("data:image/png;base64,")
    assert found.light != found.dark
