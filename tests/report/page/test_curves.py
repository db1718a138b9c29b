import base64
import dataclasses
import io

import numpy as np
from PIL import Image

from rdtf_bench.core.store import Store
from rdtf_bench.report.page.curves import curves
from rdtf_bench.report.page.table_page import Contents
from rdtf_bench.spec.schema import Panel


def test_the_losses_of_the_trainings_in_the_store_are_drawn_for_light_and_dark_pages(contents: Contents) -> None:
    (loss,) = curves(contents.spec, contents.cells, contents.store)
    assert loss.title == "Training loss"
    assert loss.alt == "Curves of the training loss over the steps, smoothed: RDTF from 1 to 0.111."
    for uri, ink in ((loss.light, (0x1F, 0x23, 0x28)), (loss.dark, (0xE6, 0xED, 0xF3))):
        data = base64.b64decode(uri.partition(",")[2])
        with Image.open(io.BytesIO(data)) as picture:
            assert picture.size == (loss.width_px, loss.height_px)
            pixels = np.asarray(picture.convert("RGBA")).astype(int)
        is_ink = (np.abs(pixels[..., :3] - ink).max(-1) < 4) & (pixels[..., 3] > 250)
        assert is_ink.sum() > 200


def test_a_panel_without_a_training_in_the_store_is_left_out(contents: Contents) -> None:
    panels = (Panel(title="from scratch", rows=("RDTF",)), Panel(title="adapters", rows=("SimDA",)))
    spec = contents.spec.model_copy(update={"panels": panels})
    assert [plot.title for plot in curves(spec, contents.cells, contents.store)] == ["Training loss: from scratch"]


def test_a_panel_names_a_row_without_the_seed_of_its_training(contents: Contents) -> None:
    panels = (Panel(title="from scratch", rows=("RDTF",)),)
    spec = contents.spec.model_copy(update={"panels": panels, "seeds": (1,)})
    cells = [dataclasses.replace(cell, seed=1) for cell in contents.cells]
    assert [plot.title for plot in curves(spec, cells, contents.store)] == ["Training loss: from scratch"]


def test_a_row_that_trained_no_step_has_no_curve(contents: Contents) -> None:
    key = next(cell.fit_key for cell in contents.cells if cell.label == "RDTF")
    (contents.store.path("fit", key) / "log.jsonl").write_text("", encoding="utf-8")
    assert curves(contents.spec, contents.cells, contents.store) == []


def test_a_store_without_trainings_has_no_curves(contents: Contents) -> None:
    assert curves(contents.spec, contents.cells, Store(contents.store.root / "none")) == []
