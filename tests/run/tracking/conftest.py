"""An MLflow database without runs, made once, and what tests ask of it."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rdtf_bench.run.tracking import server

if TYPE_CHECKING:
    from mlflow import MlflowClient


@pytest.fixture(scope="session")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow database with the experiment, which takes seconds to make."""
    root = tmp_path_factory.mktemp("fresh")
    server.open_experiment(server.default_uri(root), root)
    with closing(sqlite3.connect(root / "mlflow.db")) as connection:
        connection.execute("VACUUM INTO ?", (str(root / "copy.db"),))
    return root / "copy.db"


@pytest.fixture
def root(fresh: Path, tmp_path: Path) -> Path:
    """A store whose database holds no run."""
    shutil.copy(fresh, tmp_path / "mlflow.db")
    return tmp_path


@pytest.fixture
def client(root: Path) -> "MlflowClient":
    return server.connect(server.default_uri(root))
